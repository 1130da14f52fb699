from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import Prediction, System
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import read_record
from erc_bench.running.runner import RunRequest, execute
from tests.running.toys import Breaking, Priced, Sampled, Served, Toy, run


def test_a_run_leaves_the_documented_folder(sample: Dataset, tmp_path: Path) -> None:
    outcome = run(sample, tmp_path, seed=3)
    folder, record = outcome.run.folder, outcome.run.record
    assert folder == tmp_path / "sample" / "toy" / record.config_hash / "seed-3"
    assert record == read_record(folder)
    assert record.status == "complete"
    assert record.dataset_fingerprint == sample.fingerprint
    assert record.command == "erc-bench run --system toy --dataset sample --seed 3"
    assert record.context_check is not None
    assert record.context_check.tested
    assert set(record.timings) == {"train", "predict", "embed"}
    assert set(record.scores) >= {"micro_f1", "macro_f1", "mcc"}
    assert record.utterances_per_second is not None
    assert (folder / "model" / "toy.json").is_file()
    arrays = np.load(folder / "embeddings.npz")
    assert arrays["embeddings"].shape == (record.predictions, 4)
    assert arrays["lengths"].tolist() == [len(dialogue) for dialogue in sample.test]


def test_predictions_stand_in_the_order_of_the_split(sample: Dataset, tmp_path: Path) -> None:
    found = list(read_predictions(run(sample, tmp_path).run.folder))
    assert found == [target for dialogue in sample.test for target in dialogue.targets()]
    line = (run(sample, tmp_path).run.folder / "predictions.jsonl").read_text().splitlines()[0]
    assert list(json.loads(line)) == ["dialogue", "turn", "label", "scores"]


def test_last_turns_only(sample: Dataset, tmp_path: Path) -> None:
    outcome = run(sample, tmp_path, targets="last")
    assert list(read_predictions(outcome.run.folder)) == [(d.id, len(d) - 1) for d in sample.test]
    assert outcome.run.record.command.endswith("--targets last")
    assert run(sample, tmp_path).run.folder != outcome.run.folder


def test_no_cost_is_made_of_tokens_that_were_not_counted(sample: Dataset, tmp_path: Path) -> None:
    class Uncounted(Served):
        def predict(
            self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
        ) -> Iterator[Prediction]:
            for number, prediction in enumerate(super().predict(dialogues, targets, progress=progress)):
                yield replace(prediction, usage=None) if number == 3 else prediction

    record = execute(RunRequest(Uncounted, Priced(price=1.0), sample, tmp_path), SilentProgress()).run.record
    assert record.usage == {"tokens": 2 * (record.predictions - 1)}


def test_waiting_for_a_server_is_no_part_of_the_speed(sample: Dataset, tmp_path: Path) -> None:
    record = execute(RunRequest(Served, Priced(), sample, tmp_path), SilentProgress()).run.record
    predict, waited = record.timings["predict"], record.timings["wait_for_server"]
    assert Served.WAIT <= waited < predict
    assert record.utterances_per_second is not None
    asking = record.predictions / record.utterances_per_second
    assert asking == pytest.approx(predict - waited, abs=0.002), "both are kept in milliseconds"


def test_private_settings_stand_nowhere_in_the_run_folder(sample: Dataset, tmp_path: Path) -> None:
    config = Priced(arguments="--api-key sk-SECRET")
    folder = execute(RunRequest(Served, config, sample, tmp_path), SilentProgress()).run.folder
    assert [path for path in folder.rglob("*") if path.is_file() and b"SECRET" in path.read_bytes()] == []
    assert read_record(folder).config == {"price": 0.0, "fail": False}


def test_nothing_but_the_run_is_left(sample: Dataset, tmp_path: Path) -> None:
    folder = run(sample, tmp_path).run.folder
    assert [path.name for path in folder.parent.iterdir()] == ["seed-0"]
    assert {path.name for path in folder.iterdir()} == {
        "run.json",
        "predictions.jsonl",
        "embeddings.npz",
        "triplets.json",
        "model",
    }


def test_a_crash_keeps_its_traceback(sample: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SystemFailedError, match=r"ValueError: the toy broke\. Where, says .*error\.txt") as caught:
        run(sample, tmp_path, Breaking)
    path = next(tmp_path.glob("*/*/*/seed-0/error.txt"))
    assert str(path) in str(caught.value)
    assert 'raise ValueError("the toy broke")' in path.read_text()
    run(sample, tmp_path, Sampled)
    assert not path.exists(), "a complete run has no error"


class Leaving(Sampled):
    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        sys.exit(0)


def test_a_system_that_exits_fails(sample: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SystemFailedError, match="SystemExit: 0"):
        run(sample, tmp_path, Leaving)
    assert read_record(next(tmp_path.glob("*/*/*/seed-0"))).status == "failed"


def test_an_error_does_not_repeat_private_settings(sample: Dataset, tmp_path: Path) -> None:
    class Telling(Served):
        def predict(
            self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
        ) -> Iterator[Prediction]:
            raise RuntimeError(f"cannot start with {self.config.arguments}")

    config = Priced(arguments="--api-key sk-SECRET")
    with pytest.raises(SystemFailedError, match=r"cannot start with \*\*\*"):
        execute(RunRequest(Telling, config, sample, tmp_path), SilentProgress())
    folder = next(tmp_path.glob("*/*/*/seed-0"))
    assert [path for path in folder.rglob("*") if path.is_file() and b"SECRET" in path.read_bytes()] == []


class Forgetful(Toy):
    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        yield from list(super().predict(dialogues, targets, progress=progress))[: max(1, len(targets) - 2)]


class Repeating(Toy):
    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        answers = list(super().predict(dialogues, targets, progress=progress))
        yield from [*answers, answers[0]]


class Inventive(Toy):
    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        yield from (Prediction(*target, "joy") for target in targets)


class Peeking(Toy):
    """Says that it reads the utterance, and reads its neighbours."""

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        for dialogue, turn in targets:
            found = next(d for d in dialogues if d.id == dialogue)
            size = sum(len(u.text) for u in found.utterances)
            yield Prediction(dialogue, turn, self.labels.names[size % len(self.labels)])


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (Forgetful, "must answer every target, got no prediction for 2 of"),
        (Repeating, "not asked or already answered"),
        (Inventive, "a predicted label must be one of"),
        (Peeking, "says that it reads context=utterance, but its answer for"),
    ],
)
def test_a_system_that_breaks_the_contract_fails(
    system: type[System[Any]], message: str, sample: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(SystemFailedError, match=message):
        run(sample, tmp_path, system)
