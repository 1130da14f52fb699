"""FastText word vectors: public files, or trained here on the dialogues of the training split.

A public `.vec` file (words and their vectors as text) is streamed and only the words that occur are kept; a `.bin`
file (with the vectors of character n-grams) gives every word a vector and is read with gensim.
"""

from __future__ import annotations

import functools
import hashlib
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erc_bench.errors import ConfigError, DataCorruptError, DataMissingError, SystemFailedError
from erc_bench.files import write_atomically
from erc_bench.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BinFile",
    "TrainedVectors",
    "VecFile",
    "WordVectors",
    "open_vectors",
    "read_vectors",
    "tokens",
    "train_vectors",
    "vectors_sha256",
    "write_vectors",
]

DIM = 300
TRAINING_EPOCHS = 5
TRAINING_SEED = 0
BUCKETS = 50_000
SHORTEST_NGRAM, LONGEST_NGRAM = 3, 6
CACHE_FOLDER = "word-vectors"
LONGEST_HEADER = 100
TOKEN = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def tokens(text: str) -> list[str]:
    """Words and punctuation marks of a text, case kept."""
    return TOKEN.findall(text.replace("’", "'"))


class WordVectors(ABC):
    """Vectors of words, float32; `note` says where they come from, `parameters` how many numbers they are."""

    dim: int
    note: str
    parameters: int

    @abstractmethod
    def look_up(self, words: Iterable[str]) -> None:
        """Make the vectors of these words available to `get`."""

    @abstractmethod
    def get(self, word: str) -> NDArray[np.float32] | None:
        """The vector of a word that was looked up, float32 (dim,); None for an unknown word."""


class VecFile(WordVectors):
    """A `.vec` file: one word and its numbers a line, after a line with the number of words and of dimensions.

    The file is streamed each time words are looked up that were not looked up before; a word that is not in it is
    tried in lower case. A file with fewer lines than its first one announces, or cut within its last, is refused then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, NDArray[np.float32]] = {}
        self._asked: set[str] = set()
        self._words, self.dim = self._header()
        self.parameters = self._words * self.dim
        self.note = f"word vectors {path.name} ({self._words} words, {self.dim} dimensions)"

    def _header(self) -> tuple[int, int]:
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            line = file.readline(LONGEST_HEADER)
        try:
            words, dim = map(int, line.split())
            if min(words, dim) < 1:
                raise ValueError
        except ValueError:
            raise DataCorruptError(
                f"line 1 of {self.path} must be the number of words and of dimensions, both at least 1, as FastText's "
                f".vec files have it, got {line.rstrip()!r}. Download it again and unpack it."
            ) from None
        return words, dim

    def look_up(self, words: Iterable[str]) -> None:
        wanted = {form for word in words for form in (word, word.lower())} - self._asked
        if not wanted:
            return
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            next(file)
            number, numbers = 1, ""
            for number, line in enumerate(file, start=2):
                word, _, numbers = line.partition(" ")
                if word in wanted and word not in self._found:
                    self._found[word] = self._parse(numbers, number)
        if number <= self._words:
            raise DataCorruptError(
                f"{self.path} must hold {self._words} words, as its first line says, got {number - 1}: it is cut short. "
                "Download it again and unpack it."
            )
        if self._words and number == self._words + 1:
            self._parse(numbers, number)  # whether asked for or not: a download may have stopped within this line
        self._asked |= wanted

    def _parse(self, rest: str, number: int) -> NDArray[np.float32]:
        import numpy as np

        values = rest.split()
        try:
            if len(values) != self.dim:
                raise ValueError(f"{len(values)} fields")
            with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite, and is refused as such
                vector = np.array(values, np.float32)
            if not np.isfinite(vector).all():
                raise ValueError(values[int(np.isfinite(vector).argmin())])
        except ValueError as error:
            raise DataCorruptError(
                f"line {number} of {self.path} must hold {self.dim} finite numbers after the word, got {error}. "
                "Download it again and unpack it."
            ) from None
        return vector

    def get(self, word: str) -> NDArray[np.float32] | None:
        return self._found.get(word, self._found.get(word.lower()))


class BinFile(WordVectors):
    """A `.bin` file of FastText: words it does not list get a vector from their character n-grams."""

    def __init__(self, path: Path) -> None:
        from gensim.models.fasttext import load_facebook_vectors

        self.path = path
        try:
            self._vectors: Any = load_facebook_vectors(str(path))
            if self._vectors.vector_size < 1:
                raise ValueError(f"{self._vectors.vector_size} dimensions")
        except Exception as error:  # a damaged file fails anywhere in gensim's reader
            raise DataCorruptError(
                f"{path} must be a FastText .bin file, but reading it gave {type(error).__name__}: {error}. "
                "Download it again and unpack it."
            ) from error
        self.dim = int(self._vectors.vector_size)
        self.parameters = int(self._vectors.vectors_vocab.size + self._vectors.vectors_ngrams.size)
        self.note = f"word vectors {path.name} ({len(self._vectors)} words with subwords, {self.dim} dimensions)"

    def look_up(self, words: Iterable[str]) -> None:
        """Nothing to do: the whole file is in memory."""

    def get(self, word: str) -> NDArray[np.float32] | None:
        import numpy as np

        try:
            vector = np.asarray(self._vectors[word], np.float32)
        except KeyError:  # shorter than the shortest n-gram and not listed
            return None
        if not np.isfinite(vector).all():
            raise DataCorruptError(
                f"the vector of {word!r} in {self.path} must hold finite numbers, got nan or inf. Download it again and "
                "unpack it."
            )
        return vector


def open_vectors(path: Path) -> WordVectors:
    """Public word vectors from a `.vec` or `.bin` file.

    Raises
    ------
    ConfigError
        Another kind of file.
    DataMissingError
        No such file.
    DataCorruptError
        A damaged file.
    """
    path = _existing(path)
    return VecFile(path) if path.suffix == ".vec" else BinFile(path)


def vectors_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file of public word vectors.

    A file of gigabytes is read once in a process, and again only when it has changed.

    Raises
    ------
    ConfigError, DataMissingError
        As `open_vectors`; also where the file cannot be read.
    """
    path = _existing(path)
    try:
        state = path.stat()
        return _sha256(path.resolve(), (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns))
    except OSError as error:
        raise DataMissingError(f"vectors must be a readable file, got {path}: {error.strerror}.") from None


