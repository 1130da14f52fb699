"""The records and boards in leaderboard/: labels only, and what a fresh computation gives."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from erc_bench import cli
from erc_bench.records import PREDICTIONS_FILE, Run, find_runs

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
def test_records_hold_labels_only_and_come_from_a_commit(run: Run) -> None:
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


def test_the_table_of_the_readme_is_the_committed_board() -> None:
    readme = (COMMITTED.parent / "README.md").read_text(encoding="utf-8")
    with (COMMITTED / "leaderboard.csv").open(encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["protocol"], row["subset"]) == ("utterance", "all") and row["rank"]
        ]
    assert rows
    for row in rows:
        cells = [row["rank"].replace("-", "–"), row["system"], *(with_interval(row, *m) for m in SHOWN.items())]
        assert f"| {' | '.join(cells)} |" in readme


SHOWN = {"micro_f1": 2, "macro_f1": 2, "mcc": 3}


def with_interval(row: dict[str, str], metric: str, decimals: int) -> str:
    value, low, high = (float(row[f"{metric}{end}"]) for end in ("", "_low", "_high"))
    return f"{value:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


@pytest.mark.data
@pytest.mark.usefixtures("dailydialog_dir")
def test_committed_boards_are_what_the_records_give(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", "--results-dir", str(COMMITTED)])
    output = capsys.readouterr()
    assert not caught.value.code, output.err
    assert "board files: 3" in output.out
