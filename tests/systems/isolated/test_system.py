from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erc_bench.contract.config import build_config, config_hash
from erc_bench.contract.domain import Dataset, Target, targets_of
from erc_bench.contract.system import Prediction, Runtime, System
from erc_bench.errors import DataMissingError, SystemFailedError
from erc_bench.files import file_sha256
from erc_bench.progress import SilentProgress
from erc_bench.records.predictions import read_predictions
from erc_bench.running.conformance import check_system
from erc_bench.running.runner import RunOutcome, RunRequest, execute
from erc_bench.running.withholding import withhold
from erc_bench.systems.isolated import system as isolated
from erc_bench.systems.isolated.system import IsolatedConfig, IsolatedLinear, IsolatedLstm, IsolatedLstmConfig
from erc_bench.toolkit import word_vectors

SILENT = SilentProgress()
SMALL: dict[str, Any] = {"hidden": 16, "epochs": 2, "batch": 49}
KINDS = [(IsolatedLinear, IsolatedConfig), (IsolatedLstm, IsolatedLstmConfig)]


@pytest.fixture(autouse=True)
def _small_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_vectors, "DIM", 16)
    monkeypatch.setattr(word_vectors, "BUCKETS", 500)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def vec_file(sample: Dataset, tmp_path: Path) -> Path:
    words = sorted({word for d in sample.train for u in d.utterances for word in word_vectors.tokens(u.text)})
    generator = np.random.default_rng(0)
    lines = [f"{word} {' '.join(f'{value:.4f}' for value in generator.normal(size=12))}" for word in words]
    path = tmp_path / "public.vec"
    path.write_text("\n".join([f"{len(words)} 12", *lines]) + "\n")
    return path


def fitted(sample: Dataset, cache: Path, kind: Any = KINDS[0], seed: int = 0, **settings: Any) -> Any:
    system, config = kind
    made = system(config(**(SMALL | settings)), labels=sample.labels, runtime=Runtime(device="cpu", cache_dir=cache))
    made.fit(sample.train, sample.validation, seed=seed, progress=SILENT)
    return made


