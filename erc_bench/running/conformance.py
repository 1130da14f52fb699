"""The conformance suite: what every system must do, built-in or not (`erc-bench systems check NAME`).

It runs on the embedded sample, so that a system is checked in seconds; `tests/running/test_conformance.py` runs it over
every registered system, and anybody can run it in the tests of their own package:

    @pytest.mark.parametrize("result", erc_bench.check(MySystem), ids=lambda result: result.name)
    def test_contract(result): assert result.outcome != "failed", result.reason
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from erc_bench.contract.config import as_json, describe
from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import Prediction, Runtime, System
from erc_bench.data import load_dataset
from erc_bench.progress import SilentProgress
from erc_bench.running.context_check import check_context

TRAIN_DIALOGUES = 40
TEST_DIALOGUES = 8
SUFFIXES_OF_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"}

Outcome = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One statement of the contract, and whether the system keeps it."""

    name: str
    outcome: Outcome
    reason: str = ""


class _BrokenContractError(Exception):
    """The system does not keep the statement; the message says how."""


class _NotApplicableError(Exception):
    """The statement does not concern this system; the message says why."""


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise _BrokenContractError(problem)


class _Checks:
    def __init__(self, system: type[System[Any]], config: Any, device: str, folder: Path) -> None:
        self.system, self.folder = system, folder
        self.config = system.Config() if config is None else config
        whole = load_dataset("sample")
        self.dataset = _part(whole)
        self.dialogues = [dialogue.without_labels() for dialogue in self.dataset.test]
        self.targets = [target for dialogue in self.dialogues for target in dialogue.targets()]
        self.runtime = Runtime(seed=0, device=device, cache_dir=folder / "cache")
        self.progress = SilentProgress()
        self.model = folder / "model"
        self._ready: System[Any] | None = None
        self._answers: dict[Target, Prediction] = {}

    def _new(self) -> System[Any]:
        return self.system(self.config, labels=self.dataset.labels, runtime=self.runtime)

    def ready(self) -> System[Any]:
        """The system, trained if it trains, and loaded from what it saved."""
        if self._ready is None:
            system = self._new()
            if system.trains:
                system.fit(self.dataset.train, self.dataset.validation, seed=0, progress=self.progress)
                self.model.mkdir()
                system.save(self.model)
                system.close()
                system = self._new()
                system.load(self.model)
            self._ready = system
        return self._ready

    def ask(self, targets: Sequence[Target], dialogues: Sequence[Dialogue] | None = None) -> list[Prediction]:
        return list(self.ready().predict(dialogues or self.dialogues, targets, progress=self.progress))

    def answers(self) -> dict[Target, Prediction]:
        if not self._answers:
            self._answers = {prediction.target: prediction for prediction in self.ask(self.targets)}
        return self._answers

    def close(self) -> None:
        if self._ready is not None:
            self._ready.close()

    # Each check is a method; its first docstring line is the statement that a user reads.

    def check_info(self) -> None:
        """Info names the system, what it is, its reference and its licence"""
        info = self.system.info
        empty = [name for name in ("name", "summary", "reference", "licence") if not getattr(info, name).strip()]
        _require(not empty, f"info.{' and info.'.join(empty)} must not be empty")

    def check_settings(self) -> None:
        """Every setting has a description and a default that JSON can hold"""
        bare = [field.name for field in describe(self.system.Config) if not field.description.strip()]
        _require(not bare, f"give these fields a description with erc_bench.option: {', '.join(bare)}")
        json.dumps(as_json(self.config))

    def check_answers_every_target_once(self) -> None:
        """Predict answers every target once and nothing else"""
        got = [prediction.target for prediction in self.ask(self.targets)]
        _require(sorted(got) == sorted(self.targets), f"{len(self.targets)} targets asked, {len(set(got))} answered")

    def check_labels(self) -> None:
        """Labels and scores name labels of the dataset only, or no usable answer (None)"""
        names = set(self.dataset.labels.names)
        for prediction in self.answers().values():
            _require(prediction.label is None or prediction.label in names, f"{prediction.label!r} is not a label")
            extra = set(prediction.scores or ()) - names
            _require(not extra, f"scores name {sorted(extra)}, which are not labels")

    def check_answers_do_not_depend_on_the_others(self) -> None:
        """A subset of targets gets the same answers as all of them (a resumed run asks for the rest only)"""
        if not self.system.info.deterministic:
            raise _NotApplicableError("answers are sampled")
        some = self.targets[1::3]
        wanted = {target.dialogue for target in some}
        part = self.ask(some, [dialogue for dialogue in self.dialogues if dialogue.id in wanted])
        changed = [p.target for p in part if p != self.answers()[p.target]]
        _require(not changed, f"{len(changed)} answers changed, for example {changed[:1]}")

    def check_saved_and_loaded_again(self) -> None:
        """What is saved answers as before when loaded, and holds no pickle"""
        if not self.ready().trains:
            raise _NotApplicableError("nothing to learn")
        before = self.answers()
        pickles = [path.name for path in self.model.rglob("*") if path.suffix in SUFFIXES_OF_PICKLES]
        _require(not pickles, f"save safetensors and JSON, not {', '.join(pickles)}")
        again = self._new()
        again.load(self.model)
        after = {p.target: p for p in again.predict(self.dialogues, self.targets, progress=self.progress)}
        again.close()
        _require(after == before, "the loaded system answers otherwise than the saved one")

    def check_seed_decides(self) -> None:
        """Training twice with one seed gives the same answers"""
        if not self.ready().trains:
            raise _NotApplicableError("nothing to learn")
        if not self.system.info.deterministic:
            raise _NotApplicableError("answers are sampled")
        twin = self._new()
        twin.fit(self.dataset.train, self.dataset.validation, seed=0, progress=self.progress)
        labels = {p.target: p.label for p in twin.predict(self.dialogues, self.targets, progress=self.progress)}
        twin.close()
        _require(labels == {target: p.label for target, p in self.answers().items()}, "answers differ")

    def check_claimed_context(self) -> None:
        """The context it claims is all it reads: the rest is withheld and answers stay"""
        outcome = check_context(self.ready(), self.dialogues)
        if not outcome.tested:
            raise _NotApplicableError(outcome.reason)

    def check_long_dialogue(self) -> None:
        """A dialogue of 60 utterances and one of a single utterance are answered"""
        seed = self.dialogues[0]
        long = replace(seed, id="long", utterances=(seed.utterances * 60)[:60])
        short = replace(seed, id="short", utterances=seed.utterances[:1])
        targets = [*long.targets(), *short.targets()]
        _require(len(self.ask(targets, [long, short])) == len(targets), "some utterances got no answer")

    def check_embeddings(self) -> None:
        """Embed gives one float32 (utterances, dim) array a dialogue"""
        if not self.ready().embeds:
            raise _NotApplicableError("has no embeddings")
        import numpy as np

        arrays = list(self.ready().embed(self.dialogues, progress=self.progress))
        shapes = [array.shape for array in arrays]
        _require([shape[0] for shape in shapes] == [len(dialogue) for dialogue in self.dialogues], f"shapes {shapes}")
        _require(all(array.dtype == np.float32 for array in arrays), "embeddings must be float32")


