# mypy: ignore-errors
"""Systems of somebody's package that do what no system should."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from erc_bench import Dialogue, NoConfig, Prediction, Progress, Report, System, SystemInfo, Target


def info(name: str, **fields: Any) -> SystemInfo:
    values = {"summary": "hostile \x1b[31m", "reference": "=1+1", "context": "utterance", "licence": "-"} | fields
    return SystemInfo(name=name, **values)


class Base(System[NoConfig]):
    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        for target in targets:
            yield self.answer(target)

    def answer(self, target: Target) -> Any:
        return Prediction(*target, self.labels.fallback)


class Twice(Base):
    info = info("hostile-twice")

    def predict(self, dialogues, targets, *, progress):
        for target in targets:
            yield self.answer(target)
            yield self.answer(target)


class Types(Base):
    info = info("hostile-types")

    def answer(self, target):
        return {"label": "\x1b[2J"}


class Label(Base):
    info = info("hostile-label")

    def answer(self, target):
        return Prediction(*target, "\x1b[2Jforged")


class Lists(Base):
    info = info("hostile-lists")

    def answer(self, target):
        return Prediction([target.dialogue], {"turn": 1}, ["anger"])


class Nan(Base):
    info = info("hostile-nan")

    def answer(self, target):
        return Prediction(*target, "anger", scores={"anger": float("nan")})


class Usage(Base):
    info = info("hostile-usage")

    def answer(self, target):
        return Prediction(*target, "anger", usage={"tokens": "many"})


class Exits(Base):
    info = info("hostile-exits")

    def answer(self, target):
        sys.exit(0)


class ExitsHard(Base):
    info = info("hostile-exits-hard")

    def answer(self, target):
        os._exit(0)


class Forks(Base):
    info = info("hostile-forks")

    def predict(self, dialogues, targets, *, progress):
        for number, target in enumerate(targets):
            if number == 3:
                os.fork()
            yield self.answer(target)


class Stops(Base):
    info = info("hostile-stops")

    def answer(self, target):
        raise GeneratorExit("\x1b]0;title\x07 of its own")


class Prints(Base):
    """The only one that does what it should; it cannot be quiet."""

    info = info("hostile-prints")

    def answer(self, target):
        print("\x1b[2Jprinted")  # noqa: T201
        return super().answer(target)


class Changes(Base):
    info = info("hostile-changes")

    def fit(self, train, validation, *, seed, progress):
        for dialogue in train:
            for utterance in dialogue.utterances:
                object.__setattr__(utterance, "label", "anger")
            object.__setattr__(dialogue, "utterances", dialogue.utterances[:1])

    def predict(self, dialogues, targets, *, progress):
        asked = list(targets)
        targets.clear()
        for dialogue in dialogues:
            object.__setattr__(dialogue, "utterances", ())
        return map(self.answer, asked)


class Constructor(Base):
    info = info("hostile-constructor")

    def __init__(self, *arguments, **named):
        raise RuntimeError("no \x1b[31m")


class Reports(Base):
    info = info("hostile-reports")

    def report(self):
        return Report(notes=("\x1b[2J", 3), measurements={"set": {1, 2}})


class Parameters(Base):
    info = info("hostile-parameters")
    parameters = "many"


class Context(Base):
    info = info("hostile-context", context="everything")


class Summary(Base):
    info = info("hostile-summary", summary=["a", "list"])
