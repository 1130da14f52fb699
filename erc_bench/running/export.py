"""Copies of run records that can be published: labels and scores, no text, no weights, no paths of this machine."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from erc_bench.errors import DataCorruptError, UsageError
from erc_bench.files import remove_leftovers, write_atomically
from erc_bench.protocols.registry import evidence_files
from erc_bench.records.predictions import (
    PACKED_FILE,
    PREDICTIONS_FILE,
    packed,
    predictions_path,
    predictions_sha256,
    published_bytes,
    read_predictions,
)
from erc_bench.records.record import Run, RunRecord, run_folder, write_record

# A path inside a longer text, from the root on and at least two names deep; addresses of the web are none.
PATH_IN_TEXT = re.compile(r"(?:file:/*(?=/)|(?<![\w.:/]))(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\\"'`,;:()<>|]+){2,}[/\\]?")


def export_run(run: Run, to: Path, *, scores: bool = True) -> Run:
    """Copy a complete run below `to`, in the same layout, and return the copy.

    Predictions keep dialogue, turn, label and, unless `scores` is False, scores of three significant digits, and are
    compressed. In the record, absolute paths are reduced to their last name, and `predictions_sha256` is that of the new
    lines.

    Raises
    ------
    UsageError
        The run is not complete, or the copy would replace it.
    DataCorruptError
        Its predictions are not those it finished with.
    """
    if run.record.status != "complete":
        raise UsageError(f"a run must be complete to be exported, got status {run.record.status!r} in {run.folder}.")
    predictions = read_predictions(run.folder)
    if predictions_sha256(run.folder) != run.record.predictions_sha256:
        raise DataCorruptError(
            f"{predictions_path(run.folder)} must be what its run.json says, got another SHA-256: it was altered. Make the "
            "run again with --overwrite."
        )
    folder = run_folder(to, run.record)
    if folder.resolve() == run.folder.resolve():
        raise UsageError(f"--to must be another folder than the run's own, got {to}.")
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    lines = published_bytes(predictions.values(), scores=scores)
    (folder / PREDICTIONS_FILE).unlink(missing_ok=True)  # of a copy that an earlier version made
    write_atomically(folder / PACKED_FILE, packed(lines))
    for name in evidence_files():
        if (run.folder / name).is_file():
            write_atomically(folder / name, (run.folder / name).read_bytes())
    record = RunRecord.model_validate(without_paths(run.record.model_dump()))
    record.predictions_sha256 = hashlib.sha256(lines).hexdigest()
    write_record(folder, record)
    return Run(folder, record)


def without_paths(value: Any) -> Any:
    """The same JSON value with every absolute path in its texts reduced to its last name."""
    if isinstance(value, dict):
        return {name: without_paths(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    return _text_without_paths(value) if isinstance(value, str) else value


def _text_without_paths(text: str) -> str:
    if PurePosixPath(text).is_absolute():
        return PurePosixPath(text).name
    if PureWindowsPath(text).is_absolute():
        return PureWindowsPath(text).name
    return PATH_IN_TEXT.sub(lambda match: re.split(r"[/\\]", match.group().rstrip("/\\"))[-1], text)
