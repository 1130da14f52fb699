"""docs/adding-a-metric.md, followed to the letter."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset, targets_of
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.docs.conftest import Reader

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-metric.md").read_text("utf-8")


@pytest.mark.slow
def test_a_metric_in_a_package_is_everywhere(reader: Reader, sample: Dataset) -> None:
    from sklearn.metrics import cohen_kappa_score

    printed = reader.follow(PAGE)
    results = reader.folder / "results"
    runs = {run.record.system: run for run in find_runs(results)}
    gold = [utterance.label for dialogue in sample.test for utterance in dialogue.utterances]
    kappa = {}
    for system, run in runs.items():
        found = read_predictions(run.folder)
        kappa[system] = cohen_kappa_score(gold, [found[target].label for target in targets_of(sample.test)])
    assert "cohen_kappa" not in runs["lookup"].record.scores
    assert runs["tfidf-logreg"].record.scores["cohen_kappa"] == pytest.approx(kappa["tfidf-logreg"], abs=1e-6)

    board = json.loads((reader.folder / "board.json").read_text("utf-8"))
    rows = [row for row in board["rows"] if (row["protocol"], row["subset"]) == ("utterance", "all")]
    assert {row["system"]: row["cohen_kappa"] for row in rows} == pytest.approx(kappa, abs=1e-6)
    assert all(row["cohen_kappa_low"] <= row["cohen_kappa"] <= row["cohen_kappa_high"] for row in rows)
    written = list(csv.DictReader(io.StringIO((results / "leaderboard.csv").read_text("utf-8"))))
    assert {"cohen_kappa", "cohen_kappa_low", "cohen_kappa_high"} <= set(written[0])
    assert float(written[0]["cohen_kappa"]) == pytest.approx(kappa[written[0]["system"]], abs=1e-6)
    for name in ("leaderboard.md", "leaderboard.html", "leaderboard.tex"):
        assert "ohen's kappa" in (results / name).read_text("utf-8").replace("&#39;", "'").replace("{'}", "'"), name
    assert "Cohen's kappa" in (results / "pictures" / "intervals-sample-utterance-all.svg").read_text("utf-8")

    assert "No difference. Recomputed runs: 2" in printed["erc-bench verify"]
    assert "Cohen's kappa" in printed["erc-bench compare tfidf-logreg lookup --metric cohen_kappa"]
    ranked = printed["erc-bench leaderboard --rank-by cohen_kappa"]
    header = next(line for line in ranked.splitlines() if line.startswith("rank"))
    assert (
        header.index("Cohen's kappa [95%]")
        < header.index("micro F1 [95%]")
        < header.index("not-verbatim Cohen's kappa")
    )
    lines = (results / "leaderboard-by-cohen_kappa.csv").read_text("utf-8").splitlines()
    best = max(kappa, key=lambda system: kappa[system])
    assert lines[1].split(",")[1] == best
