"""Small systems that tests run: what they fitted and were asked for is kept in `FITS` and `ASKED`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import Prediction, Report, System, SystemInfo
from erc_bench.progress import Progress, SilentProgress
from erc_bench.running.runner import RunOutcome, RunRequest, execute

FITS: list[int] = []
ASKED: list[Target] = []


@dataclass(frozen=True)
class Priced:
    price: float = option(0.0, "price of a token", identity=False)
    arguments: str = option("", "arguments of a server", private=True)
    fail: bool = option(False, "break in the middle", identity=False)


class Toy(System[Priced]):
    """Labels by the length of the text; learns one number; can be told to fail."""

    info = SystemInfo("toy", "length of the text", "none", "utterance", "CC0-1.0")
    fail_after: int | None = None
    shift = 0

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        FITS.append(seed)
        self.shift = seed

    def save(self, folder: Path) -> None:
        (folder / "toy.json").write_text(json.dumps(self.shift))

    def load(self, folder: Path) -> None:
        self.shift = json.loads((folder / "toy.json").read_text())

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        assert all(u.label is None for dialogue in dialogues for u in dialogue.utterances)
        for done, target in enumerate(reversed(targets)):
            if self.fail_after is not None and done >= self.fail_after and len(targets) > 100:
                raise ValueError("the toy broke")
            if len(targets) > 100:
                ASKED.append(target)
            length = len(by_id[target.dialogue].utterances[target.turn].text) + self.shift
            yield Prediction(*target, self.labels.names[length % len(self.labels)], {"anger": length / 7})

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        for dialogue in dialogues:
            yield np.ones((len(dialogue), 4), np.float32)


class Sampled(Toy):
    """Neither checked for its context nor probed for its speed: it is asked for its predictions only."""

    info = replace(Toy.info, deterministic=False)


class Breaking(Sampled):
    fail_after = 50


class Served(Sampled):
    """Waits for a server before it answers, counts tokens, and has a price."""

    WAIT = 0.3
    waited = 0.0

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        started = time.perf_counter()
        time.sleep(self.WAIT)
        self.waited = time.perf_counter() - started
        self.fail_after = 50 if self.config.fail else None
        for prediction in super().predict(dialogues, targets, progress=progress):
            yield replace(prediction, usage={"tokens": 2})

    def report(self) -> Report:
        return Report(prices={"tokens": self.config.price}, waited_seconds=self.waited)


def run(sample: Dataset, results: Path, system: type[System[Any]] = Toy, **changes: Any) -> RunOutcome:
    return execute(RunRequest(system, system.Config(), sample, results, **changes), SilentProgress())
