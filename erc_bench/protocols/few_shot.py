"""Protocol `few-shot`: a label that training never saw, recognised from a few examples given at test time.

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

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet
from erc_bench.errors import DataCorruptError, DataError, DataMissingError, UnknownNameError
from erc_bench.files import write_atomically
from erc_bench.protocols.triplet import gold_positions, read_embeddings
from erc_bench.toolkit.prototypes import ClassStatistics, class_statistics, label_positions, squared_distances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erc_bench.contract.system import System
    from erc_bench.progress import Progress

PROTOCOL = "few-shot"
FEW_SHOT_FILE = "few_shot.json"
SHOTS = (1, 5, 20)
EPISODES = 50
SEED = 0


def check_withheld(label: str, labels: LabelSet) -> str:
    """The label, if it is an emotion of the label set.

    Raises
    ------
    UnknownNameError
        It is not: the neutral label cannot be withheld.
    """
    if label not in labels.emotions:
        raise UnknownNameError("a withheld label", label, labels.emotions)
    return label


def withhold(dialogues: Sequence[Dialogue], label: str) -> tuple[Dialogue, ...]:
    """The dialogues with every label `label` removed (None); texts and all other labels stay."""
    return tuple(
        replace(d, utterances=tuple(replace(u, label=None) if u.label == label else u for u in d.utterances))
        for d in dialogues
    )


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


class _Evidence(BaseModel):
    """Content of few_shot.json."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    dataset_fingerprint: str
    labels: list[str]
    withheld: str
    seed: int
    episodes: int
    confusions: dict[int, list[list[list[int]]]]
    corrected: dict[int, list[list[list[int]]]]


def write_evidence(
    folder: Path, dataset: Dataset, withheld: str, system: System[Any], progress: Progress
) -> FewShotCounts:
    """Embed the training split with a system that was trained without `withheld`, and keep the counts of all episodes.

    Reads the test embeddings of the run folder; training embeddings are not kept.
    """
    size, column = len(dataset.labels), dataset.labels.index(withheld)
    examples: list[NDArray[np.float32]] = []

    def blocks() -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
        unlabelled = [dialogue.without_labels() for dialogue in dataset.train]
        for dialogue, vectors in zip(dataset.train, system.embed(unlabelled, progress=progress), strict=True):
            positions = label_positions([u.label for u in dialogue.utterances], dataset.labels.names)
            examples.append(vectors[(positions == column) & ~np.isnan(vectors).any(axis=1)])
            yield vectors, positions

    seen = class_statistics(blocks(), size)
    vectors, gold = read_embeddings(folder, dataset), gold_positions(dataset)
    counts = few_shot_counts(vectors, gold, seen, np.concatenate(examples), withheld, dataset.labels)
    evidence = _Evidence(
        dataset_fingerprint=dataset.fingerprint,
        labels=list(dataset.labels.names),
        withheld=withheld,
        seed=SEED,
        episodes=EPISODES,
        confusions={shot: confusion.tolist() for shot, confusion in counts.confusions.items()},
        corrected={shot: confusion.tolist() for shot, confusion in counts.corrected.items()},
    )
    text = json.dumps(evidence.model_dump(), separators=(",", ":"))
    write_atomically(folder / FEW_SHOT_FILE, f"{text}\n".encode())
    return counts


def run_counts(folder: Path, dataset: Dataset, withheld: str | None) -> FewShotCounts:
    """The few-shot counts of a run made with `--withhold`.

    Parameters
    ----------
    withheld
        The label that the run's record says was withheld.

    Raises
    ------
    DataMissingError
        The run has none.
    DataCorruptError
        few_shot.json is damaged, or belongs to other data or to a run with another label withheld.
    """
    path = folder / FEW_SHOT_FILE

    def refuse(problem: str) -> DataCorruptError:
        return DataCorruptError(f"{path} must hold the counts of few-shot episodes, got {problem}. Make the run again.")

    try:
        evidence = _Evidence.model_validate_json(path.read_bytes())
        confusions, corrected = (
            {shot: np.array(counts, np.int64) for shot, counts in read.items()}
            for read in (evidence.confusions, evidence.corrected)
        )
    except FileNotFoundError:
        raise DataMissingError(
            f"{folder} must hold {FEW_SHOT_FILE}, got none. Make the run again with --overwrite."
        ) from None
    except (ValidationError, ValueError) as error:
        raise refuse(str(error).splitlines()[0]) from None
    given = (evidence.dataset_fingerprint, evidence.labels, evidence.seed, evidence.episodes)
    if given != (dataset.fingerprint, list(dataset.labels.names), SEED, EPISODES):
        raise refuse("those of other data or another version of the protocol")
    if evidence.withheld != withheld or withheld not in dataset.labels.emotions:
        raise refuse(f"those of {evidence.withheld!r}, where the run withheld {withheld!r}")
    size = len(dataset.labels)
    support = np.bincount(gold_positions(dataset), minlength=size)
    if set(confusions) != set(corrected):
        raise refuse("two readings of other episodes")
    for shot, confusion in [*confusions.items(), *corrected.items()]:
        right_shape = confusion.shape == (EPISODES, size, size + 1)
        if not right_shape or (confusion < 0).any() or (confusion.sum(axis=-1) != support).any():
            raise refuse(f"episodes of {shot} examples that do not count every test utterance once")
    return FewShotCounts(evidence.withheld, confusions, corrected)
