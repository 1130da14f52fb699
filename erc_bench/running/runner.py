"""Making one run, or finishing it where an earlier process left it."""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path

from erc_bench.contract.config import private_texts
from erc_bench.errors import DataError, ErcBenchError, SystemFailedError, UsageError
from erc_bench.files import REFUSALS, storage_error, utf8
from erc_bench.progress import PrintedBySystem, Progress
from erc_bench.records.record import RUN_FILE, Run, RunRecord, read_record, run_folder, write_record
from erc_bench.running.execution import Execution, end_copies
from erc_bench.running.folder import ERROR_FILE, empty, exclusive, remake_folder, swap_in
from erc_bench.running.request import (
    RunOutcome,
    RunRequest,
    check_train_subset,
    check_transfer,
    check_withheld,
    new_record,
)
from erc_bench.running.stored import stored
from erc_bench.shown import masked, on_one_line

__all__ = ["RunOutcome", "RunRequest", "execute"]


def execute(request: RunRequest, progress: Progress) -> RunOutcome:
    """Make a run, or finish it where an earlier process left it; wait where another process is making it.

    With `overwrite` a complete run stays where it is until the new one is complete, and takes its place then.

    Raises
    ------
    SystemFailedError
        The system failed; its record says so, and what it had predicted is kept for the next attempt.
    StorageError
        The disk, or the bucket that the record belongs in, cannot be read or written.
    """
    check_withheld(request)
    check_train_subset(request)
    check_transfer(request)
    record = _first_record(request)
    folder = run_folder(request.results, record)
    with exclusive(folder, progress), stored(request.bucket, folder, progress):
        earlier = _earlier(folder, record, overwrite=request.overwrite)
        complete = earlier is not None and earlier.status == "complete"
        if earlier is not None and complete and not request.overwrite:
            _note_other_code(earlier, record, folder, progress)
            return RunOutcome(Run(folder, earlier), already_complete=True)
        if request.overwrite and not complete:
            empty(folder)
        place = remake_folder(folder) if complete else folder
        _continue_or_begin(place, record, progress)
        _run(request, place, record, progress)
        if complete:
            swap_in(folder)
    return RunOutcome(Run(folder, record), already_complete=False)


def give_up(request: RunRequest, why: str, progress: Progress) -> None:
    """Let the record of a run whose process died say so, and remove what that process left half written."""
    folder = run_folder(request.results, _first_record(request))
    for place in (remake_folder(folder), folder):
        if not (place / RUN_FILE).is_file():
            continue
        with contextlib.suppress(DataError), exclusive(folder, progress, patient=False):
            record = read_record(place)
            if record.status == "running":
                record.status, record.error = "failed", why
                write_record(place, record)
        return


def _first_record(request: RunRequest) -> RunRecord:
    """The record of a run that starts now; what a system says of itself may be anything."""
    try:
        return new_record(request)
    except (ValueError, TypeError, AttributeError) as error:
        raise SystemFailedError(
            f"what the system {request.system.info.name} says of itself must fit a run record, got "
            f"{on_one_line(error, 300)}. Report it to its authors."
        ) from error


def _earlier(folder: Path, record: RunRecord, *, overwrite: bool) -> RunRecord | None:
    """The record in a folder, of a run on the same data unless it is to be overwritten."""
    if not (folder / RUN_FILE).is_file():
        return None
    try:
        earlier = read_record(folder)
    except DataError:
        if overwrite:
            return None
        raise
    for was, now in zip(_fingerprints(earlier), _fingerprints(record), strict=True):
        if not overwrite and was != now:
            raise UsageError(
                f"the run in {folder} was made on data with fingerprint {was[:12]}…, the data given now has {now[:12]}…. Use "
                "--overwrite or another --results-dir."
            )
    return earlier


def _fingerprints(record: RunRecord) -> tuple[str, str]:
    """Of the data that a run is tested on, and of the other corpus that it is trained on, if it is."""
    return record.dataset_fingerprint, record.trained_on.fingerprint if record.trained_on else ""


def other_code(earlier: RunRecord, record: RunRecord) -> bool:
    """Whether a system's code was edited since; False where a record of an older version does not tell."""
    return bool(earlier.code) and earlier.code.get("sha256") != record.code.get("sha256")


def _note_other_code(earlier: RunRecord, record: RunRecord, folder: Path, progress: Progress) -> None:
    if other_code(earlier, record):
        progress.note(
            f"{record.title}, seed {record.seed}: the code of {record.system} was edited since the complete run in {folder} "
            f"was made (by {earlier.code.get('distribution', 'a system without a distribution')}). It is kept as it is; "
            "--overwrite makes it again."
        )


def _continue_or_begin(place: Path, record: RunRecord, progress: Progress) -> None:
    """Leave in a folder only what can be continued: a part of the same run, on the same data, by the same code."""
    if (place / RUN_FILE).is_file():
        unfinished = _earlier(place, record, overwrite=True)
        if unfinished is None or _fingerprints(unfinished) != _fingerprints(record):
            empty(place)
        elif other_code(unfinished, record):
            progress.note(f"{record.title}: the code of {record.system} was edited, so the run begins anew")
            empty(place)
        else:
            record.started = unfinished.started
    place.mkdir(parents=True, exist_ok=True)
    (place / ERROR_FILE).unlink(missing_ok=True)
    write_record(place, record)


def _run(request: RunRequest, place: Path, record: RunRecord, progress: Progress) -> None:
    progress.note(f"Running {record.title} on {record.dataset}, seed {record.seed}")
    home = os.getpid()
    try:
        with contextlib.redirect_stdout(PrintedBySystem()):
            Execution(request, place, record, progress).run()
    except KeyboardInterrupt:
        write_record(place, record)
        raise
    except BaseException as error:
        end_copies(home)
        secrets = private_texts(request.config)
        record.status, record.error = "failed", masked(f"{type(error).__name__}: {error}", secrets)
        write_record(place, record)
        (place / ERROR_FILE).write_bytes(utf8(masked(traceback.format_exc(), secrets)))
        if isinstance(error, ErcBenchError):
            raise
        if isinstance(error, OSError) and error.errno in REFUSALS:
            raise storage_error(error) from error
        raise SystemFailedError(
            f"the system {record.system} failed with {on_one_line(record.error, 500)}. Where, "
            f"says {place / ERROR_FILE}. What it had finished "
            "is kept; the same command resumes there."
        ) from error
