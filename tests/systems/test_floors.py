from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target, Utterance
from erc_bench.contract.system import System
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import ConfigError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.systems.floors import Constant, ConstantConfig, Lookup, Prior

SILENT = SilentProgress()


def dialogue(name: str, *turns: tuple[str, str | None]) -> Dialogue:
    return Dialogue(name, tuple(Utterance(text, "AB"[i % 2], label) for i, (text, label) in enumerate(turns)))


TRAIN = [
    dialogue("train-0", ("Oh  NO!", "anger"), ("oh no!", "sadness"), ("Oh no!", "sadness"), ("Fine.", "no emotion")),
    dialogue("train-1", ("A tie", "surprise"), ("a tie", "disgust"), ("Yes!", "no emotion"), ("Yes!", "happiness")),
]


def trained(system: type[System[Any]], seed: int = 0) -> System[Any]:
    made = system(labels=LABELS)
    made.fit(TRAIN, [], seed=seed, progress=SILENT)
    return made


def labels(system: System[Any], dialogues: list[Dialogue], targets: list[Target] | None = None) -> list[str | None]:
    bare = [d.without_labels() for d in dialogues]
    targets = targets if targets is not None else [t for d in bare for t in d.targets()]
    answers = {p.target: p.label for p in system.predict(bare, targets, progress=SILENT)}
    assert set(answers) == set(targets)
    return [answers[target] for target in targets]


def test_constant_gives_the_neutral_label_unless_told_otherwise() -> None:
    asked = [dialogue("test-0", ("Hi", None), ("Ho", None))]
    assert labels(Constant(labels=LABELS), asked) == ["no emotion"] * 2
    assert labels(Constant(ConstantConfig("happiness"), labels=LABELS), asked) == ["happiness"] * 2


def test_constant_refuses_a_label_that_the_dataset_lacks() -> None:
    with pytest.raises(ConfigError, match=r"must be one of no emotion, anger.*got 'joy'"):
        Constant(ConstantConfig("joy"), labels=LABELS)


def test_constant_has_nothing_to_learn() -> None:
    assert not Constant(labels=LABELS).trains


def test_lookup_folds_texts_takes_the_majority_and_breaks_ties_by_label_order() -> None:
    asked = [dialogue("test-0", ("OH NO!", None), ("a  TIE", None), ("yes!", None), ("never seen", None))]
    assert labels(trained(Lookup), asked) == ["sadness", "disgust", "no emotion", "no emotion"]


def test_a_saved_lookup_holds_no_text(tmp_path: Path) -> None:
    trained(Lookup).save(tmp_path)
    saved = (tmp_path / "model.json").read_text()
    assert "tie" not in saved
    assert "sadness" in saved


def test_prior_draws_as_often_as_training_labels() -> None:
    many = [dialogue(f"test-{i}", *[("x", None)] * 10) for i in range(800)]
    drawn = Counter(labels(trained(Prior), many))
    expected = Counter(u.label for d in TRAIN for u in d.utterances)
    assert set(drawn) == set(expected)
    for label, count in expected.items():
        assert drawn[label] / 8000 == pytest.approx(count / 8, abs=0.02)


def test_prior_draws_for_a_target_whatever_else_is_asked() -> None:
    system = trained(Prior)
    asked = dialogue("test-0", *[("x", None)] * 30)
    everything = labels(system, [asked])
    assert labels(system, [asked], [Target("test-0", 17)]) == everything[17:18]
    assert labels(system, [asked], asked.targets()[::-1]) == everything[::-1]


def test_prior_depends_on_the_seed() -> None:
    asked = dialogue("test-0", *[("x", None)] * 50)
    assert labels(trained(Prior, 1), [asked]) != labels(trained(Prior, 2), [asked])


@pytest.mark.parametrize("system", [Prior, Lookup])
def test_what_is_saved_answers_the_same_when_loaded(system: type[System[Any]], tmp_path: Path, sample: Dataset) -> None:
    first = system(labels=sample.labels)
    first.fit(sample.train, sample.validation, seed=5, progress=SILENT)
    first.save(tmp_path)
    second = system(labels=sample.labels)
    second.load(tmp_path)
    assert labels(second, list(sample.test)) == labels(first, list(sample.test))


@pytest.mark.parametrize("system", [Prior, Lookup])
def test_withheld_labels_are_not_learned(system: type[System[Any]]) -> None:
    without = [
        replace(d, utterances=tuple(replace(u, label=None if u.label == "sadness" else u.label) for u in d.utterances))
        for d in TRAIN
    ]
    made = system(labels=LABELS)
    made.fit(without, [], seed=0, progress=SILENT)
    assert "sadness" not in labels(made, [dialogue("test-0", *[("Oh no!", None)] * 200)])


@pytest.mark.parametrize("system", [Prior, Lookup])
def test_a_folder_without_a_model_is_refused(system: type[System[Any]], tmp_path: Path) -> None:
    with pytest.raises(SystemFailedError, match=r"must hold a trained model"):
        system(labels=LABELS).load(tmp_path)


@pytest.mark.parametrize("system", [Constant, Prior, Lookup])
def test_floors_are_marked_as_floors(system: type[System[Any]]) -> None:
    assert system.info.floor
    assert system.info.context == "utterance"
