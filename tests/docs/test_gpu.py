"""Scores of training on a GPU that docs/performance.md gives are those of docs/gpu.csv and of the committed board."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import mean, stdev, variance

import pytest

from erc_bench.records.record import find_runs

REPOSITORY = Path(__file__).parents[2]
METRICS = ("micro_f1", "macro_f1", "mcc")
Scores = list[tuple[float, ...]]


def on_the_gpu(way: str) -> Scores:
    with (REPOSITORY / "docs" / "gpu.csv").open(newline="") as file:
        return [tuple(float(row[metric]) for metric in METRICS) for row in csv.DictReader(file) if row["way"] == way]


@pytest.fixture(scope="module")
def page() -> str:
    return (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def committed() -> Scores:
    default = [
        run.record
        for run in find_runs(REPOSITORY / "leaderboard")
        if (run.record.system, run.record.dataset) == ("sentemocontext", "dailydialog")
        and run.record.settings == {"precision": "float32"}
        and (run.record.withheld, run.record.trained_on, run.record.train_subset) == (None, None, "all")
    ]
    return [tuple(record.scores[metric] for metric in METRICS) for record in default]


def test_means_and_deviations_are_those_of_the_runs(page: str, committed: Scores) -> None:
    for scores in (committed, on_the_gpu("step by step"), on_the_gpu("graphs")):
        digits = (2, 2, 3)
        each = [f"{mean(x):.{n}f} ± {stdev(x):.{n}f}" for x, n in zip(zip(*scores, strict=True), digits, strict=True)]
        cells = " | ".join([str(len(scores)), *each])
        assert cells in page, f"docs/performance.md must say {cells}"


def test_devices_differ_by_less_than_seeds(page: str, committed: Scores) -> None:
    graphs = on_the_gpu("graphs")
    one, other = ([scores[0] for scores in each] for each in (graphs, committed))
    difference = mean(one) - mean(other)
    error = (variance(one) / len(one) + variance(other) / len(other)) ** 0.5
    assert abs(difference) < stdev(other)
    assert f"{difference:+.2f} micro F1 with a standard error of {error:.2f}" in page
