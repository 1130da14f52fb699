"""Reading zip archives without unpacking them: every member is checked, every failure named."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from erc_bench.errors import DataCorruptError, DataMissingError

MAX_MEMBER_BYTES = 1 << 29


def members(archive: bytes, wanted: Sequence[str], where: str) -> dict[str, bytes]:
    """The files of these names, wherever they stand in a zip archive; `where` names it in errors.

    Raises
    ------
    DataCorruptError
        Not a zip archive, truncated, altered, or without one of the files.
    """
    held = {PurePosixPath(name).name: name for name in _names(archive, where)}
    missing = [name for name in wanted if name not in held]
    if missing:
        shown = ", ".join(sorted(filter(None, held))) or "nothing"
        raise DataCorruptError(f"{where} must hold {_listed(missing)}, got {shown}.")
    # every member, so that damage is found in those that nobody reads too
    contents = {name: _member(archive, member, where) for name, member in held.items() if name}
    return {name: contents[name] for name in wanted}


def file_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises
    ------
    DataMissingError
        It is not there or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataMissingError(f"{path} must be readable, got: {error.strerror}.") from None


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _names(archive: bytes, where: str) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            # macOS adds a shadow file beside every file it packs
            return [name for name in opened.namelist() if not name.startswith("__MACOSX/")]
    except zipfile.BadZipFile as error:
        got = "a web page" if archive.lstrip()[:1] == b"<" else f"{len(archive):,} bytes that are not one ({error})"
        raise DataCorruptError(f"{where} must be a complete zip archive, got {got}.") from None


def _member(archive: bytes, name: str, where: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            size = opened.getinfo(name).file_size
            if size > MAX_MEMBER_BYTES:
                raise DataCorruptError(
                    f"{name} in {where} must unpack to at most {MAX_MEMBER_BYTES:,} bytes, got {size:,}."
                )
            return opened.read(name)
    # zipfile raises RuntimeError for encrypted members and NotImplementedError for unknown compression
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataCorruptError(f"{name} in {where} must unpack without error, got: {error}.") from None
