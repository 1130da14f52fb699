from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import ConfigError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.systems.tfidf_logreg import TfidfLogreg, TfidfLogregConfig

SILENT = SilentProgress()


@pytest.fixture(scope="module")
def system(sample: Dataset) -> TfidfLogreg:
    made = TfidfLogreg(labels=sample.labels)
    made.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    return made


def answers(system: TfidfLogreg, dialogues: list[Dialogue]) -> dict[Target, Prediction]:
    bare = [d.without_labels() for d in dialogues]
    targets = [t for d in bare for t in d.targets()]
    return {p.target: p for p in system.predict(bare, targets, progress=SILENT)}


def test_it_learns_what_words_mean(system: TfidfLogreg, sample: Dataset) -> None:
    made = answers(system, list(sample.train))
    right = [made[t].label == u.label for d in sample.train for t, u in zip(d.targets(), d.utterances, strict=True)]
    assert np.mean(right) > 0.9


def test_what_is_saved_answers_the_same_when_loaded(system: TfidfLogreg, sample: Dataset, tmp_path: Path) -> None:
    system.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    loaded = TfidfLogreg(labels=sample.labels)
    loaded.load(tmp_path)
    assert answers(loaded, list(sample.test)) == answers(system, list(sample.test))
    assert loaded.report() == system.report()
    assert loaded.parameters == system.parameters


def test_an_answer_does_not_depend_on_the_others(system: TfidfLogreg, sample: Dataset) -> None:
    everything = answers(system, list(sample.test))
    for dialogue in sample.test[:3]:
        for target, alone in answers(system, [dialogue]).items():
            assert alone == everything[target]


def test_argmax_takes_the_likeliest_label(sample: Dataset) -> None:
    made = TfidfLogreg(TfidfLogregConfig(decision="argmax"), labels=sample.labels)
    made.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    assert made.report().measurements["neutral_offset"] == 0


def test_probabilities_are_scikit_learn_s(system: TfidfLogreg, sample: Dataset) -> None:
    for made in answers(system, list(sample.test[:2])).values():
        assert made.scores is not None
        assert sum(made.scores.values()) == pytest.approx(1, abs=1e-4)
        assert set(made.scores) == set(sample.labels.names)


@pytest.mark.parametrize("kept", [{"no emotion", "happiness"}, {"no emotion", "happiness", "anger"}])
def test_a_label_that_training_lacks_is_never_given(sample: Dataset, kept: set[str]) -> None:
    train = [
        replace(d, utterances=tuple(replace(u, label=u.label if u.label in kept else None) for u in d.utterances))
        for d in sample.train
    ]
    made = TfidfLogreg(labels=sample.labels)
    made.fit(train, sample.validation, seed=0, progress=SILENT)
    given = answers(made, list(sample.train))
    assert {p.label for p in given.values()} == kept
    right = [
        given[t].label == u.label
        for d in train
        for t, u in zip(d.targets(), d.utterances, strict=True)
        if u.label is not None
    ]
    assert np.mean(right) > 0.9


def test_one_label_cannot_be_learned(sample: Dataset) -> None:
    train = [
        replace(d, utterances=tuple(replace(u, label="no emotion") for u in d.utterances)) for d in sample.train[:3]
    ]
    with pytest.raises(SystemFailedError, match="two labels or more"):
        TfidfLogreg(labels=sample.labels).fit(train, [], seed=0, progress=SILENT)


def test_a_solver_that_stops_early_is_no_warning(sample: Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = TfidfLogreg(TfidfLogregConfig(max_iter=2), labels=sample.labels)
        made.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    assert made.report().measurements["converged"] is False


def test_a_count_that_leaves_no_ngram_is_refused(sample: Dataset) -> None:
    made = TfidfLogreg(TfidfLogregConfig(min_count=100_000), labels=sample.labels)
    with pytest.raises(ConfigError, match="min_count must leave an n-gram of the 697 training utterances, got 100000"):
        made.fit(sample.train, sample.validation, seed=0, progress=SILENT)
