"""Results that follow from contents, kept under the SHA-256 of these: never older than what they follow from.

An entry ends with a checksum and appears by a rename, so that one that is damaged, or half written when the machine
stopped, counts as not there. The folder is safe to delete, and nothing depends on it but time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from erc_bench.files import HOST, remove_leftovers

CHECKSUM_BYTES = 32


class ContentCache:
    """A folder of entries.

    Parameters
    ----------
    folder
        Where entries lie; made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready: set[Path] = set()

    def get(self, key: str) -> bytes | None:
        """The entry of a key (SHA-256 in hex), None if there is none that is whole."""
        try:
            data = self._place(key).read_bytes()
        except OSError:
            return None
        content, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        return content if hashlib.sha256(content).digest() == checksum else None

    def put(self, key: str, content: bytes) -> None:
        """Keep an entry; where the folder cannot be written to, nothing is kept."""
        place = self._place(key)
        temporary = place.with_name(f".{key}.{HOST}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        with suppress(OSError):
            if place.parent not in self._ready:
                place.parent.mkdir(parents=True, exist_ok=True)
                remove_leftovers(place.parent)
                self._ready.add(place.parent)
            try:
                temporary.write_bytes(content + hashlib.sha256(content).digest())
                temporary.replace(place)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / key
