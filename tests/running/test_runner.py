from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import NoConfig, Prediction, Report, System, SystemInfo
from erc_bench.errors import SystemFailedError, UsageError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import read_record, write_record
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


@pytest.fixture(autouse=True)
def _clean() -> None:
    FITS.clear()
    ASKED.clear()


def run(sample: Dataset, results: Path, system: type[System[Any]] = Toy, **changes: Any) -> RunOutcome:
    return execute(RunRequest(system, system.Config(), sample, results, **changes), SilentProgress())


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


def test_a_complete_run_is_not_made_again_unless_asked(sample: Dataset, tmp_path: Path) -> None:
    run(sample, tmp_path)
    assert run(sample, tmp_path).already_complete
    assert FITS == [0]
    assert not run(sample, tmp_path, overwrite=True).already_complete
    assert FITS == [0, 0]


def test_last_turns_only(sample: Dataset, tmp_path: Path) -> None:
    outcome = run(sample, tmp_path, targets="last")
    assert list(read_predictions(outcome.run.folder)) == [(d.id, len(d) - 1) for d in sample.test]
    assert outcome.run.record.command.endswith("--targets last")
    assert run(sample, tmp_path).run.folder != outcome.run.folder


def test_a_failed_run_keeps_its_work_and_resumes(sample: Dataset, tmp_path: Path) -> None:
    whole = run(sample, tmp_path / "whole", Sampled)
    asked_at_once = len(ASKED)
    ASKED.clear()
    with pytest.raises(SystemFailedError, match="the toy broke"):
        run(sample, tmp_path / "broken", Breaking)
    folder = next((tmp_path / "broken").glob("*/*/*/seed-0"))
    assert read_record(folder).status == "failed"
    assert "the toy broke" in (read_record(folder).error or "")
    resumed = run(sample, tmp_path / "broken", Sampled)
    assert FITS == [0, 0], "the resumed run must not train again"
    assert len(ASKED) == len(set(ASKED)) == asked_at_once, "no target may be asked twice"
    expected = (whole.run.folder / "predictions.jsonl").read_bytes()
    assert (resumed.run.folder / "predictions.jsonl").read_bytes() == expected


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


def test_the_cost_of_a_resumed_run_is_that_of_all_its_answers_at_the_last_price(
    sample: Dataset, tmp_path: Path
) -> None:
    def attempt(**settings: Any) -> RunOutcome:
        return execute(RunRequest(Served, Priced(**settings), sample, tmp_path), SilentProgress())

    with pytest.raises(SystemFailedError, match="the toy broke"):
        attempt(price=1.0, fail=True)
    record = attempt(price=0.25).run.record
    assert record.usage == {"tokens": 2 * record.predictions, "cost": 0.5 * record.predictions}


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


def test_a_torn_last_line_is_cut_off(sample: Dataset, tmp_path: Path) -> None:
    whole = (run(sample, tmp_path / "whole").run.folder / "predictions.jsonl").read_bytes()
    with pytest.raises(SystemFailedError):
        run(sample, tmp_path / "torn", Breaking)
    path = next((tmp_path / "torn").glob("*/*/*/seed-0/predictions.jsonl"))
    path.write_bytes(path.read_bytes()[:-9])
    run(sample, tmp_path / "torn")
    assert path.read_bytes() == whole


def test_a_second_process_waits_and_then_skips(sample: Dataset, tmp_path: Path) -> None:
    folder = run(sample, tmp_path / "other").run.folder
    mine = tmp_path / "mine" / folder.relative_to(tmp_path / "other")
    mine.parent.mkdir(parents=True)
    notes: list[str] = []

    class Watched(SilentProgress):
        def note(self, message: str) -> None:
            notes.append(message)
            shutil.copytree(folder, mine)  # the other process finishes while we wait
            lock.release()

    with filelock.FileLock(mine.with_name(".seed-0.lock"), thread_local=False) as lock:
        outcome = execute(RunRequest(Toy, NoConfig(), sample, tmp_path / "mine"), Watched())
    assert outcome.already_complete
    assert [note for note in notes if note.startswith("Waiting for another process")] == notes
    assert len(notes) == 1
    assert FITS == [0], "the run that the other process made is not made again"


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


