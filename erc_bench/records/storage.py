"""Results in a bucket: runs are sent there whole, and read from a copy on this machine.

A bucket holds what a results folder holds, `URL/DATASET/SYSTEM/CONFIGHASH/seed-N/…`. A run is made in the copy and sent when
it is complete, run.json last: a run without it is not there. The copy keeps the ETag of every file beside the run, and
fetches what has another one; models and embeddings, which no board needs, are sent and not fetched.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import filelock

from erc_bench.errors import ErcBenchError, MissingDependencyError, StorageError, UsageError
from erc_bench.files import write_atomically
from erc_bench.paths import cache_dir
from erc_bench.progress import Progress, SilentProgress
from erc_bench.records.record import EMBEDDINGS_FILE, MODEL_FOLDER, RUN_FILE

TAGS_FILE = ".sent.json"
COPIES = "buckets"
PARTS_OF_A_RUN = 4  # DATASET/SYSTEM/CONFIGHASH/seed-N
Tags = Mapping[str, str]
"""ETags by path below a run."""


def is_remote(place: str | Path) -> bool:
    """Whether a place of results is a URL, and not a folder."""
    return isinstance(place, str) and "://" in place


def local_copy(place: str | Path, progress: Progress | None = None) -> Path:
    """A folder as it is; of a bucket the copy on this machine, with all complete runs that are there now.

    Raises
    ------
    StorageError, UsageError, MissingDependencyError
        As `Bucket.fetch`.
    """
    return Bucket(str(place)).fetch(progress) if is_remote(place) else Path(place)


def is_copy(folder: Path) -> bool:
    """Whether a folder is the copy of a bucket, which is no place to write anything else to."""
    return folder.is_relative_to(cache_dir() / COPIES)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Results at a URL that fsspec reads, such as `s3://bucket/prefix`."""

    url: str

    @property
    def folder(self) -> Path:
        """The copy on this machine."""
        return cache_dir() / COPIES / hashlib.sha256(self.url.rstrip("/").encode()).hexdigest()[:16]

    def url_of(self, run: Path) -> str:
        """Where a run folder of the copy lies in the bucket."""
        return f"{self.url.rstrip('/')}/{self._name(run)}"

    def check(self) -> None:
        """Write to the bucket and remove it again, so that no run is made which could not be sent.

        Raises
        ------
        StorageError, UsageError, MissingDependencyError
            As `fetch`.
        """
        with self._opened() as (fs, root):
            path = f"{root}/.writable-{secrets.token_hex(8)}"
            fs.pipe_file(path, b"erc-bench")
            fs.rm_file(path)

    def fetch(self, progress: Progress | None = None, *, only: Collection[Path] | None = None) -> Path:
        """Let the copy have what the bucket has, all runs or those of some folders, and return the copy.

        What was never sent stays as it is, and so does a run that this machine is making.

        Raises
        ------
        StorageError
            The bucket cannot be read.
        UsageError
            No such kind of URL.
        MissingDependencyError
            The package that reads this kind of URL is not installed.
        """
        runs = self._runs()
        here = {self._name(path.parent) for path in self.folder.glob(f"*/*/*/seed-*/{TAGS_FILE}")}
        names = here | runs.keys() if only is None else {self._name(folder) for folder in only}
        changed = sorted(name for name in names if self._is_other(name, runs.get(name)))
        if changed:
            with (progress or SilentProgress()).task(f"Fetching {self.url}", total=len(changed), unit="runs") as task:
                for name in changed:
                    with _held(self.folder / name) as mine:
                        if mine:
                            self._replace(name, runs.get(name))
                    task.advance()
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    def pull(self, run: Path) -> None:
        """As `fetch` for one run folder of the copy, whose lock the caller holds."""
        name = self._name(run)
        there = self._runs(name).get(name)
        if self._is_other(name, there):
            self._replace(name, there)

    def push(self, run: Path, progress: Progress) -> None:
        """Send a complete run, unless the bucket has it; the caller holds its lock."""
        if (run / TAGS_FILE).is_file():
            return
        name = self._name(run)
        paths = [path for path in sorted(run.rglob("*")) if path.is_file() and not path.name.startswith(".")]
        files = {path.relative_to(run).as_posix(): path for path in paths}
        with self._opened() as (fs, root), progress.task(f"Sending to {self.url}", len(files), "files") as task:
            place = f"{root}/{name}"
            earlier = self._listed(fs, root, name)
            if f"{name}/{RUN_FILE}" in earlier:
                fs.rm_file(f"{place}/{RUN_FILE}")  # what is half replaced is not there
            for path in sorted(files, key=lambda path: path == RUN_FILE):
                fs.put_file(str(files[path]), f"{place}/{path}")
                task.advance()
            for old in earlier.keys() - {f"{name}/{path}" for path in files}:
                fs.rm_file(f"{root}/{old}")
        _write_tags(run, self._runs(name)[name])

    def push_error(self, file: Path) -> None:
        """Send the file that says why a run failed."""
        with self._opened() as (fs, root):
            fs.put_file(str(file), f"{root}/{self._name(file.parent)}/{file.name}")

    def _name(self, run: Path) -> str:
        return run.relative_to(self.folder).as_posix()

    def _is_other(self, name: str, there: Tags | None) -> bool:
        return _read_tags(self.folder / name) != there if there else (self.folder / name / TAGS_FILE).is_file()

    def _replace(self, name: str, there: Tags | None) -> None:
        """Put in a run's place what the bucket has, which may be nothing."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        if not there:
            return
        with self._opened() as (fs, root):
            for path in sorted(filter(_is_read, there), key=lambda path: path == RUN_FILE):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                fs.get_file(f"{root}/{name}/{path}", str(folder / path))
        _write_tags(folder, there)

    def _runs(self, below: str = "") -> dict[str, dict[str, str]]:
        """The complete runs in the bucket: their files with ETags."""
        with self._opened() as (fs, root):
            listed = self._listed(fs, root, below)
        runs: dict[str, dict[str, str]] = defaultdict(dict)
        for path, tag in listed.items():
            parts = PurePosixPath(path).parts
            if len(parts) > PARTS_OF_A_RUN and parts[3].startswith("seed-") and not {"..", TAGS_FILE} & set(parts):
                runs["/".join(parts[:PARTS_OF_A_RUN])]["/".join(parts[PARTS_OF_A_RUN:])] = tag
        return {name: files for name, files in runs.items() if RUN_FILE in files}

    def _listed(self, fs: Any, root: str, below: str) -> dict[str, str]:
        fs.invalidate_cache()
        found = fs.find(f"{root}/{below}".rstrip("/"), detail=True)
        return {PurePosixPath(path).relative_to(root).as_posix(): _tag(info) for path, info in found.items()}

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, str]]:
        """The file system of the URL and the path on it; whatever it raises inside says what cannot be read or written."""
        from fsspec.core import url_to_fs

        try:
            fs, root = url_to_fs(self.url)
        except ImportError as error:
            raise MissingDependencyError(
                "s3fs" if self.url.startswith("s3:") else str(error),
                needed_for=self.url,
                install="pip install 'erc-bench[s3]'",
            ) from None
        except ValueError as error:
            raise UsageError(
                f"results must lie in a folder or at a URL such as s3://bucket/prefix, got {self.url!r}: {error}."
            ) from None
        try:
            yield fs, str(root).rstrip("/")
        except ErcBenchError:
            raise
        except Exception as error:
            raise StorageError(
                f"{self.url} must be readable and writable, got {type(error).__name__}: {error}. Check the bucket and the "
                "credentials, then run the same command again."
            ) from error


def _is_read(path: str) -> bool:
    return path != EMBEDDINGS_FILE and not path.startswith(f"{MODEL_FOLDER}/")


def _tag(info: Mapping[str, Any]) -> str:
    """What tells contents apart; not every kind of storage has ETags."""
    return str(info.get("ETag") or [info.get("size"), str(info.get("created") or info.get("mtime"))])


def _read_tags(folder: Path) -> object:
    try:
        return json.loads((folder / TAGS_FILE).read_bytes())
    except (OSError, ValueError):
        return None


def _write_tags(folder: Path, tags: Tags) -> None:
    write_atomically(folder / TAGS_FILE, json.dumps(tags, sort_keys=True).encode())


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """The lock of a run folder, as `running.folder.exclusive` takes it; False where another process has it."""
    path = folder.with_name(f".{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        lock.release()
