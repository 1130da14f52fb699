"""The records and boards in leaderboard/: labels only, and what a fresh computation gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from erc_bench import cli
from erc_bench.records import find_runs

COMMITTED = Path(__file__).resolve().parents[2] / "leaderboard"
RUNS = list(find_runs(COMMITTED))


def test_there_are_records_of_every_protocol_family() -> None:
    systems = {run.record.system for run in RUNS}
    assert systems >= {"constant", "prior", "lookup", "tfidf-logreg", "minilm-classifier", "sentemocontext"}
    trained = {"minilm-classifier", "sentemocontext"}
    for system in trained:
        plain = [run for run in RUNS if run.record.system == system and not run.record.settings]
        assert len(plain) >= 3, f"{system} must have three seeds or more"


@pytest.mark.parametrize("run", RUNS, ids=lambda run: "/".join(run.folder.parts[-4:]))
def test_records_hold_labels_only_and_come_from_a_commit(run: object) -> None:
    from erc_bench.records import PREDICTIONS_FILE, Run

    assert isinstance(run, Run)
    assert run.record.status == "complete"
    assert run.record.git["dirty"] is False
    assert {path.name for path in run.folder.iterdir()} <= {
        "run.json",
        PREDICTIONS_FILE,
        "triplets.json",
        "few_shot.json",
    }
    with (run.folder / PREDICTIONS_FILE).open(encoding="utf-8") as lines:
        assert all(set(json.loads(line)) == {"dialogue", "turn", "label"} for line in lines)


@pytest.mark.data
@pytest.mark.usefixtures("dailydialog_dir")
def test_committed_boards_are_what_the_records_give(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", "--results-dir", str(COMMITTED)])
    output = capsys.readouterr()
    assert not caught.value.code, output.err
    assert "board files: 3" in output.out
