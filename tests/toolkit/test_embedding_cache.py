from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import filelock
import numpy as np
import pytest

from erc_bench.errors import SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.toolkit.embedding_cache import LOCK_FILE, EmbeddingCache, text_key


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def vectors(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array([[value, -value] for value in values], np.float32)


def filled(folder: Path | None) -> EmbeddingCache:
    cache = EmbeddingCache(folder, 2)
    cache.add(["a", "b"], vectors(1, 2))
    cache.add(["c"], vectors(3))
    return cache


def reread(folder: Path, progress: SilentProgress | None = None) -> EmbeddingCache:
    cache = EmbeddingCache(folder, 2)
    cache.refresh(progress or SilentProgress())
    return cache


@pytest.mark.parametrize("on_disk", [True, False])
def test_rows_come_in_the_order_asked(tmp_path: Path, on_disk: bool) -> None:
    cache = filled(tmp_path if on_disk else None)
    rows = cache.rows(["c", "a", "c"])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, vectors(3, 1, 3))


def test_missing_names_each_unknown_text_once_in_order() -> None:
    assert filled(None).missing(["z", "a", "y", "z"]) == ["z", "y"]


def test_another_cache_reads_what_one_wrote(tmp_path: Path) -> None:
    filled(tmp_path)
    np.testing.assert_array_equal(reread(tmp_path).rows(["a", "b", "c"]), vectors(1, 2, 3))


def test_a_cache_in_memory_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    filled(None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty"])
def test_a_damaged_shard_is_removed_and_its_texts_are_missing_again(tmp_path: Path, damage: str) -> None:
    filled(tmp_path)
    shard = next(path for path in tmp_path.glob("*.safetensors") if len(reread(tmp_path)) == 3)
    data = bytearray(shard.read_bytes())
    if damage == "flipped":
        data[-1] ^= 1
    shard.write_bytes({"flipped": bytes(data), "truncated": bytes(data[:-5]), "empty": b""}[damage])
    notes = Notes()
    cache = reread(tmp_path, notes)
    assert not shard.exists()
    assert "damaged" in notes.notes[0]
    assert 1 <= len(cache.missing(["a", "b", "c"])) <= 2


def test_a_shard_of_another_dimension_is_not_used(tmp_path: Path) -> None:
    filled(tmp_path)
    cache = EmbeddingCache(tmp_path, 3)
    cache.refresh(SilentProgress())
    assert len(cache) == 0


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    leftover = tmp_path / ".123-abc.unfinished"
    leftover.write_bytes(b"half")
    with EmbeddingCache(tmp_path, 2).filling(SilentProgress()):
        assert not leftover.exists()


def test_a_kill_between_shards_keeps_the_whole_ones(tmp_path: Path) -> None:
    script = f"""
import os, signal, pathlib, numpy as np
from erc_bench.toolkit.embedding_cache import EmbeddingCache
from erc_bench.progress import SilentProgress
cache = EmbeddingCache(pathlib.Path({str(tmp_path)!r}), 2)
with cache.filling(SilentProgress()):
    cache.add(["a"], np.array([[1, -1]], np.float32))
    replace = pathlib.Path.replace
    pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    cache.add(["b"], np.array([[2, -2]], np.float32))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    cache = EmbeddingCache(tmp_path, 2)
    with cache.filling(SilentProgress()):  # the lock of a dead process does not hold
        assert cache.missing(["a", "b"]) == ["b"]
    np.testing.assert_array_equal(cache.rows(["a"]), vectors(1))


def test_filling_waits_for_another_process_and_reads_what_it_wrote(tmp_path: Path) -> None:
    script = f"""
import pathlib, sys, numpy as np
from erc_bench.toolkit.embedding_cache import EmbeddingCache
from erc_bench.progress import SilentProgress
cache = EmbeddingCache(pathlib.Path({str(tmp_path)!r}), 2)
with cache.filling(SilentProgress()):
    print("holding", flush=True)
    sys.stdin.readline()
    cache.add(["a"], np.array([[1, -1]], np.float32))
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "holding\n"
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(tmp_path / LOCK_FILE).acquire(timeout=0)

        class Release(Notes):
            def note(self, message: str) -> None:
                super().note(message)
                assert other.stdin is not None
                other.stdin.write("\n")
                other.stdin.flush()

        notes = Release()
        cache = EmbeddingCache(tmp_path, 2)
        with cache.filling(notes):
            assert cache.missing(["a"]) == []
        assert notes.notes == ["Waiting for another process that is computing sentence embeddings"]


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = EmbeddingCache(tmp_path / "file" / "cache", 2)
    with pytest.raises(SystemFailedError, match="must be a writable folder"):
        cache.add(["a"], vectors(1))


def test_a_full_disk_is_explained_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SystemFailedError, match="No space left on device"):
        EmbeddingCache(tmp_path, 2).add(["a"], vectors(1))
    assert list(tmp_path.iterdir()) == []


def test_keys_tell_texts_apart_by_their_exact_content() -> None:
    assert len({text_key(text) for text in ("Hello", "hello", "Hello ", "")}) == 4
