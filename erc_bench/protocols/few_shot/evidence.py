"""few_shot.json: the confusion counts of all episodes of a run that was trained without a label."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.files import write_atomically
from erc_bench.protocols.few_shot.episodes import EPISODES, SEED, FewShotCounts, few_shot_counts
from erc_bench.protocols.triplet.evidence import read_embeddings
from erc_bench.protocols.views import gold_positions
from erc_bench.toolkit.prototypes import class_statistics, label_positions

if TYPE_CHECKING:
    from erc_bench.contract.system import System
    from erc_bench.progress import Progress

FEW_SHOT_FILE = "few_shot.json"


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
    except (ValidationError, ValueError, OverflowError) as error:
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
