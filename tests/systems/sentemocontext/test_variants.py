from __future__ import annotations

import pytest

from erc_bench.contract.system import Runtime
from erc_bench.errors import ModelUnavailableError
from erc_bench.progress import SilentProgress
from erc_bench.running.conformance import check_system
from erc_bench.systems.sentemocontext.system import SentEmoContext
from erc_bench.systems.sentemocontext.variants import (
    MpnetConfig,
    PaperConfig,
    RobertaConfig,
    SentEmoContextMpnet,
    SentEmoContextRoberta,
)

DIMS = {SentEmoContextMpnet: 768, SentEmoContextRoberta: 1024}


@pytest.mark.parametrize(("system", "encoder"), [(SentEmoContextMpnet, "mpnet"), (SentEmoContextRoberta, "roberta")])
def test_only_the_encoder_differs(system: type[SentEmoContext], encoder: str) -> None:
    config = system.Config()
    assert config.encoder == encoder
    assert system.info.name == f"sentemocontext-{encoder}"
    assert DIMS[system] % config.heads == 0
    assert system.info.context == SentEmoContext.info.context


def test_settings_of_the_same_name_have_the_same_defaults_but_the_encoder_and_the_heads() -> None:
    plain, roberta = SentEmoContext.Config(), RobertaConfig()
    differing = {name for name, value in vars(plain).items() if getattr(roberta, name) != value}
    assert differing == {"encoder", "heads"}


def test_the_paper_s_text_differs_from_the_defaults_in_what_is_listed() -> None:
    plain, paper = vars(SentEmoContext.Config()), vars(PaperConfig())
    assert {name: value for name, value in paper.items() if plain[name] != value} == {
        "triplets": "all",
        "triplet_weight": 1.0,
        "sampler_power": 1.0,
        "weight_power": 1.0,
        "decision": "argmax",
        "weights_from": "batch",
        "keep": "last",
        "speakers": False,
        "positions": False,
    }


def test_with_another_encoder_they_keep_the_contract() -> None:
    config = MpnetConfig(encoder="minilm", epochs=1, pretrain_epochs=1, feed_forward=32)
    failed = [f"{r.name}: {r.reason}" for r in check_system(SentEmoContextMpnet, config) if r.outcome == "failed"]
    assert not failed


def test_a_model_that_cannot_be_had_is_told_with_the_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from huggingface_hub import constants

    from erc_bench.data import load_dataset

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    sample = load_dataset("sample")
    system = SentEmoContextRoberta(labels=sample.labels, runtime=Runtime(device="cpu", offline=True))
    with pytest.raises(ModelUnavailableError, match=r"all-roberta-large-v1 cannot be had.*--set encoder=FOLDER"):
        system.fit(sample.train, sample.validation, seed=0, progress=SilentProgress())
