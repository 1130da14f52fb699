"""The phases of a run by themselves; what goes around them (folders, locks, kills) is tested in `test_runner.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import NoConfig, Prediction, Runtime
from erc_bench.progress import Progress, SilentProgress
from erc_bench.records.predictions import PREDICTIONS_FILE, read_predictions
from erc_bench.running.execution import Execution, total_usage
from erc_bench.running.request import RunRequest, new_record
from erc_bench.systems.floors import Constant, ConstantConfig, Lookup


def execution(request: RunRequest, folder: Path) -> Execution:
    folder.mkdir(parents=True, exist_ok=True)
    return Execution(request, folder, new_record(request), SilentProgress())


def test_the_phases_leave_a_complete_record(sample: Dataset, tmp_path: Path) -> None:
    made = execution(RunRequest(Lookup, NoConfig(), sample, tmp_path, runtime=Runtime(seed=9)), tmp_path / "run")
    record = made.run()
    assert (record.status, record.predictions) == ("complete", len(made.targets))
    assert list(read_predictions(tmp_path / "run")) == made.targets
    assert record.context_check is not None
    assert record.context_check.tested
    assert record.hardware["threads"] >= 1
    assert made.runtime.seed == 0, "the seed is that of the request"


def test_a_system_never_sees_the_labels_of_the_test_split(sample: Dataset, tmp_path: Path) -> None:
    made = execution(RunRequest(Lookup, NoConfig(), sample, tmp_path), tmp_path / "run")
    assert {utterance.label for dialogue in made.test for utterance in dialogue.utterances} == {None}


def test_only_what_is_not_there_yet_is_asked(sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = RunRequest(Constant, ConstantConfig(label="anger"), sample, tmp_path)
    execution(request, tmp_path / "run").run()
    whole = (tmp_path / "run" / PREDICTIONS_FILE).read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "run" / PREDICTIONS_FILE).write_bytes(b"".join(lines[:-5]))
    asked: list[int] = []
    predict = Constant.predict

    def counting(
        self: Constant, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        asked.append(len(targets))
        answers: Iterable[Prediction] = predict(self, dialogues, targets, progress=progress)
        return answers

    monkeypatch.setattr(Constant, "predict", counting)
    execution(request, tmp_path / "run").run()
    assert 5 in asked
    assert asked.count(len(lines)) == 1, "all at once only to measure the speed"
    assert (tmp_path / "run" / PREDICTIONS_FILE).read_bytes() == whole


def test_usage_is_summed_by_kind() -> None:
    answers = [
        Prediction("d", 0, None, usage={"tokens": 2}),
        Prediction("d", 1, None),
        Prediction("d", 2, None, usage={"images": 1, "tokens": 3}),
    ]
    assert total_usage(answers) == {"tokens": 5, "images": 1}
    assert total_usage([]) == {}
