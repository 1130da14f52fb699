from __future__ import annotations

from pathlib import Path

import pytest

import erc_bench
from erc_bench.contract.domain import Dataset
from erc_bench.data.skeleton import write_skeleton
from erc_bench.errors import ConfigError, DataMissingError, SystemFailedError, UsageError
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import read_record, write_record
from erc_bench.records.seen import SEEN_FILE, write_seen
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


def test_a_system_trained_on_another_corpus(home: Path, sample: Dataset, tmp_path: Path) -> None:
    corpus = tmp_path / "mine"
    write_skeleton(corpus)
    results = tmp_path / "results"
    trained, ordinary = (
        erc_bench.run("lookup", dataset=corpus, train_on=other, results_dir=results)[0] for other in (sample, corpus)
    )
    assert trained.record.title == "lookup (trained on sample)"
    assert ordinary.record.title == "lookup"
    assert trained.record.config_hash != ordinary.record.config_hash
    assert ordinary.folder == erc_bench.run("lookup", dataset=corpus, results_dir=results)[0].folder
    assert trained.record.command.endswith("--dataset mine --seed 0 --train-on sample")
    said = trained.record.trained_on
    assert said is not None
    assert (said.dataset, said.fingerprint) == ("sample", sample.fingerprint)
    assert said.labels == {"no emotion": "calm", "happiness": "joy", "anger": "anger"}
    assert set(said.left_out) == {"disgust", "fear", "sadness", "surprise"}
    assert {found.label for found in read_predictions(trained.folder).values()} <= {"calm", "joy", "anger"}
    assert erc_bench.verify(results_dir=results).differences == ()
    copy = erc_bench.export(tmp_path / "published", [trained.folder], results_dir=results)[0]
    assert (copy.folder / SEEN_FILE).is_file()
    pair = erc_bench.compare("lookup (trained on sample)", "lookup", results_dir=results)
    assert pair.protocol == "transfer"


def test_what_cannot_be_trained_elsewhere_is_refused(home: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "mine"
    write_skeleton(corpus)
    with pytest.raises(UsageError, match="must learn to be trained on another corpus, got constant"):
        erc_bench.run("constant", dataset="sample", train_on=corpus, results_dir=tmp_path)
    with pytest.raises(UsageError, match="without --withhold and --targets last"):
        erc_bench.run("lookup", dataset="sample", train_on=corpus, targets="last", results_dir=tmp_path)


def test_a_training_corpus_that_changed_is_noticed(home: Path, sample: Dataset, tmp_path: Path) -> None:
    corpus = tmp_path / "mine"
    write_skeleton(corpus)
    (run,) = erc_bench.run("lookup", dataset=sample, train_on=corpus, results_dir=tmp_path / "results")
    train = corpus / "train.jsonl"
    train.write_text(train.read_text().replace("radio", sample.test[0].utterances[0].text))
    with pytest.raises(UsageError, match="was made on data with fingerprint"):
        erc_bench.run("lookup", dataset=sample, train_on=corpus, results_dir=tmp_path / "results")
    (difference,) = erc_bench.verify(results_dir=tmp_path / "results").differences
    assert "trained on other data" in str(difference)
    record = run.record.model_copy(deep=True)
    assert record.trained_on is not None
    record.trained_on.fingerprint = erc_bench.load_dataset(corpus).fingerprint
    record.trained_on.left_out = {"joy": 1}
    write_record(run.folder, record)
    write_seen(run.folder, sample, record.trained_on.fingerprint, sample.test[0].targets())
    found = "; ".join(map(str, erc_bench.verify(results_dir=tmp_path / "results").differences))
    assert "the training utterances left out is recorded as {'joy': 1}, recomputed {}" in found
    assert f"got {len(sample.test[0])} others and 0 too few" in found
