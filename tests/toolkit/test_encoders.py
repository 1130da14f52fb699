from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Runtime
from erc_bench.errors import ConfigError
from erc_bench.toolkit import encoders
from erc_bench.toolkit.encoders import (
    BatchInvariantEncoder,
    SentenceEncoder,
    load_encoder,
    pick_device,
    resolve_encoder,
    tokenize,
)
from erc_bench.toolkit.precision import Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer


@pytest.fixture(scope="module")
def texts(sample: Dataset) -> list[str]:
    """A hundred distinct texts of many lengths."""
    return sorted({u.text for dialogue in sample.test for u in dialogue.utterances})[:100]


@pytest.fixture(scope="module")
def expected(texts: list[str]) -> NDArray[np.float32]:
    return SentenceEncoder("minilm", Runtime(device="cpu")).embed(texts)


@pytest.fixture(scope="module")
def in_bf16(texts: list[str]) -> NDArray[np.float32]:
    return SentenceEncoder("minilm", Runtime(device="cpu"), "bf16").embed(texts)


def test_a_named_device_is_taken_as_it_is_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert [pick_device(name) for name in ("cpu", "cuda", "cuda:3", "xpu")] == ["cpu", "cuda", "cuda:3", "xpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="must be one that torch finds here, got 'cuda:1' where there are 1 CUDA"):
        pick_device("cuda:1")


def test_embeddings_are_the_library_s(texts: list[str], expected: NDArray[np.float32]) -> None:
    reference = load_encoder(resolve_encoder("minilm"), "cpu").encode(texts)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(expected, reference, atol=2e-6)


def test_bfloat16_is_close_to_float32(
    texts: list[str], expected: NDArray[np.float32], in_bf16: NDArray[np.float32]
) -> None:
    assert in_bf16.dtype == np.float32
    assert (in_bf16 * expected).sum(1).min() > 0.999
    assert (in_bf16 != expected).any(1).all()
    np.testing.assert_allclose(np.linalg.norm(in_bf16, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_bits_do_not_depend_on_how_the_cache_was_filled(
    texts: list[str],
    expected: NDArray[np.float32],
    in_bf16: NDArray[np.float32],
    precision: Precision,
    tmp_path: Path,
) -> None:
    import torch

    vectors = in_bf16 if precision == "bf16" else expected
    shuffled = random.Random(0).sample(texts, len(texts))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        in_parts = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=tmp_path), precision)
        for start in (0, 1, 2, 40):  # as a run that was stopped and resumed several times
            in_parts.embed(shuffled[start : start + 60])
        in_parts = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=tmp_path), precision)
        np.testing.assert_array_equal(in_parts.embed(texts), vectors)
        one_at_a_time = SentenceEncoder("minilm", Runtime(device="cpu"), precision)
        for text in texts[::10]:
            np.testing.assert_array_equal(one_at_a_time.embed([text])[0], vectors[texts.index(text)])
    finally:
        torch.set_num_threads(threads)


def test_each_precision_has_a_cache_of_its_own(texts: list[str], tmp_path: Path) -> None:
    for precision in get_args(Precision):
        SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=tmp_path), precision).embed(texts[:1])
    names = sorted(path.name.rpartition("-cpu")[2] for path in (tmp_path / "embeddings").iterdir())
    assert names == ["", "-bf16"]


def test_texts_of_the_same_tokens_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = BatchInvariantEncoder(load_encoder(resolve_encoder("minilm"), "cpu"), "cpu")
    assert encoder.batching
    encode, computed = encoders.encode, []

    def counted(model: SentenceTransformer, batch: list[list[int]]) -> NDArray[np.float32]:
        computed.append(len(batch))
        return encode(model, batch)

    monkeypatch.setattr(encoders, "encode", counted)
    vectors = encoder.embed(["Not now.", "Later?", "not  now ."])
    assert computed == [1, 1]
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert (vectors[0] != vectors[1]).any()


def test_a_known_text_is_not_computed_again(texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(device="cpu", cache_dir=tmp_path)
    first = SentenceEncoder("minilm", runtime).embed(texts[:5])

    def never(*_: object) -> None:
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(encoders, "load_encoder", never)
    np.testing.assert_array_equal(SentenceEncoder("minilm", runtime).embed(texts[:5]), first)


def test_embedding_leaves_the_number_of_threads_alone(texts: list[str]) -> None:
    import torch

    before = torch.get_num_threads()
    SentenceEncoder("minilm", Runtime(device="cpu")).embed(texts[:3])
    assert torch.get_num_threads() == before


def rounding(noise: Callable[[int], list[float]]) -> Callable[..., NDArray[np.float32]]:
    """`encode` with an error that depends on the number of texts in the batch: `noise` gives one for each place."""
    encode = encoders.encode

    def unsteady(model: SentenceTransformer, batch: list[list[int]]) -> NDArray[np.float32]:
        errors: NDArray[np.float32] = np.array(noise(len(batch)), np.float32)[:, None]
        return np.add(encode(model, batch), errors)

    return unsteady


def test_where_the_size_of_a_batch_matters_batches_are_filled(
    texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "encode", rounding(lambda size: [1e-4 * size] * size))
    encoder = BatchInvariantEncoder(load_encoder(resolve_encoder("minilm"), "cpu"), "cpu")
    assert encoder.batching == (8, True)
    vectors = encoder.embed(texts[:20])
    for text, vector in zip(texts[:3], vectors, strict=False):
        np.testing.assert_array_equal(encoder.embed([text])[0], vector)


def test_where_the_place_in_a_batch_matters_texts_go_one_at_a_time(
    texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "encode", rounding(lambda size: [1e-4 * (size + place) for place in range(size)]))
    encoder = BatchInvariantEncoder(load_encoder(resolve_encoder("minilm"), "cpu"), "cpu")
    assert encoder.batching == (1, False)
    np.testing.assert_array_equal(encoder.embed(texts[:5])[4], encoder.embed(texts[4:5])[0])


def test_long_texts_are_cut_where_the_encoder_ends() -> None:
    model = load_encoder(resolve_encoder("minilm"), "cpu")
    assert [len(ids) for ids in tokenize(model, ["word " * 999, "word"])] == [256, 3]
    assert [len(ids) for ids in tokenize(model, ["word " * 999], max_length=64)] == [64]


def test_importing_the_module_imports_no_torch() -> None:
    code = "import sys, erc_bench.toolkit.encoders; assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
