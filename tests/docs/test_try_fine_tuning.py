"""docs/try_fine_tuning.py: which trials it makes, which splits it reads, what it keeps."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.data.registry import dataset_spec
from erc_bench.data.spec import SplitReading

SCRIPT = Path(__file__).parents[2] / "docs" / "try_fine_tuning.py"
TRIED = ["dataset", "context", "epochs", "batch_tokens", "learning_rate", "weight_power", "seed"]
FOUND = ["validation_micro_f1", "neutral_offset", "train_seconds"]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("try_fine_tuning", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "try_fine_tuning", module)
    spec.loader.exec_module(module)
    return module


def test_only_missing_trials_are_made_and_each_is_kept(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Any] = []

    def outcomes(trials: list[Any], *_: Any) -> Iterator[Any]:
        for trial in trials:
            made.append(trial)
            failed = trial.epochs == 3
            yield (
                "out of memory" if failed else script.Outcome(**dataclasses.asdict(trial), **dict.fromkeys(FOUND, 1.5))
            )

    monkeypatch.setattr(script, "outcomes", outcomes)
    output = tmp_path / "trials.csv"
    asked = ["--dataset", "sample", "--rate", "1e-4,2e-4,2e-4", "--seeds", "0-1,4", "--output", str(output)]
    assert script.main([*asked, "--epochs", "2"]) == 0
    assert [(trial.learning_rate, trial.seed) for trial in made] == [(r, s) for r in (1e-4, 2e-4) for s in (0, 1, 4)]
    assert {trial.context for trial in made} == {"dialogue"}
    lines = output.read_text().splitlines()
    assert lines[0].split(",") == TRIED + FOUND
    assert lines[1] == "sample,dialogue,2,4096,0.0001,0.25,0,1.5,1.5,1.5"
    assert script.tried(output) == set(made)
    made.clear()
    assert script.main([*asked, "--epochs", "1-3"]) == 1
    assert [trial.epochs for trial in made] == [1] * 6 + [3] * 6
    assert "out of memory" in capsys.readouterr().err
    assert len(output.read_text().splitlines()) == 13
    assert script.main([*asked, "--epochs", "2", "--context", "past"]) == 0
    assert [trial.context for trial in made[12:]] == ["past"] * 6


def test_the_test_split_is_not_read(script: ModuleType, sample: Dataset) -> None:
    spec = dataset_spec("sample")
    asked: list[str] = []

    def read(folder: Path, split: Any) -> SplitReading:
        asked.append(split)
        return spec.read(folder, split)

    assert script.read(dataclasses.replace(spec, read=read)) == (sample.train, sample.validation)
    assert asked == ["train", "validation"]


def test_a_trial_is_scored_as_the_system_scores_itself(
    script: ModuleType, sample: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "read", lambda spec: (sample.train[:6], sample.validation[:4]))
    trial = script.Trial("sample", "utterance", 1, 1024, 1e-4, 0.5, 3)
    outcome = script.attempt(trial, "minilm", "cpu")
    assert dataclasses.asdict(outcome).items() >= dataclasses.asdict(trial).items()
    assert 0 < outcome.validation_micro_f1 <= 100
    assert outcome.train_seconds > 0
    failed = script.attempt(dataclasses.replace(trial, epochs=0), "minilm", "cpu")
    assert "ConfigError: the setting epochs of dialogue-encoder must be" in failed
