"""What is kept of a run that broke, was killed, or is there already."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import NoConfig
from erc_bench.errors import SystemFailedError, UsageError
from erc_bench.progress import SilentProgress
from erc_bench.records.record import read_record, write_record
from erc_bench.running.runner import RunOutcome, RunRequest, execute
from tests.running.toys import ASKED, FITS, Breaking, Priced, Sampled, Served, Toy, run


@pytest.fixture(autouse=True)
def _clean() -> None:
    FITS.clear()
    ASKED.clear()


def test_a_complete_run_is_not_made_again_unless_asked(sample: Dataset, tmp_path: Path) -> None:
    run(sample, tmp_path)
    assert run(sample, tmp_path).already_complete
    assert FITS == [0]
    assert not run(sample, tmp_path, overwrite=True).already_complete
    assert FITS == [0, 0]


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


def test_the_cost_of_a_resumed_run_is_that_of_all_its_answers_at_the_last_price(
    sample: Dataset, tmp_path: Path
) -> None:
    def attempt(**settings: Any) -> RunOutcome:
        return execute(RunRequest(Served, Priced(**settings), sample, tmp_path), SilentProgress())

    with pytest.raises(SystemFailedError, match="the toy broke"):
        attempt(price=1.0, fail=True)
    record = attempt(price=0.25).run.record
    assert record.usage == {"tokens": 2 * record.predictions, "cost": 0.5 * record.predictions}


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
