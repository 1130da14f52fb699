"""triplets.json: the outcomes of triplets, derived from embeddings that are too large to keep under version control."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.files import file_sha256, write_atomically
from erc_bench.protocols.triplet.counts import RESAMPLINGS, SEED, TIE, TripletCounts, triplet_counts
from erc_bench.protocols.views import gold_positions
from erc_bench.records.record import EMBEDDINGS_FILE

TRIPLETS_FILE = "triplets.json"


class _Evidence(BaseModel):
    """Content of triplets.json: counts derived from embeddings that are too large to keep under version control."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    derived_from: str = EMBEDDINGS_FILE
    embeddings_sha256: str
    dataset_fingerprint: str
    labels: list[str]
    seed: int
    tie: float
    vectors: int
    correct: list[list[list[int]]]
    ties: list[list[list[int]]]
    wrong: list[list[list[int]]]


def run_counts(folder: Path, dataset: Dataset, *, recompute: bool = False) -> TripletCounts:
    """The triplet outcomes of a run: from its triplets.json, else from its embeddings.

    With `recompute` the embeddings are read even if triplets.json is there: what `erc-bench verify` compares.

    Raises
    ------
    DataMissingError
        The run has neither, or no embeddings to recompute from.
    DataCorruptError
        triplets.json is damaged, contradicts itself, or belongs to other data or embeddings.
    """
    if (folder / TRIPLETS_FILE).is_file() and not recompute:
        return _read_evidence(folder, dataset)
    return triplet_counts(read_embeddings(folder, dataset), gold_positions(dataset), dataset.labels)


def write_evidence(folder: Path, dataset: Dataset) -> TripletCounts:
    """Derive triplets.json from the embeddings of a run: about 10 kB that its triplet scores follow from."""
    counts = run_counts(folder, dataset, recompute=True)
    evidence = _Evidence(
        embeddings_sha256=file_sha256(folder / EMBEDDINGS_FILE),
        dataset_fingerprint=dataset.fingerprint,
        labels=list(dataset.labels.names),
        seed=SEED,
        tie=TIE,
        vectors=counts.vectors,
        correct=counts.correct.tolist(),
        ties=counts.ties.tolist(),
        wrong=counts.wrong.tolist(),
    )
    text = json.dumps(evidence.model_dump(), separators=(",", ":"))
    write_atomically(folder / TRIPLETS_FILE, f"{text}\n".encode())
    return counts


def read_embeddings(folder: Path, dataset: Dataset) -> NDArray[np.float32]:
    """Embeddings of all test utterances of a run, float32 (utterances, dim), in dataset order.

    Raises
    ------
    DataMissingError
        The run has no embeddings.
    DataCorruptError
        The file is damaged or belongs to other dialogues.
    """
    path = folder / EMBEDDINGS_FILE
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            vectors, lengths = file["embeddings"], file["lengths"]
    except FileNotFoundError:
        raise DataMissingError(
            f"{folder} must hold {EMBEDDINGS_FILE} or {TRIPLETS_FILE} to be scored by triplets, got neither. "
            "Make the run again with --overwrite."
        ) from None
    except Exception as error:  # damaged bytes make zipfile, zlib and numpy raise a dozen unrelated errors
        raise DataCorruptError(
            f"{path} must hold embeddings, got {str(error) or type(error).__name__}. Make the run again with --overwrite."
        ) from None
    expected = [len(dialogue) for dialogue in dataset.test]
    if lengths.tolist() != expected or vectors.shape[:1] != (sum(expected),):
        raise DataCorruptError(
            f"{path} must hold one vector for each of the {sum(expected)} test utterances of {dataset.name}, got "
            f"{vectors.shape[0] if vectors.ndim else 0}. Make the run again with --overwrite."
        )
    return np.asarray(vectors, np.float32)


def _read_evidence(folder: Path, dataset: Dataset) -> TripletCounts:
    path = folder / TRIPLETS_FILE

    def refuse(problem: str) -> DataCorruptError:
        return DataCorruptError(f"{path} must hold the outcomes of triplets, got {problem}. Restore it or remove it.")

    try:
        evidence = _Evidence.model_validate_json(path.read_bytes())
        outcomes = np.array([evidence.correct, evidence.ties, evidence.wrong], np.int64)
    except (ValidationError, ValueError, OverflowError) as error:
        raise refuse(str(error).splitlines()[0]) from None
    size = len(dataset.labels)
    given: tuple[Any, ...] = (evidence.dataset_fingerprint, evidence.labels, evidence.seed, evidence.tie)
    if given != (dataset.fingerprint, list(dataset.labels.names), SEED, TIE):
        raise refuse("those of other data or another version of the protocol")
    if outcomes.shape != (3, RESAMPLINGS, size, size) or (outcomes < 0).any():
        raise refuse(f"counts of shape {outcomes.shape}")
    if (outcomes.sum(axis=(0, 2, 3)) != evidence.vectors).any():
        raise refuse(f"resamplings that do not count {evidence.vectors} triplets each")
    embeddings = folder / EMBEDDINGS_FILE
    if embeddings.is_file() and file_sha256(embeddings) != evidence.embeddings_sha256:
        raise refuse(f"those of another {EMBEDDINGS_FILE}")
    return TripletCounts(outcomes[0], outcomes[1], outcomes[2], evidence.vectors)
