"""Downloading a dataset: mirrors in turn, every split checked, all or nothing.

What a mirror sends is written to a temporary folder beside the target, read from there as it would be later, and becomes
the target by one rename: whatever stands at the target was complete when it got there. The operating system releases the
lock of a process that is killed; the next download removes what it left behind.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.contract.domain import SPLITS, Split
from erc_bench.data.archives import members
from erc_bench.data.load import inspect_dataset, split_problems
from erc_bench.data.registry import dataset_spec
from erc_bench.data.spec import DatasetSpec, Mirror, measure_split
from erc_bench.errors import DataCorruptError, DataError, DataMissingError, UsageError
from erc_bench.files import file_sha256
from erc_bench.paths import DATA_DIR_VARIABLE, download_dir
from erc_bench.progress import Progress

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
CHUNK_BYTES = 1 << 16
# a server that never stops sending must not fill the disk; the largest official release has 6.9 MB
MAX_BYTES = 64 << 20


def download(
    dataset: str | DatasetSpec,
    *,
    progress: Progress,
    mirrors: Sequence[Mirror] | None = None,
    force: bool = False,
    attempts: int = 3,
    pause: float = 0.5,
) -> Path:
    """Download a dataset into its folder and return the folder; a complete copy there is kept unless `force`.

    `mirrors` replaces those of its spec. A connection that breaks is tried again, `attempts` times in all,
    after `pause` seconds and twice as many each time more.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    UsageError
        The dataset cannot be downloaded; the message says where to get it.
    DataMissingError
        No mirror had it; the message says why for each.
    DataError
        The folder cannot be written.
    """
    spec = dataset if isinstance(dataset, DatasetSpec) else dataset_spec(dataset)
    if spec.fixed is not None:
        progress.note(f"{spec.name} is there already, by {spec.fixed_by}: nothing to download")
        return spec.fixed
    wanted = spec.mirrors if mirrors is None else mirrors
    if not wanted or not spec.files:
        raise UsageError(
            f"{spec.name} must be got by hand, erc-bench cannot download it. {spec.how_to_get or spec.link} Then name the "
            f"folder that holds it with --data-dir or {DATA_DIR_VARIABLE}."
        )
    target = download_dir(spec.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target, progress):
            _remove_leftovers(target)
            if not force and _is_complete(spec, target, progress):
                return target
            fetch = partial(_fetch, progress=progress, attempts=attempts, pause=pause)
            try:
                failures = _try_all(spec, wanted, target, fetch, progress)
            finally:
                _remove_leftovers(target)
    except OSError as error:
        raise DataError(
            f"{target} must be writable, got: {error.strerror or error}. Free some space, or name another folder with "
            "ERC_BENCH_HOME."
        ) from error
    if failures is not None:
        raise _nowhere(spec, failures)
    return target


def _nowhere(spec: DatasetSpec, failures: Sequence[object]) -> DataMissingError:
    return DataMissingError(
        "\n".join(
            [
                f"one of the {len(failures)} mirrors of {spec.name} must have the official release, but:",
                *(f"- {failure}" for failure in failures),
                f"Try again later, give a mirror with --url, or get it elsewhere ({spec.link}) and name the folder that "
                f"holds it with --data-dir or {DATA_DIR_VARIABLE}.",
            ]
        )
    )


def _try_all(
    spec: DatasetSpec, mirrors: Sequence[Mirror], target: Path, fetch: Callable[[str], bytes], progress: Progress
) -> list[str] | None:
    """Install from the first mirror that has the official release; None when one did, else why each did not."""
    failures = []
    for mirror in mirrors:
        try:
            files = _files(spec, mirror, fetch)
            staged = _stage(files, target)
            official = [check_split(spec, staged, split) for split in SPLITS]
        except DataError as error:
            failures.append(f"{mirror.name} ({mirror.url}): {error}")
            progress.note(f"failed: {failures[-1]}")
            continue
        if not all(official):
            progress.note(f"{mirror.name} has other files than the official ones: their content is the same")
        _install(staged, target)
        return None
    return failures


def check_split(spec: DatasetSpec, folder: Path, split: Split) -> bool:
    """Check what was downloaded of a split; True for the official file, False for another with the same content.

    Raises
    ------
    DataCorruptError
        The content is another, or cannot be read.
    """
    file = folder / spec.files[split]
    digest = file_sha256(file)
    official = spec.facts.splits[split].file_sha256 if spec.facts else None
    if digest == official:
        return True
    expected = f"{file.name} must have the SHA-256 {official}, or the same content, got {digest}"
    try:
        reading = spec.read(folder, split)
    except DataError as error:
        raise DataCorruptError(f"{expected}: {error}".replace(f"{folder}/", "")) from None
    problems = reading.problems or split_problems(spec, split, measure_split(spec.labels, split, reading.dialogues))
    if problems:
        raise DataCorruptError(f"{expected}: {problems[0]}".replace(f"{folder}/", ""))
    return official is None


def _is_complete(spec: DatasetSpec, target: Path, progress: Progress) -> bool:
    if not target.exists():
        return False
    try:
        inspection = inspect_dataset(spec, data_dir=target)
    except DataMissingError as error:
        progress.note(f"downloading again: {error}")
        return False
    if inspection.dataset is None:
        progress.note(f"downloading again, the copy in {target} is damaged: {inspection.problems[0]}")
        return False
    progress.note(f"already downloaded: {target}")
    return True


def _files(spec: DatasetSpec, mirror: Mirror, fetch: Callable[[str], bytes]) -> dict[str, bytes]:
    names = list(dict.fromkeys(spec.files.values()))
    if mirror.single:
        return members(fetch(mirror.url), names, mirror.url)
    return {name: fetch(mirror.file_url(name)) for name in names}


def _stage(files: Mapping[str, bytes], target: Path) -> Path:
    folder = _temporary(target)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _install(staged: Path, target: Path) -> None:
    staged.chmod(0o755)  # mkdtemp makes it private
    if target.exists():
        target.rename(_temporary(target) / "replaced")
    staged.rename(target)


def _temporary(target: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))


def _remove_leftovers(target: Path) -> None:
    for leftover in target.parent.glob(f".{target.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _lock(target: Path, progress: Progress) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path = target.parent / f".{target.name}.lock"
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        progress.note(f"waiting for another download of {target.name}")
        lock.acquire()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: whoever waits notices and makes a new one
        lock.release()


def _fetch(url: str, *, progress: Progress, attempts: int, pause: float) -> bytes:
    import requests

    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            return _fetch_once(url, progress)
        except requests.RequestException as error:
            reason = _reason(error)
            # a wrong address (ValueError) or a refusal will not change by asking again
            refused = error.response is not None and error.response.status_code in range(400, 500)
            if refused or isinstance(error, ValueError):
                break
            progress.note(f"attempt {attempt + 1} of {attempts} at {url}: {reason}")
    raise DataMissingError(f"{url.rpartition('/')[2] or url} must be there, got: {reason}.")


def _fetch_once(url: str, progress: Progress) -> bytes:
    import requests

    with requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
        response.raise_for_status()
        size = int(response.headers.get("Content-Length", 0)) or None
        received = bytearray()
        with progress.task(f"downloading {url.rpartition('/')[2]}", total=size, unit="bytes") as task:
            for chunk in response.iter_content(CHUNK_BYTES):
                received += chunk
                task.advance(len(chunk))
                if len(received) > MAX_BYTES:
                    raise DataCorruptError(f"{url} must have at most {MAX_BYTES:,} bytes, got more.")
        return bytes(received)


def _reason(error: requests.RequestException) -> str:
    import requests

    if error.response is not None:
        return f"the server's answer {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {READ_SECONDS if isinstance(error, requests.ReadTimeout) else CONNECT_SECONDS:.0f} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "a connection that broke before the end"
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return str(cause).rpartition("): ")[2] or type(error).__name__
