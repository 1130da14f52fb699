"""docs/adding-a-protocol.md, followed to the letter."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset, Target
from erc_bench.protocols.protocol import Protocol
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.docs.conftest import Reader

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-protocol.md").read_text("utf-8")


@pytest.mark.slow
def test_a_protocol_in_a_package_is_everywhere(reader: Reader, sample: Dataset) -> None:
    from sklearn.metrics import f1_score

    printed = reader.follow(PAGE)
    results = reader.folder / "results"
    gold = [dialogue.utterances[0].label for dialogue in sample.test]
    expected = {}
    for run in find_runs(results):
        found = read_predictions(run.folder)
        answers = [found[Target(dialogue.id, 0)].label for dialogue in sample.test]
        emotions = list(sample.labels.emotions)
        expected[run.record.system] = 100 * f1_score(gold, answers, labels=emotions, average="micro", zero_division=0)

    board = json.loads((reader.folder / "board.json").read_text("utf-8"))
    rows = [row for row in board["rows"] if (row["protocol"], row["subset"]) == ("first-turn", "all")]
    assert {row["system"]: row["micro_f1"] for row in rows} == pytest.approx(expected, abs=1e-4)
    assert all(
        (row["rank"] or row["system"] == "lookup") and row["micro_f1_low"] <= row["micro_f1"] <= row["micro_f1_high"]
        for row in rows
    )
    written = list(csv.DictReader(io.StringIO((results / "leaderboard.csv").read_text("utf-8"))))
    assert {row["subset"] for row in written if row["protocol"] == "first-turn"} == {"all", "not-verbatim", "novel"}
    for name in ("leaderboard.md", "leaderboard.html"):
        assert "nothing was said before." in (results / name).read_text("utf-8"), name
    assert "protocol first{-}turn" in (results / "leaderboard.tex").read_text("utf-8")
    assert (results / "pictures" / "intervals-sample-first-turn-all.svg").is_file()

    assert "No difference. Recomputed runs: 2, board files: 4" in printed["erc-bench verify"]
    compared = printed["erc-bench compare tfidf-logreg lookup --protocol first-turn --subset novel"]
    assert "sample, protocol first-turn, subset novel: " in compared
    alone = list(csv.DictReader(io.StringIO((results / "leaderboard-first-turn.csv").read_text("utf-8"))))
    assert {row["protocol"] for row in alone} == {"first-turn"}


def test_the_page_names_every_part_of_a_protocol() -> None:
    public = {name for name in vars(Protocol) if not name.startswith("_")}
    assert {name for name in public if f"`{name}`" in PAGE or f"`{name}(" in PAGE} == public - {"heading"}
