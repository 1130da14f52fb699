from __future__ import annotations

from pathlib import Path

import pytest

import erc_bench
from erc_bench.contract.domain import Dataset
from erc_bench.errors import ConfigError, DataMissingError, SystemFailedError, UsageError
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import read_record, write_record
from erc_bench.systems.floors import Constant


def test_a_run_a_seed_in_order_and_complete_ones_are_not_made_again(sample: Dataset, tmp_path: Path) -> None:
    runs = erc_bench.run("prior", dataset=sample, seeds=[2, 0], results_dir=str(tmp_path))
    assert [run.record.seed for run in runs] == [2, 0]
    (again,) = erc_bench.run("prior", dataset="sample", seeds=2, results_dir=tmp_path)
    assert again == runs[0]
    (anew,) = erc_bench.run("prior", dataset="sample", seeds=2, results_dir=tmp_path, overwrite=True)
    assert anew.record.started >= again.record.started
    assert read_predictions(anew.folder) == read_predictions(again.folder)


def test_a_class_and_its_settings(sample: Dataset, tmp_path: Path) -> None:
    settings = {"label": "anger"}
    (run,) = erc_bench.run(Constant, dataset=sample, settings=settings, targets="last", results_dir=tmp_path)
    assert run.record.title == "constant (label=anger, targets=last)"
    assert run.record.predictions == len(sample.test)


def test_what_cannot_be_run_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'label'"):
        erc_bench.run("constant", dataset="sample", settings={"labell": "anger"}, results_dir=tmp_path)
    with pytest.raises(UsageError):
        erc_bench.run("prior", dataset="sample", withhold="hunger", results_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((ConfigError, SystemFailedError), match="envy"):
        erc_bench.run("constant", dataset="sample", settings={"label": "envy"}, results_dir=tmp_path)


def test_systems_say_what_they_are() -> None:
    found = erc_bench.systems()
    assert found["prior"].floor
    assert found["llm"].context == "dialogue"


def test_a_system_is_checked() -> None:
    results = erc_bench.check("constant", settings={"label": "anger"}, device="cpu")
    assert results
    assert {result.outcome for result in results} <= {"passed", "not applicable"}


def test_predictions_made_elsewhere_become_a_run(sample: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    rows = [f"{dialogue.id},{len(dialogue) - 1},happiness" for dialogue in sample.test]
    file.write_text("\n".join(["dialogue,turn,label", *rows]))
    run = erc_bench.score(file, name="elsewhere", dataset=sample, targets="last", results_dir=tmp_path, source="Doe")
    assert (run.record.evidence, run.record.reference, run.record.predictions) == (
        "predictions",
        "Doe",
        len(sample.test),
    )
    with pytest.raises(UsageError, match="registered system"):
        erc_bench.score(file, name="prior", dataset=sample, targets="last", results_dir=tmp_path)


def test_complete_runs_are_exported(sample: Dataset, tmp_path: Path) -> None:
    done, broken = erc_bench.run("prior", dataset=sample, seeds=[0, 1], results_dir=tmp_path / "results")
    write_record(broken.folder, broken.record.model_copy(update={"status": "running"}))
    (copy,) = erc_bench.export(tmp_path / "published", results_dir=tmp_path / "results")
    assert copy.folder.relative_to(tmp_path / "published") == done.folder.relative_to(tmp_path / "results")
    assert read_record(copy.folder).scores == done.record.scores
    with pytest.raises(UsageError, match="must be complete to be exported, got status 'running'"):
        erc_bench.export(tmp_path / "published", [done.folder, broken.folder])
    write_record(done.folder, done.record.model_copy(update={"status": "failed"}))
    with pytest.raises(DataMissingError, match="must hold a complete run to be exported"):
        erc_bench.export(tmp_path / "published", results_dir=tmp_path / "results")