def test_a_complete_run_stays_until_the_new_one_is_complete(sample: Dataset, tmp_path: Path) -> None:
    class Once(Sampled):
        """Another class of the same name, whose code breaks."""

        fail_after = 50

    folder = run(sample, tmp_path, Sampled).run.folder
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(SystemFailedError, match="the toy broke"):
        run(sample, tmp_path, Once, overwrite=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert run(sample, tmp_path, Sampled).already_complete
    ASKED.clear()
    assert not run(sample, tmp_path, Sampled, overwrite=True).already_complete
    remade = read_record(folder)
    assert remade.status == "complete"
    assert remade.predictions_sha256 == json.loads(before[folder / "run.json"])["predictions_sha256"]
    assert [path.name for path in folder.parent.iterdir()] == ["seed-0"]


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


class Noted(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def edit_code(folder: Path) -> None:
    """Let a record say that other code made it."""
    record = read_record(folder)
    record.code = {"distribution": "toys 0.9", "sha256": "0" * 64}
    write_record(folder, record)


def test_a_complete_run_by_other_code_is_kept_and_said_to_be(sample: Dataset, tmp_path: Path) -> None:
    folder = run(sample, tmp_path).run.folder
    edit_code(folder)
    progress = Noted()
    assert execute(RunRequest(Toy, NoConfig(), sample, tmp_path), progress).already_complete
    assert len(progress.notes) == 1
    assert "the code of toy was edited since" in progress.notes[0]
    assert "toys 0.9" in progress.notes[0]
    assert "--overwrite makes it again" in progress.notes[0]
    record = read_record(folder)
    record.code = {}
    write_record(folder, record)
    assert execute(RunRequest(Toy, NoConfig(), sample, tmp_path), progress).already_complete
    assert len(progress.notes) == 1, "a record from before code was recorded says nothing about it"


def test_what_other_code_began_is_not_continued(sample: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SystemFailedError):
        run(sample, tmp_path, Breaking)
    edit_code(next(tmp_path.glob("*/*/*/seed-0")))
    ASKED.clear()
    progress = Noted()
    record = execute(RunRequest(Sampled, NoConfig(), sample, tmp_path), progress).run.record
    assert any("was edited, so the run begins anew" in note for note in progress.notes)
    assert len(ASKED) == record.predictions
    assert FITS == [0, 0]


def test_a_run_on_other_data_is_not_resumed(sample: Dataset, tmp_path: Path) -> None:
    run(sample, tmp_path)
    other = replace(sample, test=sample.test[:-1])
    with pytest.raises(UsageError, match="was made on data with fingerprint"):
        run(other, tmp_path)


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


KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from erc_bench.data import load_dataset
    from erc_bench.progress import SilentProgress
    from erc_bench.running.runner import RunRequest, execute
    from erc_bench.contract.registry import system_class

    system = system_class("prior")
    stop_after = int(sys.argv[2])
    original = system.predict

    def predict(self, dialogues, targets, *, progress):
        for done, answer in enumerate(original(self, dialogues, targets, progress=progress)):
            if len(targets) > 100 and done == stop_after:
                os.kill(os.getpid(), signal.SIGKILL)
            yield answer

    if stop_after >= 0:
        system.predict = predict
    execute(RunRequest(system, system.Config(), load_dataset("sample"), Path(sys.argv[1])), SilentProgress())
    """
)


@pytest.mark.parametrize("stop_after", [0, 1, 77])
def test_killed_while_predicting(stop_after: int, tmp_path: Path) -> None:
    def start(results: str, stop: int) -> int:
        command = [sys.executable, "-c", KILLED, str(tmp_path / results), str(stop)]
        return subprocess.run(command, env=os.environ, check=False).returncode

    assert start("whole", -1) == 0
    assert start("killed", stop_after) == -signal.SIGKILL
    killed = next((tmp_path / "killed").glob("*/*/*/seed-0"))
    assert read_record(killed).status == "running"
    assert start("killed", -1) == 0
    whole = next((tmp_path / "whole").glob("*/*/*/seed-0"))
    assert (killed / "predictions.jsonl").read_bytes() == (whole / "predictions.jsonl").read_bytes()
    assert read_record(killed).status == "complete"
