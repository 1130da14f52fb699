from __future__ import annotations

import pytest

from erc_bench.contract.config import build_config, config_hash, describe
from erc_bench.errors import ConfigError
from erc_bench.systems.sentemocontext.config import SentEmoContextConfig


def test_every_setting_is_described_and_part_of_the_identity() -> None:
    hashes = {config_hash(SentEmoContextConfig(), targets="all")}
    assert all(field.description for field in describe(SentEmoContextConfig))
    others = {"context": "past", "epochs": 2, "triplet_weight": 0.0, "decision": "argmax", "weights_from": "batch"}
    for name, value in (others | {"keep": "last", "speakers": "false", "positions": "false", "threads": 2}).items():
        hashes.add(config_hash(build_config(SentEmoContextConfig, {name: value}, owner="s"), targets="all"))
    assert len(hashes) == 10


def test_the_runs_that_are_older_than_some_settings_keep_their_identity() -> None:
    names = {"defaults": {}, "past": {"context": "past"}, "hard": {"triplets": "batch-hard"}}
    found = {
        name: config_hash(
            build_config(SentEmoContextConfig, {"precision": "float32"} | settings, owner="s"), targets="all"
        )
        for name, settings in names.items()
    }
    assert found == {"defaults": "55e4a78b102d", "past": "016334a5e9b1", "hard": "dead3ce2678d"}


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": 0},
        {"heads": 0},
        {"pretrain_epochs": -1},
        {"triplet_weight": -0.1},
        {"dropout": 1.0},
        {"context": "future"},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="sentemocontext"):
        build_config(SentEmoContextConfig, setting, owner="sentemocontext")