@functools.lru_cache
def _sha256(path: Path, _state: tuple[int, ...]) -> str:
    from erc_bench.files import file_sha256

    return file_sha256(path)


def _existing(path: Path) -> Path:
    path = path.expanduser()
    if path.suffix not in (".vec", ".bin"):
        raise ConfigError(f"vectors must be a .vec or .bin file of FastText, got {path.name!r}. Unpack archives first.")
    if not path.is_file():
        raise DataMissingError(
            f"vectors must be a file, got {path}, which is not there. Public vectors: https://fasttext.cc/docs/en/english-vectors.html"
        )
    return path


class TrainedVectors(WordVectors):
    """FastText vectors trained here, in lower case: of `words` (words, dim) and of hashed n-grams (buckets, dim)."""

    def __init__(self, words: dict[str, int], vectors: NDArray[np.float32], ngrams: NDArray[np.float32]) -> None:
        self.words, self.vectors, self.ngrams = words, vectors, ngrams
        self.dim = int(vectors.shape[1])
        self.parameters = int(vectors.size + ngrams.size)
        self.note = (
            f"word vectors: FastText trained on the training split ({len(words)} words, {self.dim} dimensions), not "
            "the public vectors of the paper; --set vectors=PATH reads those"
        )

    def look_up(self, words: Iterable[str]) -> None:
        """Nothing to do: all vectors are in memory."""

    def get(self, word: str) -> NDArray[np.float32] | None:
        import numpy as np
        from gensim.models.fasttext import ft_ngram_hashes

        word = word.lower()
        if word in self.words:
            return np.asarray(self.vectors[self.words[word]], np.float32)
        hashes = ft_ngram_hashes(word, SHORTEST_NGRAM, LONGEST_NGRAM, len(self.ngrams))
        return np.asarray(self.ngrams[hashes].mean(axis=0), np.float32) if hashes else None


def _stable_hash(word: str) -> int:
    """Python's own hash differs between processes; gensim seeds with this one."""
    return zlib.crc32(word.encode())


def train_vectors(texts: Sequence[str], *, cache_dir: Path | None, progress: Progress) -> TrainedVectors:
    """Train FastText (skip-gram, 300 dimensions) on texts, or read what an earlier run trained on the same ones.

    One thread and fixed seeds: the same texts give the same vectors, whatever the seed of the run.
    """
    import gensim

    path = None
    if cache_dir is not None:
        what = [gensim.__version__, DIM, TRAINING_EPOCHS, TRAINING_SEED, BUCKETS, SHORTEST_NGRAM, LONGEST_NGRAM]
        digest = hashlib.sha256("\0".join([*map(str, what), *texts]).encode()).hexdigest()
        path = cache_dir / CACHE_FOLDER / f"{digest[:32]}.safetensors"
        if path.is_file():
            return read_vectors(path)
    found = _train(texts, progress)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_vectors(found, path)
    return found


def _train(texts: Sequence[str], progress: Progress) -> TrainedVectors:
    import numpy as np
    from gensim.models.callbacks import CallbackAny2Vec
    from gensim.models.fasttext import FastText

    with progress.task("Training FastText", total=TRAINING_EPOCHS, unit="epochs") as task:

        def advance(*_: Any) -> None:
            task.advance()

        epochs = type("Epochs", (CallbackAny2Vec,), {"on_epoch_end": advance})
        model = FastText(
            sentences=[[token.lower() for token in tokens(text)] for text in texts],
            vector_size=DIM,
            sg=1,
            min_count=1,
            min_n=SHORTEST_NGRAM,
            max_n=LONGEST_NGRAM,
            bucket=BUCKETS,
            epochs=TRAINING_EPOCHS,
            workers=1,
            seed=TRAINING_SEED,
            hashfxn=_stable_hash,
            callbacks=[epochs()],
        )
    vectors = model.wv
    return TrainedVectors(
        dict(vectors.key_to_index),
        np.asarray(vectors.vectors, np.float32),
        np.asarray(vectors.vectors_ngrams, np.float32),
    )


def write_vectors(vectors: TrainedVectors, path: Path) -> None:
    """Write trained vectors to one safetensors file, the words in its metadata."""
    import json

    from safetensors.numpy import save

    metadata = {"words": json.dumps(list(vectors.words), ensure_ascii=False)}
    write_atomically(path, save({"vectors": vectors.vectors, "ngrams": vectors.ngrams}, metadata=metadata))


def read_vectors(path: Path) -> TrainedVectors:
    """Read what `write_vectors` wrote.

    Raises
    ------
    SystemFailedError
        A missing or damaged file.
    """
    import json

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            words = json.loads(file.metadata()["words"])
            return TrainedVectors(
                {word: index for index, word in enumerate(words)}, file.get_tensor("vectors"), file.get_tensor("ngrams")
            )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise SystemFailedError(
            f"{path} must hold trained word vectors, got {type(error).__name__}: {error}. Delete it and run again."
        ) from error
