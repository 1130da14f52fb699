"""Which test utterances stand in the corpus that a run was trained on: `seen.json`, without a word of either corpus."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from erc_bench.contract.domain import Dataset, Target, targets_of
from erc_bench.errors import DataCorruptError, DataMissingError, StorageError
from erc_bench.files import storage_errors, write_atomically

SEEN_FILE = "seen.json"


class _Seen(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    dataset: str
    trained_on: str
    utterances: dict[str, list[int]]


def write_seen(folder: Path, dataset: Dataset, fingerprint: str, seen: Collection[Target]) -> None:
    """Keep the test utterances of a dataset that stand in the training corpus of a fingerprint."""
    turns: dict[str, list[int]] = {}
    for target in targets_of(dataset.test):
        if target in seen:
            turns.setdefault(target.dialogue, []).append(target.turn)
    content = {"dataset": dataset.fingerprint, "trained_on": fingerprint, "utterances": turns}
    write_atomically(folder / SEEN_FILE, json.dumps(content, separators=(",", ":")).encode() + b"\n")


def read_seen(folder: Path, dataset: Dataset, fingerprint: str) -> frozenset[Target]:
    """The test utterances that the run in a folder has seen, trained on the corpus of a fingerprint.

    Raises
    ------
    DataMissingError
        The file is not there.
    DataCorruptError
        It is malformed, of other corpora, or names an utterance that the test split lacks.
    """
    path = folder / SEEN_FILE
    try:
        with storage_errors(path):
            content = _Seen.model_validate_json(path.read_bytes())
    except StorageError:
        if path.exists():
            raise
        raise DataMissingError(
            f"{folder} must hold {SEEN_FILE}, got none. Make the run again with --overwrite."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataCorruptError(f"{path} must list seen utterances, got: {first['msg']}. Restore it.") from None
    found = frozenset(Target(dialogue, turn) for dialogue, turns in content.utterances.items() for turn in turns)
    if (content.dataset, content.trained_on) != (dataset.fingerprint, fingerprint):
        raise DataCorruptError(f"{path} must be of the corpora that run.json names, got others. Restore it.")
    if not found <= set(targets_of(dataset.test)):
        raise DataCorruptError(f"{path} must name test utterances of {dataset.name}, got others. Restore it.")
    return found
