"""Classification by what a metric space offers: the nearest class mean, or the nearest distinct training texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.toolkit.training import Decision, calibrate

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

NEIGHBOURS = (5, 20, 50)
SCORES_AT_ONCE = 256


def labelled_texts(dialogues: Sequence[Dialogue], labels: LabelSet) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct texts that have a label, and how often each has which: int64 (texts, labels)."""
    import numpy as np

    position: dict[str, int] = {}
    pairs = [
        (position.setdefault(u.text, len(position)), labels.index(u.label))
        for dialogue in dialogues
        for u in dialogue.utterances
        if u.label is not None
    ]
    counts = np.zeros((len(position), len(labels)), np.int64)
    np.add.at(counts, tuple(np.array(pairs, np.intp).reshape(-1, 2).T), 1)
    return list(position), counts


@dataclass(frozen=True, eq=False)
class MetricSpace:
    """How labels are read from vectors; `neighbours` is their number, None for the nearest class mean.

    `points` are the class means (labels, dim) or the distinct training texts (texts, dim); `shares` are then the
    labels' shares in each text, float32 (texts, labels). Texts stand once, so that the many copies of "Yes ." count
    as one neighbour and no tie between copies has to be broken.
    """

    neighbours: int | None
    points: NDArray[np.float32]
    shares: NDArray[np.float32] | None = None

    @classmethod
    def chosen(
        cls,
        known: NDArray[np.float32],
        counts: NDArray[np.int64],
        held_out: NDArray[np.float32],
        counts_held_out: NDArray[np.int64],
        labels: LabelSet,
        decision: Decision,
    ) -> tuple[MetricSpace, float]:
        """The reading with the highest micro F1 over the emotions on held-out texts; class means if none has any.

        With it comes the number that `decision` adds to its neutral score.
        """
        import numpy as np

        totals = counts.sum(axis=0)
        with np.errstate(invalid="ignore"):
            means = (counts.T @ known.astype(np.float64)) / totals[:, None]
        shares = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
        candidates = [cls(None, means.astype(np.float32))]
        candidates += [cls(number, known, shares) for number in NEIGHBOURS if number <= len(known)]

        text, label = (np.repeat(found, counts_held_out[counts_held_out > 0]) for found in np.nonzero(counts_held_out))
        found = []
        for space in candidates:
            scores = space.scores(held_out)[text]
            offset, micro_f1 = calibrate(scores, label, labels.neutral_index, decision) if len(text) else (0.0, 0.0)
            found.append((micro_f1, space, offset))
        _, best, offset = max(found, key=lambda candidate: candidate[0])
        return best, offset

    @property
    def description(self) -> str:
        """In words, for the notes of a run."""
        if self.neighbours is None:
            return "nearest class mean"
        return f"label shares in the {self.neighbours} nearest distinct training texts"

    @property
    def parameters(self) -> int:
        """Numbers that are kept to classify with."""
        return int(self.points.size + (0 if self.shares is None else self.shares.size))

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score of every label, (vectors, labels): minus the distance to its mean, or its share among neighbours.

        A label without training utterances scores minus infinity by means, 0 by neighbours.
        """
        import numpy as np

        if self.shares is None:
            from erc_bench.toolkit.prototypes import squared_distances

            distances = np.sqrt(squared_distances(vectors, self.points))
            return np.where(np.isnan(distances), -np.inf, -distances)
        parts = [self._shares_nearby(vectors[i : i + SCORES_AT_ONCE]) for i in range(0, len(vectors), SCORES_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, self.shares.shape[1]))

    def _shares_nearby(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        import numpy as np

        assert self.shares is not None
        assert self.neighbours is not None
        squares = np.einsum("ij,ij->i", self.points, self.points)
        nearness = 2 * (vectors @ self.points.T) - squares
        nearest = np.argpartition(nearness, -self.neighbours, axis=1)[:, -self.neighbours :]
        return np.asarray(self.shares[nearest].astype(np.float64).mean(axis=1), np.float64)

    def tensors(self) -> dict[str, torch.Tensor]:
        """What `from_tensors` needs."""
        import torch

        found = {"space.points": torch.from_numpy(self.points)}
        return found if self.shares is None else found | {"space.shares": torch.from_numpy(self.shares)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Any], neighbours: int | None) -> MetricSpace:
        """The space that `tensors` describe."""
        shares = tensors.get("space.shares")
        return cls(neighbours, tensors["space.points"].numpy(), None if shares is None else shares.numpy())
