"""Vectors of texts on disk: computed once a text, kept in files that are written once and never changed.

A folder holds shards, safetensors files of up to a few hundred vectors. A shard is named after the SHA-256 of its
bytes and appears by an atomic rename, so a process killed at any moment leaves whole shards only, a damaged one is
noticed when it is read, and two processes cannot disturb each other.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.errors import SystemFailedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from erc_bench.progress import Progress

__all__ = [
    "EmbeddingCache",
    "text_key",
]

SHARD_SUFFIX = ".safetensors"
LOCK_FILE = "lock"
KEY_BYTES = 32


def text_key(text: str) -> bytes:
    """The key of a text: SHA-256 of its UTF-8 bytes."""
    return hashlib.sha256(text.encode()).digest()


class EmbeddingCache:
    """Float32 vectors of `dim` components by text, in memory and, given a folder, on disk.

    Parameters
    ----------
    folder
        Where shards lie, one folder for each way of computing vectors; None keeps them in memory only.
    dim
        Components of a vector.
    """

    def __init__(self, folder: Path | None, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self._rows: dict[bytes, tuple[int, int]] = {}
        self._blocks: list[NDArray[np.float32]] = []
        self._read: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def missing(self, texts: Iterable[str]) -> list[str]:
        """The texts without a vector, each once, in order of first appearance."""
        return [text for text in dict.fromkeys(texts) if text_key(text) not in self._rows]

    def rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts that are all present: float32 (texts, dim)."""
        import numpy as np

        vectors = np.empty((len(texts), self.dim), np.float32)
        for index, text in enumerate(texts):
            block, row = self._rows[text_key(text)]
            vectors[index] = self._blocks[block][row]
        return vectors

    def add(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep float32 (texts, dim) vectors; on return they are on disk if the cache has a folder."""
        if self.folder is not None and texts:
            self._write(self.folder, texts, vectors)
        self._index([text_key(text) for text in texts], vectors)

    def refresh(self, progress: Progress) -> None:
        """Read the shards that other processes have written; a damaged one is removed and noted."""
        if self.folder is None:
            return
        for path in sorted(self.folder.glob(f"*{SHARD_SUFFIX}")):
            if path.name not in self._read:
                self._read_shard(path, progress)

    @contextmanager
    def filling(self, progress: Progress) -> Iterator[None]:
        """Only one process at a time fills a folder, so that none computes what another is computing."""
        if self.folder is None:
            yield
            return
        import filelock

        lock = filelock.FileLock(self._made(self.folder) / LOCK_FILE)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            progress.note("Waiting for another process that is computing sentence embeddings")
            lock.acquire()
        try:
            for leftover in self.folder.glob(".*.unfinished"):
                leftover.unlink(missing_ok=True)
            self.refresh(progress)
            yield
        finally:
            lock.release()

    def _made(self, folder: Path) -> Path:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemFailedError(
                f"the cache of sentence embeddings must be a writable folder, got {folder} ({error.strerror}). "
                "Make it writable or set ERC_BENCH_HOME to another folder."
            ) from error
        return folder

    def _write(self, folder: Path, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        import numpy as np
        from safetensors.numpy import save

        keys = np.frombuffer(b"".join(text_key(text) for text in texts), np.uint8).reshape(len(texts), KEY_BYTES)
        data = save({"keys": keys, "vectors": np.ascontiguousarray(vectors, np.float32)})
        name = f"{hashlib.sha256(data).hexdigest()}{SHARD_SUFFIX}"
        unfinished = self._made(folder) / f".{os.getpid()}-{uuid.uuid4().hex}.unfinished"
        try:
            unfinished.write_bytes(data)
            unfinished.replace(folder / name)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise SystemFailedError(
                f"sentence embeddings could not be written to {folder} ({error.strerror}). Free some space there or set "
                "ERC_BENCH_HOME to another folder; what is finished is kept."
            ) from error
        self._read.add(name)

    def _read_shard(self, path: Path, progress: Progress) -> None:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            data = path.read_bytes()
        except FileNotFoundError:  # another process found it damaged
            return
        try:
            if hashlib.sha256(data).hexdigest() != path.stem:
                raise ValueError("its content does not match its name")
            tensors = load(data)
            keys, vectors = tensors["keys"], tensors["vectors"]
            if (
                keys.shape != (len(vectors), KEY_BYTES)
                or vectors.shape[1] != self.dim
                or vectors.dtype.name != "float32"
            ):
                raise ValueError(f"it holds {vectors.dtype} {vectors.shape}")
        except (ValueError, KeyError, SafetensorError) as error:
            progress.note(f"Removing a damaged file of sentence embeddings, {path} ({error}); they are computed again")
            path.unlink(missing_ok=True)
            return
        self._read.add(path.name)
        self._index([row.tobytes() for row in keys], vectors)

    def _index(self, keys: Iterable[bytes], vectors: NDArray[np.float32]) -> None:
        block = len(self._blocks)
        self._blocks.append(vectors)
        for row, key in enumerate(keys):
            self._rows.setdefault(key, (block, row))