def answers(system: System[Any], dataset: Dataset, targets: list[Target] | None = None) -> dict[Target, Prediction]:
    dialogues = [dialogue.without_labels() for dialogue in dataset.test]
    asked = targets or targets_of(dialogues, "all")
    return {p.target: p for p in system.predict(dialogues, asked, progress=SILENT)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_is_kept(kind: Any) -> None:
    system, config = kind
    failed = [f"{r.name}: {r.reason}" for r in check_system(system, config(**SMALL)) if r.outcome == "failed"]
    assert not failed


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_the_metric_space(sample: Dataset, cache: Path, vec_file: Path, kind: Any) -> None:
    """Training must lower the share of training triplets that are wrong, or the gradient does not reach the network."""
    from erc_bench.protocols.triplet.counts import triplet_counts

    def wrong(epochs: int) -> float:
        rate = 5e-3 if epochs > 1 else 1e-9
        system = fitted(
            replace(sample, validation=()), cache, kind, epochs=epochs, learning_rate=rate, hidden=32, vectors=vec_file
        )
        vectors = np.concatenate(list(system.embed(sample.train, progress=SILENT)))
        gold = np.array([sample.labels.index(u.label or "") for d in sample.train for u in d.utterances])
        return float(triplet_counts(vectors, gold, sample.labels).wrong.sum())

    assert wrong(epochs=20) < 0.9 * wrong(epochs=1)


def test_only_twenty_tokens_are_read(sample: Dataset, cache: Path) -> None:
    system = fitted(sample, cache)
    long, longer = "word " * 20, "word " * 20 + "happy sad angry"
    dialogue = sample.test[0]
    pair = replace(dialogue, utterances=tuple(replace(dialogue.utterances[0], text=t) for t in (long, longer)))
    first, second = next(iter(system.embed([pair], progress=SILENT)))
    np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("text", ["", "   ", "\u2603\u2603", "x" * 5000])
def test_strange_texts_get_an_answer(sample: Dataset, cache: Path, text: str) -> None:
    system = fitted(sample, cache)
    dialogue = replace(sample.test[0], utterances=(replace(sample.test[0].utterances[0], text=text, label=None),))
    (answer,) = system.predict([dialogue], [Target(dialogue.id, 0)], progress=SILENT)
    assert answer.label in sample.labels.names


def test_public_vectors_are_used_and_named(sample: Dataset, cache: Path, vec_file: Path, tmp_path: Path) -> None:
    system = fitted(sample, cache, vectors=vec_file)
    assert "public.vec" in system.report().notes[0]
    assert system.report().measurements["vectors_sha256"] == file_sha256(vec_file)
    folder = tmp_path / "model"
    folder.mkdir()
    system.save(folder)
    assert not (folder / isolated.WORD_VECTORS_FILE).exists()
    again = IsolatedLinear(system.config, labels=sample.labels, runtime=Runtime(device="cpu"))
    again.load(folder)
    assert answers(again, sample) == answers(system, sample)
    assert again.parameters == system.parameters
    content = vec_file.read_text()
    for other in ("1 3\nyes 1 2 3\n", content.replace("0.", "1.")):  # narrower, and of equal width
        vec_file.write_text(other)
        with pytest.raises(SystemFailedError, match=r"must be those that the model in .* was trained with"):
            IsolatedLinear(system.config, labels=sample.labels).load(folder)
    vec_file.unlink()
    with pytest.raises(DataMissingError):
        IsolatedLinear(system.config, labels=sample.labels).load(folder)


def test_a_model_trained_with_a_file_does_not_load_without_it(
    sample: Dataset, cache: Path, vec_file: Path, tmp_path: Path
) -> None:
    system = fitted(sample, cache, vectors=vec_file)
    system.save(tmp_path)
    with pytest.raises(SystemFailedError, match="got None"):
        IsolatedLinear(replace(system.config, vectors=None), labels=sample.labels).load(tmp_path)


@pytest.mark.parametrize(("kind", "digits"), [(KINDS[0], "a14acb0807ea"), (KINDS[1], "0fb85158a1b4")])
def test_runs_with_vectors_trained_here_keep_their_names(kind: Any, digits: str) -> None:
    assert config_hash(kind[1](decision="argmax"), targets="all") == digits


def test_other_vectors_in_the_same_file_are_another_run(
    sample: Dataset, vec_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(results: str = "results") -> RunOutcome:
        config = build_config(IsolatedConfig, SMALL | {"vectors": str(vec_file)}, owner="isolated-linear")
        runtime = Runtime(device="cpu")
        return execute(RunRequest(IsolatedLinear, config, sample, tmp_path / results, runtime=runtime), SILENT)

    def cut(self: System[Any], folder: Path) -> None:
        raise KeyboardInterrupt

    first = run()
    assert run().already_complete
    content = vec_file.read_text()
    vec_file.write_text(content.replace(" 0.", " 2."))
    with monkeypatch.context() as patch:
        patch.setattr(IsolatedLinear, "load", cut)
        with pytest.raises(KeyboardInterrupt):
            run()
    vec_file.write_text(content.replace(" 0.", " 3."))
    second = run()
    assert not second.already_complete
    assert second.run.folder != first.run.folder
    assert read_predictions(second.run.folder) == read_predictions(run(results="unbroken").run.folder)
    assert len(list(first.run.folder.parent.parent.iterdir())) == 3  # that of the cut run too
    vec_file.write_text(content)
    assert run().already_complete
    kept = (first.run.folder / "run.json").read_text()
    assert str(tmp_path) not in kept
    assert file_sha256(vec_file) in kept
    assert first.run.record.settings["vectors"] == "public.vec"
    assert "vectors=public.vec" in first.run.record.title


def test_a_missing_file_of_vectors_is_refused_before_the_run(sample: Dataset, tmp_path: Path) -> None:
    config = IsolatedConfig(vectors=tmp_path / "gone.vec")
    with pytest.raises(DataMissingError, match=r"vectors must be a file, got .*, which is not there"):
        execute(RunRequest(IsolatedLinear, config, sample, tmp_path / "results"), SILENT)
    assert not (tmp_path / "results").exists()


def test_vectors_trained_here_and_the_reading_of_the_space_are_told(sample: Dataset, cache: Path) -> None:
    system = fitted(sample, cache)
    vectors, reading = system.report().notes
    assert "trained on the training split" in vectors
    assert "chosen on validation" in reading


def test_seeds_differ(sample: Dataset, cache: Path) -> None:
    first, other = fitted(sample, cache), fitted(sample, cache, seed=1)
    vectors = [next(iter(system.embed(sample.test, progress=SILENT))) for system in (first, other)]
    assert not np.array_equal(*vectors)


def test_a_withheld_label_is_never_predicted(sample: Dataset, cache: Path) -> None:
    without = replace(
        sample, train=withhold(sample.train, "surprise"), validation=withhold(sample.validation, "surprise")
    )
    assert all(answer.label != "surprise" for answer in answers(fitted(without, cache), sample).values())


def test_without_validation_it_still_trains(sample: Dataset, cache: Path) -> None:
    system = fitted(replace(sample, validation=()), cache)
    assert "nearest class mean" in system.report().notes[1]
