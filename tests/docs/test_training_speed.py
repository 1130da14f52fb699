"""Scores of faster training and of training on a GPU in docs/performance.md are those of the committed board and docs/gpu.csv."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from statistics import mean, stdev, variance
from typing import Any

import pytest

from erc_bench.records.record import RunRecord, find_runs

REPOSITORY = Path(__file__).parents[2]
METRICS = ("validation_micro_f1", "micro_f1", "macro_f1", "mcc")
DIGITS = (2, 2, 2, 3)
FASTER: dict[str, Any] = {"arithmetic": "bf16", "batch_size": 64, "feed_forward": 512, "epochs": 8, "threads": 2}
Scores = dict[int, tuple[float, ...]]


def on_the_gpu(way: str) -> Scores:
    with (REPOSITORY / "docs" / "gpu.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["way"] == way]
    return {int(row["seed"]): tuple(float(row[metric]) for metric in METRICS) for row in rows}


@pytest.fixture(scope="module")
def page() -> str:
    return " ".join((REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def records() -> list[RunRecord]:
    return [
        run.record
        for run in find_runs(REPOSITORY / "leaderboard")
        if (run.record.system, run.record.dataset) == ("sentemocontext", "dailydialog")
        and (run.record.withheld, run.record.trained_on, run.record.train_subset) == (None, None, "all")
    ]


def scores_of(records: list[RunRecord], settings: dict[str, Any]) -> Scores:
    found = {}
    for record in records:
        if record.settings == {"precision": "float32", **settings}:
            scores = {**record.scores, "validation_micro_f1": float(str(record.measurements["validation_micro_f1"]))}
            found[record.seed] = tuple(scores[metric] for metric in METRICS)
    return found


@pytest.fixture(scope="module")
def committed(records: list[RunRecord]) -> Scores:
    return scores_of(records, {})


def cells_of(scores: Scores) -> str:
    columns = zip(zip(*scores.values(), strict=True), DIGITS, strict=True)
    return " | ".join([str(len(scores)), *(f"{mean(x):.{n}f} ± {stdev(x):.{n}f}" for x, n in columns)])


def test_faster_settings_have_the_scores_of_their_runs(page: str, records: list[RunRecord], committed: Scores) -> None:
    faster = scores_of(records, FASTER)
    assert sorted(faster) == sorted(committed) == list(range(10))
    command = " ".join(f"--set {name}={value}" for name, value in FASTER.items())
    for said in (f"erc-bench run --system sentemocontext {command}", cells_of(faster), cells_of(committed)):
        assert said in page, f"docs/performance.md must say {said}"
    columns = [zip(*scores.values(), strict=True) for scores in (faster, committed)]
    for one, other in zip(*columns, strict=True):
        assert abs(mean(one) - mean(other)) < stdev(other), "the page says that they differ by less than seeds do"


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def test_means_and_deviations_are_those_of_the_runs(page: str, committed: Scores) -> None:
    for scores in (committed, on_the_gpu("kernel by kernel"), on_the_gpu("graphs")):
        assert cells_of(scores) in page, f"docs/performance.md must say {cells_of(scores)}"


def test_devices_differ_by_less_than_seeds(page: str, committed: Scores) -> None:
    words = []
    for column in (1, 0):
        one, other = ([scores[column] for scores in each.values()] for each in (on_the_gpu("graphs"), committed))
        error = (variance(one) / len(one) + variance(other) / len(other)) ** 0.5
        assert abs(mean(one) - mean(other)) < stdev(other)
        words += [signed(mean(one) - mean(other)), f"{error:.2f}"]
    said = (
        f"the graphs have {words[0]} micro F1 more than the processor with a standard error of {words[1]}, on validation "
        f"{words[2]} with one of {words[3]}"
    )
    assert said in page, said


def test_what_the_same_seeds_give_both_ways_on_the_gpu(page: str) -> None:
    graphs, kernels = on_the_gpu("graphs"), on_the_gpu("kernel by kernel")
    pairs = [[a - b for a, b in zip(graphs[seed], kernels[seed], strict=True)] for seed in graphs]
    validation, micro, macro, _ = (
        (signed(mean(each)), f"{stdev(each) / len(each) ** 0.5:.2f}") for each in zip(*pairs, strict=True)
    )
    assert all(pair[1] > 0 for pair in pairs)
    said = (
        f"the graphs have {micro[0]} micro F1 more than kernel by kernel (all five more, standard error {micro[1]}), "
        f"{macro[0]} macro F1 ({macro[1]}), and on validation {validation[0]} ({validation[1]})"
    )
    assert said in page, said


def test_the_benchmark_times_the_faster_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "tests" / "benchmarks"))
    timed = importlib.import_module("bench_training").SETTINGS["fast"]
    assert timed == {name: value for name, value in FASTER.items() if name not in ("epochs", "threads")}
