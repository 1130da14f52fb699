"""A label that training never saw, recognised from a few examples given at test time.

The claim of the SEC paper (sections 3 and 6.2): a metric space of emotions serves labels it was not trained on. One
emotion's labels are withheld from training (`erc-bench run --withhold LABEL`). Then every label gets a prototype in
the embedding space: the seen ones the mean of their training utterances, the withheld one the mean of N training
utterances, drawn anew in every episode. A test utterance gets the label of the nearest prototype.

A mean of few vectors lies farther from everything than a mean of many, in expectation by the spread of the label
divided by their number, so that with one example the withheld label is hardly ever nearest, whatever the space is
worth. Each episode is therefore also read with that amount subtracted from every squared distance ("corrected"); the
spread is the mean over the seen labels, so that nothing but its N examples is known of the withheld one. Neither reading
is the better one everywhere: a label that is hardly ever predicted gains precision where it is rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.errors import DataError
from erc_bench.toolkit.prototypes import ClassStatistics, squared_distances

SHOTS = (1, 5, 20)
EPISODES = 50
SEED = 0


@dataclass(frozen=True, eq=False)
class FewShotCounts:
    """Confusion counts of every episode, int64 (episodes, K, K + 1), by the number of examples.

    `confusions` are by the nearest prototype, `corrected` after distances were corrected for the number of examples.
    """

    withheld: str
    confusions: Mapping[int, NDArray[np.int64]]
    corrected: Mapping[int, NDArray[np.int64]]


def few_shot_counts(
    vectors: NDArray[np.float32],
    gold: NDArray[np.intp],
    seen: ClassStatistics,
    examples: NDArray[np.float32],
    withheld: str,
    labels: LabelSet,
    *,
    episodes: int = EPISODES,
    seed: int = SEED,
) -> FewShotCounts:
    """Score a metric space in episodes that differ in the examples of the withheld label.

    The N examples of an episode are the first of its largest draw, so that more examples only ever add to fewer.

    Parameters
    ----------
    vectors
        Test embeddings (utterances, dim); a row with NaN has no vector and gets no usable answer.
    gold
        Positions of the gold labels, shape (utterances,).
    seen
        Statistics of the training embeddings by label; those of the withheld label are not read.
    examples
        All embedded training utterances of the withheld label, (candidates, dim).

    Raises
    ------
    DataError
        Fewer candidates than the smallest number of examples.
    """
    shots = [shot for shot in SHOTS if shot <= len(examples)]
    if not shots:
        raise DataError(f"few-shot needs at least {SHOTS[0]} training utterances of {withheld!r}, got {len(examples)}.")
    generator = np.random.default_rng(seed)
    drawn = np.stack([generator.permutation(len(examples))[: shots[-1]] for _ in range(episodes)])
    size, column = len(labels), labels.index(withheld)
    absent = np.isnan(vectors).any(axis=1)
    known = np.flatnonzero((np.arange(size) != column) & (seen.counts > 0))
    spread = float(np.nan_to_num(np.nanmean(seen.spreads[known])))
    to_seen = squared_distances(vectors, seen.means[known])
    to_seen[absent] = np.inf
    to_withheld = {
        shot: squared_distances(vectors, examples[drawn[:, :shot]].astype(np.float64).mean(axis=1)) for shot in shots
    }

    def read(bias: float) -> dict[int, NDArray[np.int64]]:
        to_means = to_seen - bias / seen.counts[known]
        nearest, least = known[to_means.argmin(axis=1)], to_means.min(axis=1)
        found: dict[int, NDArray[np.int64]] = {}
        for shot, distances in to_withheld.items():
            predicted = np.where(distances - bias / shot < least[:, None], column, nearest[:, None])
            predicted[absent] = size
            cells = (np.arange(episodes) * size + gold[:, None]) * (size + 1) + predicted
            counts = np.bincount(cells.ravel(), minlength=episodes * size * (size + 1))
            found[shot] = counts.reshape(episodes, size, size + 1).astype(np.int64)
        return found

    return FewShotCounts(withheld, read(0.0), read(spread))


def chance_confusion(gold: NDArray[np.intp], labels: LabelSet) -> NDArray[np.float64]:
    """What to expect of an answer drawn uniformly from all labels: float64 (K, K + 1)."""
    size = len(labels)
    found = np.zeros((size, size + 1))
    found[:, :size] = np.bincount(gold, minlength=size)[:, None] / size
    return found
