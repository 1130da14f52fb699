from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from erc_bench import Dialogue, LabelSet, NoConfig, Prediction, Progress, Runtime, System, SystemInfo, Target, option
from erc_bench.errors import SystemFailedError
from erc_bench.progress import SilentProgress

LABELS = LabelSet(("calm", "joy"), neutral="calm")


@dataclass(frozen=True)
class Loudness:
    above: int = option(3, "how many exclamation marks are joy")


@dataclass(frozen=True)
class Quiet(Loudness):
    above: int = option(1, "how many exclamation marks are joy")


class Loud(System[Loudness]):
    info = SystemInfo("loud", "exclamation marks", "none", "utterance", "CC0-1.0")

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        for target in targets:
            yield Prediction(*target, LABELS.names[self.config.above > 2])


class Quieter(Loud):
    Config = Quiet


class Plain(System[NoConfig]):
    info = SystemInfo("plain", "nothing", "none", "utterance", "CC0-1.0")

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> list[Prediction]:
        return [Prediction(*target, None) for target in targets]


class Learner(Plain):
    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        """Learn nothing, but say so."""


def test_the_class_of_the_settings_is_what_the_system_is_made_generic_in() -> None:
    assert (Loud.Config, Quieter.Config, Plain.Config, Learner.Config) == (Loudness, Quiet, NoConfig, NoConfig)
    assert Loud(labels=LABELS).config.above == 3
    assert Quieter(labels=LABELS).config.above == 1
    assert Loud(Loudness(above=9), labels=LABELS).config.above == 9


def test_a_system_that_says_nothing_else_reads_what_its_info_says_and_learns_nothing() -> None:
    system = Plain(labels=LABELS)
    assert (system.context, system.parameters, system.trains, system.embeds) == ("utterance", None, False, False)
    assert system.runtime == Runtime()
    assert system.report().notes == ()
    assert Learner(labels=LABELS).trains
    with pytest.raises(SystemFailedError, match="the system plain has no embeddings"):
        system.embed([], progress=SilentProgress())


def test_a_prediction_knows_its_target() -> None:
    (answer,) = Loud(labels=LABELS).predict([], [Target("d", 2)], progress=SilentProgress())
    assert (answer.target, answer.label) == (Target("d", 2), "joy")


@pytest.mark.parametrize(("device", "gpus"), [("auto", 0.0), ("cpu", 0.0), ("cuda", 1.0), ("cuda:1", 1.0)])
def test_a_run_takes_a_gpu_where_it_was_told_to_compute_on_one(device: str, gpus: float) -> None:
    needs = Plain(labels=LABELS, runtime=Runtime(device=device)).resources
    assert (needs.cpus, needs.gpus, needs.memory_gib) == (1, gpus, 3.0)


@dataclass(frozen=True)
class Threaded:
    threads: int = option(1, "threads that it computes with")


class Parallel(System[Threaded]):
    info = Plain.info
    predict = Plain.predict


def test_a_run_takes_as_many_cores_as_it_computes_with_threads() -> None:
    assert [Parallel(Threaded(count), labels=LABELS).resources.cpus for count in (1, 3)] == [1, 3]
