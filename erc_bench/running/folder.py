"""The folder of one run: one writer at a time, nothing left behind, a complete run replaced by a complete one only."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from erc_bench.errors import StorageError
from erc_bench.progress import Progress
from erc_bench.records.record import MODEL_FOLDER

ERROR_FILE = "error.txt"
UNFINISHED_MODEL = f"{MODEL_FOLDER}.unfinished"
TEMPORARY = (".*.tmp", ".*.npz", ".lock")  # what a process that was killed while writing leaves


@contextmanager
def exclusive(folder: Path, progress: Progress, *, patient: bool = True) -> Iterator[None]:
    """Hold a run's folder; where another process holds it, say so and wait until it is done or dead.

    One that is not patient raises `StorageError` instead. Inside, what a killed process left half replaced is whole again,
    and its temporary files are gone.
    """
    path = folder.with_name(f".{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if not patient:
            raise StorageError(f"{folder} must be free, got another process that is making the run there.") from None
        progress.note(f"Waiting for another process that is making the run in {folder}")
        lock.acquire()
    try:
        _recover(folder)
        for place in (folder, remake_folder(folder)):
            _remove_leftovers(place)
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: whoever waits notices and makes a new one
        lock.release()


def remake_folder(folder: Path) -> Path:
    """Where a complete run is made again, beside its folder."""
    return folder.with_name(f".{folder.name}.remake")


def _replaced_folder(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def swap_in(folder: Path) -> None:
    """Let the run that was made again take the place of the earlier one."""
    replaced = _replaced_folder(folder)
    folder.rename(replaced)
    remake_folder(folder).rename(folder)
    shutil.rmtree(replaced)


def _recover(folder: Path) -> None:
    """Finish what `swap_in` began in a process that was killed."""
    replaced = _replaced_folder(folder)
    if not replaced.is_dir():
        return
    if not folder.exists():
        remade = remake_folder(folder)
        (remade if remade.is_dir() else replaced).rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    if not folder.is_dir():
        return
    for pattern in TEMPORARY:
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / UNFINISHED_MODEL, ignore_errors=True)


def empty(folder: Path) -> None:
    """Remove a run's folder with all that is in it, and make it anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
