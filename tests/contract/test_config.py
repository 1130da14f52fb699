from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from erc_bench.contract.config import (
    Limits,
    as_json,
    changed_settings,
    config_hash,
    describe,
    option,
    parse_settings,
    recorded,
    recorded_value,
)
from erc_bench.errors import ConfigError


@dataclass(frozen=True)
class Config:
    epochs: int = option(5, "passes over the training split", at_least=1, below=100)
    rate: float = option(1e-3, "learning rate", above=0, at_most=1)
    tune: bool = option(False, "train the encoder too")
    mode: Literal["random", "hard"] = option("random", "triplets")
    vectors: Path | None = option(None, "word vectors")
    endpoint: str | None = option(None, "a running server", identity=False)
    seconds: float | None = option(None, "patience", identity=False)

    def __post_init__(self) -> None:
        if self.mode == "hard" and self.epochs == 1:
            raise ValueError("mode=hard needs more than one epoch")


def test_values_take_the_type_of_their_field() -> None:
    config = parse_settings(Config, ["epochs=3", "rate=5e-4", "tune=true", "mode=hard", "vectors=a/b.vec"], owner="toy")
    assert config == Config(3, 5e-4, True, "hard", Path("a/b.vec"))
    assert parse_settings(Config, ["vectors=none"], owner="toy").vectors is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "got 'epoch'. Did you mean 'epochs'"),
        ("epochs", "--set must be field=value, got 'epochs'"),
        (["epochs=3", "epochs=4"], "--set must give a field once, got 'epochs' twice"),
        ("epochs=many", "the setting epochs of toy must be int, got 'many'"),
        ("mode=soft", "must be random|hard, got 'soft'"),
        ("epochs=0", "the setting epochs of toy must be a number in [1, 100), got 0. `erc-bench systems show toy`"),
        ("epochs=100", "must be a number in [1, 100), got 100"),
        ("rate=0", "must be a number in (0, 1], got 0"),
        ("rate=1.1", "must be a number in (0, 1], got 1.1"),
        ("rate=nan", "must be a number in (0, 1], got nan"),
        ("seconds=-inf", "must be a number that is finite, got -inf"),
        (f"epochs={'9' * 5000}", "must be int, got '99999999"),
    ],
)
def test_bad_settings_say_what_was_expected(setting: str | list[str], message: str) -> None:
    settings = [setting] if isinstance(setting, str) else setting
    with pytest.raises(ConfigError) as caught:
        parse_settings(Config, settings, owner="toy")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_limits_hold_their_closed_ends() -> None:
    assert parse_settings(Config, ["epochs=1", "rate=1"], owner="toy").rate == 1
    assert [str(field.limits) for field in describe(Config)[:3]] == ["[1, 100)", "(0, 1]", ""]
    assert (str(Limits(above=0)), str(Limits(at_most=2))) == ("(0, ∞)", "(-∞, 2]")


def test_settings_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="mode=hard needs more than one epoch"):
        parse_settings(Config, ["mode=hard", "epochs=1"], owner="toy")


def test_hash_depends_on_identity_only() -> None:
    plain = config_hash(Config(), targets="all")
    assert config_hash(Config(endpoint="http://host"), targets="all") == plain
    assert config_hash(Config(epochs=6), targets="all") != plain
    assert config_hash(Config(), targets="last") != plain


def test_a_setting_added_later_keeps_the_identity_of_runs_made_before() -> None:
    @dataclass(frozen=True)
    class Grown(Config):
        precision: str = option("bf16", "how numbers are computed", before="float32")

    before = config_hash(Config(epochs=6), targets="all")
    assert config_hash(Grown(epochs=6, precision="float32"), targets="all") == before
    assert config_hash(Grown(epochs=6), targets="all") != before
    assert changed_settings(Grown(precision="float32")) == {"precision": "float32"}
    assert recorded_value(Grown, {"epochs": 6}, "precision") == "float32", (
        "what a run was that is older than the setting"
    )
    assert recorded_value(Grown, {"precision": "bf16"}, "precision") == "bf16"
    assert recorded_value(Grown, {}, "epochs") == 5
    assert recorded_value(Config, {}, "precision") is None


def test_changed_settings_leave_out_defaults_and_addresses() -> None:
    assert changed_settings(Config(epochs=7, endpoint="http://host", vectors=Path("x"))) == {
        "epochs": 7,
        "vectors": "x",
    }


def test_describe_and_json() -> None:
    fields = {field.name: field for field in describe(Config)}
    assert fields["mode"].type == "random|hard"
    assert fields["epochs"].description == "passes over the training split"
    assert as_json(Config(vectors=Path("x")))["vectors"] == "x"


@dataclass(frozen=True)
class Asking:
    """A config with a setting that names a file, and one that holds a secret."""

    prompt: str = option("builtin", "a packaged text or a file")
    arguments: str = option("", "arguments of a server", private=True)

    def file_digests(self) -> dict[str, str]:
        path = Path(self.prompt)
        return {"prompt": hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}


def test_private_settings_are_neither_recorded_nor_identity() -> None:
    config = Asking(arguments="--api-key sk-SECRET")
    assert recorded(config) == {"prompt": "builtin"}
    assert changed_settings(config) == {}
    assert config_hash(config, targets="all") == config_hash(Asking(), targets="all")


def test_a_file_is_known_by_what_is_in_it_and_recorded_by_its_name(tmp_path: Path) -> None:
    file, copy = tmp_path / "mine.txt", tmp_path / "copy.txt"
    file.write_text("one")
    copy.write_text("one")
    config = Asking(prompt=str(file))
    before = config_hash(config, targets="all")
    assert config_hash(Asking(prompt=str(copy)), targets="all") == before
    file.write_text("two")
    assert config_hash(config, targets="all") != before
    assert recorded(config) == {"prompt": "mine.txt"}
    assert changed_settings(config) == {"prompt": "mine.txt"}
