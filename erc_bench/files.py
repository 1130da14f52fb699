"""Files that are whole or not there, and the names of their contents.

What is being written has the name `.NAME.HOST.PID.TOKEN.tmp` beside its place, so that a process that was killed
leaves nothing that could be taken for a result, and `remove_leftovers` can tell whose it was.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from erc_bench.errors import StorageError

# Process numbers mean nothing on another machine, which may share the folder.
HOST = hashlib.sha256(platform.node().encode("utf-8", "replace")).hexdigest()[:8]
# The second and third form are those of the first version: .NAME.PID.tmp and .PID.npz.
TEMPORARY = re.compile(
    r"\..+\.(?P<host>[0-9a-f]{8})\.(?P<pid>[0-9]{1,10})\.[0-9a-f]{8}\.tmp|\..+\.(?P<old>[0-9]{1,10})\.tmp|\.(?P<npz>[0-9]{1,10})\.npz"
)
ABANDONED_SECONDS = 24 * 3600
MAX_DEPTH = 100
ADVICE = {
    errno.ENOSPC: "Free some space, then run the same command again.",
    errno.EDQUOT: "Free some space, then run the same command again.",
    errno.EROFS: "Name a folder on a disk that can be written to.",
    errno.EACCES: "Name a folder that you may write to, or change its permissions.",
    errno.EPERM: "Name a folder that you may write to, or change its permissions.",
}


# What the disk or the folder is to blame for. A file that is not there may be our own mistake, and is not among them.
REFUSALS = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EIO", "ESTALE"),
        *("EROFS", "EACCES", "EPERM", "EEXIST", "EISDIR", "ENOTDIR", "ENAMETOOLONG", "EMFILE", "ENFILE"),
    )
    if hasattr(errno, name)
)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Name the file or folder that the operating system refused to read or write.

    Raises
    ------
    StorageError
        For any OSError inside.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path | None = None) -> StorageError:
    """What an error of the operating system means to the user."""
    where = path or error.filename or "a file of results"
    advice = ADVICE.get(error.errno or 0, "Check the disk and the folder, then run the same command again.")
    return StorageError(f"{where} must be readable and writable, got {error.strerror or error}. {advice}")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the place of `path` in one step at the end, or is removed when something fails.

    Raises
    ------
    StorageError
        The disk is full, the folder is gone or cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{HOST}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with storage_errors(path):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step: a reader sees the old content or the new one, never a part.

    Raises
    ------
    StorageError
        See `replacing`.
    """
    with replacing(path) as file:
        file.write(data)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what killed processes left half written in a folder, and return it.

    A file stays while the process that its name tells is alive on this machine; what another machine left is removed
    after a day without a change.
    """
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (named := TEMPORARY.fullmatch(path.name)) and _is_abandoned(path, named):
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def _is_abandoned(path: Path, named: re.Match[str]) -> bool:
    import psutil

    with suppress(OSError):
        if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
            return True
    pid = int(named["pid"] or named["old"] or named["npz"])
    return named["host"] in (None, HOST) and not psutil.pid_exists(pid)


def utf8(text: str) -> bytes:
    """UTF-8 of any text: halves of surrogate pairs, which no file can hold, are joined or become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def parse_json(data: bytes) -> Any:
    """The value of a JSON text from outside; halves of surrogate pairs in it are treated as by `utf8`.

    Raises
    ------
    ValueError
        Whatever is wrong: bytes that are not UTF-8, no JSON, nested too deeply, a number with thousands of digits.
    """
    text = data.decode()
    too_deep = f"values nested in more than {MAX_DEPTH} others"
    try:
        value = json.loads(text)
        if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            raise ValueError(too_deep)
        if r"\ud" in text.lower():
            value = json.loads(utf8(json.dumps(value, ensure_ascii=False)))
    except RecursionError:
        raise ValueError(too_deep) from None
    return value


def _depth(value: object) -> int:
    depth, layer = 0, [value]
    while layer := [inner for outer in layer for inner in _inner(outer)]:
        depth += 1
    return depth


def _inner(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path, patterns: Sequence[str]) -> str:
    """SHA-256 (hex) over the names and contents of a folder's own files that match any of the glob patterns."""
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    stamps = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    return _stamped_sha256(folder, stamps)


@lru_cache(maxsize=16)
def _stamped_sha256(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    """Size and time of change only save a process from reading the same gigabytes again."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(f"{path.relative_to(folder)}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()
