from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erc_bench import files
from erc_bench.errors import ConfigError, DataCorruptError, DataMissingError, SystemFailedError
from erc_bench.files import file_sha256
from erc_bench.progress import SilentProgress
from erc_bench.toolkit import word_vectors
from erc_bench.toolkit.word_vectors import (
    BinFile,
    VecFile,
    open_vectors,
    read_vectors,
    tokens,
    train_vectors,
    vectors_sha256,
)

SENTENCES = [
    "The goat is gone .",
    "Who left the gate open ?",
    "Is the goat at the gate ?",
    "Open the gate !",
    "I’m glad , goat .",
]
DIM = 8


@pytest.fixture(scope="module")
def facebook(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small FastText model of gensim, as both of the public formats."""
    from gensim.models.fasttext import FastText, save_facebook_model

    model = FastText(
        sentences=[tokens(text) for text in SENTENCES * 5], vector_size=DIM, min_count=1, bucket=200, workers=1, seed=1
    )
    folder = tmp_path_factory.mktemp("vectors")
    save_facebook_model(model, str(folder / "small.bin"))
    model.wv.save_word2vec_format(str(folder / "small.vec"), binary=False)
    return folder, model.wv


def test_tokens_are_words_and_marks() -> None:
    assert tokens("I’m glad , goat-herd ... 3 times !") == [
        "I'm",
        "glad",
        ",",
        "goat",
        "-",
        "herd",
        ".",
        ".",
        ".",
        "3",
        "times",
        "!",
    ]
    assert tokens("  ") == []


def test_a_vec_file_gives_the_words_it_lists(facebook: Any) -> None:
    folder, model = facebook
    vectors = open_vectors(folder / "small.vec")
    assert isinstance(vectors, VecFile)
    vectors.look_up(["goat", "gate", "GOAT", "zebra"])
    assert vectors.dim == DIM
    assert vectors.parameters == DIM * len(model)
    for word in ("goat", "gate"):
        found = vectors.get(word)
        assert found is not None
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, model[word], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(vectors.get("GOAT"), vectors.get("goat"))
    assert vectors.get("zebra") is None
    assert "small.vec" in vectors.note


def test_a_vec_file_keeps_only_what_was_asked_and_is_read_again_for_new_words_only(
    facebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = facebook
    vectors = VecFile(folder / "small.vec")
    vectors.look_up(["goat", "zebra"])
    assert set(vectors._found) == {"goat"}
    opened: list[Path] = []
    original = Path.open

    def counted(path: Path, *args: Any, **named: Any) -> Any:
        opened.append(path)
        return original(path, *args, **named)

    monkeypatch.setattr(Path, "open", counted)
    vectors.look_up(["goat", "zebra", "Zebra"])
    assert len(opened) == 1  # "Zebra" was never asked
    vectors.look_up(["zebra", "goat"])
    assert len(opened) == 1
    vectors.look_up(["gate"])
    assert len(opened) == 2
    assert set(vectors._found) == {"goat", "gate"}


def test_a_bin_file_gives_every_word_a_vector_from_its_subwords(facebook: Any) -> None:
    folder, model = facebook
    vectors = open_vectors(folder / "small.bin")
    assert isinstance(vectors, BinFile)
    vectors.look_up(["goat"])
    for word in ("goat", "goatherd"):  # the second is not listed
        found = vectors.get(word)
        assert found is not None
        np.testing.assert_allclose(found, model[word], rtol=1e-4, atol=1e-6)
    assert vectors.dim == DIM
    assert vectors.parameters == DIM * (len(model) + 200)
    assert "subwords" in vectors.note


@pytest.mark.parametrize(
    ("name", "content", "error", "complaint"),
    [
        ("vectors.vec", None, DataMissingError, "not there"),
        ("vectors.vec.gz", "", ConfigError, "Unpack archives"),
        (
            "vectors.vec",
            "goat 0.1 0.2\n",
            DataCorruptError,
            "line 1 of .* number of words and of dimensions, .* got 'goat",
        ),
        ("vectors.vec", "", DataCorruptError, "number of words and of dimensions, .* got ''"),
        (
            "vectors.vec",
            "0 12\n",
            DataCorruptError,
            r"line 1 of .*vectors\.vec must be .* both at least 1, .* got '0 12'",
        ),
        ("vectors.vec", "2 0\ngate\ngoat\n", DataCorruptError, "line 1 of .* got '2 0'"),
        ("vectors.vec", "2 -3\ngate 1\ngoat 2\n", DataCorruptError, "line 1 of .* got '2 -3'"),
        ("vectors.vec", "\0" * 10_000, DataCorruptError, "line 1 of .{,1000}$"),
        ("vectors.bin", "not FastText", DataCorruptError, r"must be a FastText \.bin file"),
    ],
)
def test_files_that_are_not_word_vectors_are_refused(
    tmp_path: Path, name: str, content: str | None, error: type[Exception], complaint: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=complaint):
        open_vectors(path)


@pytest.mark.parametrize("lines", ["", "gate 1 2 3\n", "gate 1 2 3\ngoat 4 5 6\n", "gate 1 2 3\ngoat 4 5 6"])
def test_a_vec_file_with_fewer_words_than_announced_is_refused(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "vectors.vec"
    path.write_text(f"3 3\n{lines}")
    complaint = f"must hold 3 words, as its first line says, got {len(lines.splitlines())}: .* Download it again"
    vectors = open_vectors(path)
    for _ in range(2):
        with pytest.raises(DataCorruptError, match=complaint):
            vectors.look_up(["gate"])


def test_a_vec_file_cut_within_its_last_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.vec"
    path.write_text("2 3\ngate 1 2 3\ngoat 4 5")
    with pytest.raises(DataCorruptError, match=r"line 3 of .* must hold 3 finite numbers after the word, got 2 fields"):
        open_vectors(path).look_up(["gate"])
    path.write_text("2 3\ngate 1 2 3\ngoat 4 5 6")
    open_vectors(path).look_up(["gate"])


@pytest.mark.parametrize(
    "line", ["goat 0.1 0.2", "goat 0.1 0.2 much", "goat 0.1 nan 0.2", "goat 0.1 0.2 -inf", "goat 0.1 1e39 0.2"]
)
def test_a_damaged_line_of_a_vec_file_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "vectors.vec"
    path.write_text(f"3 3\ngate 1 2 3\n{line}\nhill 4 5 6\n")
    vectors = open_vectors(path)
    vectors.look_up(["gate"])
    with pytest.raises(DataCorruptError, match=r"line 3 of .*vectors\.vec must hold 3 finite numbers"):
        vectors.look_up(["goat"])


def test_a_bin_file_with_numbers_that_are_none_is_refused(facebook: Any, tmp_path: Path) -> None:
    folder, model = facebook
    first = model.vectors_vocab[model.key_to_index["goat"]].tobytes()
    content = (folder / "small.bin").read_bytes()
    assert content.count(first) == 1
    path = tmp_path / "damaged.bin"
    path.write_bytes(content.replace(first, np.full(DIM, np.nan, np.float32).tobytes()))
    vectors = open_vectors(path)
    assert vectors.get("gate") is not None
    with pytest.raises(DataCorruptError, match=r"the vector of 'goat' in .*damaged\.bin must hold finite numbers"):
        vectors.get("goat")


def test_a_bin_file_without_dimensions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gensim.models.fasttext

    class Empty:
        vector_size = 0

    monkeypatch.setattr(gensim.models.fasttext, "load_facebook_vectors", lambda path: Empty())
    (tmp_path / "empty.bin").touch()
    with pytest.raises(DataCorruptError, match=r"empty\.bin must be a FastText \.bin file, .* 0 dimensions"):
        open_vectors(tmp_path / "empty.bin")


def test_a_file_is_read_for_its_digest_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "public.vec"
    path.write_text("1 2\ngoat 1 2\n")
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return file_sha256(path)

    monkeypatch.setattr(files, "file_sha256", counted)
    first = vectors_sha256(path)
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    assert vectors_sha256(path) == first
    assert len(read) == 1
    path.write_text("1 2\ngoat 1 3\n")
    os.utime(path, ns=(0, 0))  # the clock of a file system may not have advanced since the first one
    assert vectors_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest() != first


@pytest.mark.parametrize("name", ["gone.vec", "gone.bin"])
def test_there_is_no_digest_of_a_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataMissingError, match=r"vectors must be a file, got .*, which is not there"):
        vectors_sha256(tmp_path / name)


def test_there_is_no_digest_of_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, "file_sha256", refused)
    (tmp_path / "secret.vec").touch()
    with pytest.raises(DataMissingError, match=r"must be a readable file, got .*secret\.vec: Permission denied"):
        vectors_sha256(tmp_path / "secret.vec")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_vectors, "DIM", DIM)
    monkeypatch.setattr(word_vectors, "BUCKETS", 100)


@pytest.mark.usefixtures("_small")
def test_trained_vectors_cover_words_that_training_did_not_have(tmp_path: Path) -> None:
    vectors = train_vectors(SENTENCES, cache_dir=tmp_path, progress=SilentProgress())
    assert vectors.vectors.shape == (len(vectors.words), DIM)
    known, unknown = vectors.get("Goat"), vectors.get("goatherd")
    assert known is not None
    assert unknown is not None
    np.testing.assert_array_equal(known, vectors.get("goat"))
    assert np.isfinite(unknown).all()
    assert "not the public vectors" in vectors.note


@pytest.mark.usefixtures("_small")
def test_trained_vectors_are_kept_for_the_same_texts_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train_vectors(SENTENCES, cache_dir=tmp_path, progress=SilentProgress())
    trained: list[int] = []
    original = word_vectors._train

    def counted(*args: Any) -> Any:
        trained.append(1)
        return original(*args)

    monkeypatch.setattr(word_vectors, "_train", counted)
    again = train_vectors(SENTENCES, cache_dir=tmp_path, progress=SilentProgress())
    assert trained == []
    assert again.words == first.words
    np.testing.assert_array_equal(again.vectors, first.vectors)
    np.testing.assert_array_equal(again.ngrams, first.ngrams)
    train_vectors([*SENTENCES, "A new one ."], cache_dir=tmp_path, progress=SilentProgress())
    assert trained == [1]


def test_training_does_not_depend_on_pythons_hash_seed() -> None:
    code = (
        "import hashlib\n"
        "from erc_bench.toolkit import word_vectors as w\n"
        "from erc_bench.progress import SilentProgress\n"
        f"w.DIM, w.BUCKETS = {DIM}, 100\n"
        f"v = w.train_vectors({SENTENCES!r}, cache_dir=None, progress=SilentProgress())\n"
        "print(hashlib.sha256(v.vectors.tobytes() + v.ngrams.tobytes() + repr(v.words).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == len(hashlib.sha256().hexdigest())


def test_a_damaged_file_of_trained_vectors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nonsense")
    with pytest.raises(SystemFailedError, match="trained word vectors"):
        read_vectors(tmp_path / "x.safetensors")