def _part(dataset: Dataset) -> Dataset:
    return replace(
        dataset,
        train=dataset.train[:TRAIN_DIALOGUES],
        validation=dataset.validation[:TEST_DIALOGUES],
        test=dataset.test[:TEST_DIALOGUES],
    )


def check_system(system: type[System[Any]], config: Any = None, *, device: str = "auto") -> list[CheckResult]:
    """Check a system against the whole contract on a part of the embedded sample.

    Parameters
    ----------
    system
        The class; it need not be registered.
    config
        An instance of its `Config`; None for the defaults.
    device
        As `--device`.
    """
    results = []
    with tempfile.TemporaryDirectory() as folder:
        checks = _Checks(system, config, device, Path(folder))
        try:
            for name in [name for name in vars(_Checks) if name.startswith("check_")]:
                method: Callable[[], None] = getattr(checks, name)
                results.append(_result(method))
        finally:
            checks.close()
    return results


def _result(check: Callable[[], None]) -> CheckResult:
    statement = (check.__doc__ or "").strip().splitlines()[0]
    try:
        check()
    except _NotApplicableError as reason:
        return CheckResult(statement, "not applicable", str(reason))
    except Exception as error:
        message = str(error) if isinstance(error, _BrokenContractError) else f"{type(error).__name__}: {error}"
        return CheckResult(statement, "failed", message)
    return CheckResult(statement, "passed")
