"""Downloading a dataset: mirrors in turn, every split checked, all or nothing.

The archives are small enough to be checked in memory. They are then written to a temporary folder beside the target,
which becomes the target by one rename: whatever stands at the target was complete when it got there. The operating
system releases the lock of a process that is killed; the next download removes what it left behind.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.contract.domain import DAILYDIALOG_LABELS, SPLITS, Split
from erc_bench.data.archives import split_archives, split_from_archive
from erc_bench.data.dailydialog import parse_split
from erc_bench.data.load import inspect_dataset
from erc_bench.data.locate import BUNDLED, DATA_DIR_VARIABLE, place_of
from erc_bench.data.manifest import Manifest, Mirror, SplitFacts, measure_split, package_manifest
from erc_bench.errors import DataCorruptError, DataError, DataMissingError
from erc_bench.paths import download_dir
from erc_bench.progress import Progress

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
CHUNK_BYTES = 1 << 16
# a server that never stops sending must not fill the disk; the official release has 4.5 MB
MAX_BYTES = 64 << 20


def download(
    name: str,
    *,
    progress: Progress,
    mirrors: Sequence[Mirror] | None = None,
    force: bool = False,
    attempts: int = 3,
    pause: float = 0.5,
    manifest: Manifest | None = None,
) -> Path:
    """Download a dataset into its folder and return the folder; a complete copy there is kept unless `force`.

    `mirrors` replaces those of the manifest. A connection that breaks is tried again, `attempts` times in all,
    after `pause` seconds and twice as many each time more.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataMissingError
        No mirror had it; the message says why for each.
    DataError
        The folder cannot be written.
    """
    manifest = manifest or package_manifest()
    facts = manifest.facts(name)
    if name == BUNDLED:
        progress.note(f"{name} comes with erc-bench: nothing to download")
        return place_of(name).folder
    target = download_dir(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target, progress):
            _remove_leftovers(target)
            if not force and _is_complete(name, target, manifest, progress):
                return target
            fetch = partial(_fetch, progress=progress, attempts=attempts, pause=pause)
            failures = []
            for mirror in facts.mirrors if mirrors is None else mirrors:
                try:
                    archives = _archives(mirror, fetch)
                    official = [
                        check_archive(archives[split], split, facts.splits[split], f"{split}.zip") for split in SPLITS
                    ]
                except DataError as error:
                    failures.append(f"{mirror.name} ({mirror.url}): {error}")
                    progress.note(f"failed: {failures[-1]}")
                    continue
                if not all(official):
                    progress.note(f"{mirror.name} has repacked archives: their content is the official one")
                _install(archives, target)
                return target
    except OSError as error:
        raise DataError(
            f"{target} must be writable, got: {error.strerror or error}. Free some space, or name another folder with "
            "ERC_BENCH_HOME."
        ) from error
    raise DataMissingError(
        "\n".join(
            [
                f"one of the {len(failures)} mirrors of {name} must have the official release, but:",
                *(f"- {failure}" for failure in failures),
                f"Try again later, give a mirror with --url, or get it elsewhere ({facts.link}) and name the folder that "
                f"holds it with --data-dir or {DATA_DIR_VARIABLE}.",
            ]
        )
    )


def check_archive(archive: bytes, split: Split, facts: SplitFacts, where: str) -> bool:
    """Check one split's archive; True for the official one, False for a repacked one with the same content.

    Raises
    ------
    DataCorruptError
        The content is another, or cannot be read.
    """
    digest = hashlib.sha256(archive).hexdigest()
    if digest == facts.archive_sha256:
        return True
    expected = f"{where} must have the SHA-256 {facts.archive_sha256}, or the same content, got {digest}"
    try:
        dialogues, problems = parse_split(split_from_archive(archive, split, where))
    except DataCorruptError as error:
        raise DataCorruptError(f"{expected}: {error}") from None
    measured = measure_split(DAILYDIALOG_LABELS, split, dialogues)
    if problems or measured.fingerprint != facts.fingerprint:
        reason = problems[0] if problems else f"its {measured.utterances:,} utterances or their labels differ."
        raise DataCorruptError(f"{expected}: {reason}")
    return False


def _is_complete(name: str, target: Path, manifest: Manifest, progress: Progress) -> bool:
    if not target.exists():
        return False
    try:
        inspection = inspect_dataset(name, data_dir=target, manifest=manifest)
    except DataMissingError as error:
        progress.note(f"downloading again: {error}")
        return False
    if inspection.dataset is None:
        progress.note(f"downloading again, the copy in {target} is damaged: {inspection.problems[0]}")
        return False
    progress.note(f"already downloaded: {target}")
    return True


def _archives(mirror: Mirror, fetch: Callable[[str], bytes]) -> dict[Split, bytes]:
    if mirror.single:
        return split_archives(fetch(mirror.url), mirror.url)
    return {split: fetch(mirror.split_url(split)) for split in SPLITS}


def _install(archives: Mapping[Split, bytes], target: Path) -> None:
    folder = _temporary(target)
    try:
        for split, archive in archives.items():
            (folder / f"{split}.zip").write_bytes(archive)
        folder.chmod(0o755)  # mkdtemp makes it private
        if target.exists():
            target.rename(_temporary(target) / "replaced")
        folder.rename(target)
    finally:
        _remove_leftovers(target)


def _temporary(target: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))


def _remove_leftovers(target: Path) -> None:
    for leftover in target.parent.glob(f".{target.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _lock(target: Path, progress: Progress) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(target.parent / f".{target.name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        progress.note(f"waiting for another download of {target.name}")
        lock.acquire()
    try:
        yield
    finally:
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
