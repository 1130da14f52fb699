from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from erc_bench.content_cache import ContentCache

KEY = sha256(b"a content").hexdigest()


def test_what_was_kept_is_there(tmp_path: Path) -> None:
    kept = ContentCache(tmp_path / "deep" / "folder")
    assert kept.get(KEY) is None
    kept.put(KEY, b"a result")
    kept.put(KEY[::-1], b"")
    assert kept.get(KEY) == ContentCache(tmp_path / "deep" / "folder").get(KEY) == b"a result"
    assert kept.get(KEY[::-1]) == b""


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: b"A" + data[1:]])
def test_a_damaged_entry_counts_as_not_there_and_is_replaced(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    kept = ContentCache(tmp_path)
    kept.put(KEY, b"a result")
    (entry,) = (path for path in tmp_path.rglob("*") if path.is_file())
    entry.write_bytes(damage(entry.read_bytes()))
    assert kept.get(KEY) is None
    kept.put(KEY, b"a result")
    assert kept.get(KEY) == b"a result"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [entry]


def test_a_folder_that_cannot_be_written_to_keeps_nothing_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    kept = ContentCache(tmp_path / "file")
    kept.put(KEY, b"a result")
    assert kept.get(KEY) is None
