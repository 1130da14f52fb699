"""What docs/performance.md says of bfloat16, from the committed table."""

from __future__ import annotations

import importlib.util
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "performance.md"
METRICS = {"micro_f1": 1, "macro_f1": 1, "mcc": 100}


@pytest.fixture(scope="module")
def table() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("compare_precision", REPOSITORY / "docs" / "compare_precision.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop(spec.name)


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−").replace("+0.00", "0.00").replace("−0.00", "0.00")


def test_the_page_has_the_committed_differences(table: ModuleType) -> None:
    rows = table.read()
    found = table.differences(rows)
    text = PAGE.read_text("utf-8")
    for system in table.SYSTEMS:
        same, anew = (
            ", ".join(signed(found[system, trained][name] * unit) for name, unit in METRICS.items())
            for trained in ("bf16", "float32")
        )
        changed = [
            row.changed for row in rows if (row.system, row.trained, row.answered) == (system, "bf16", "float32")
        ]
        line = f"| `{system}` | {len(changed)} | {same} | {statistics.fmean(changed):.0f} | {anew} |"
        assert line in text, f"{PAGE} must have: {line}"


def test_a_trained_model_answers_both_alike(table: ModuleType) -> None:
    found = table.differences(table.read())
    largest = max(abs(found[system, "bf16"][name]) * unit for system in table.SYSTEMS for name, unit in METRICS.items())
    assert largest < 0.2, "the default of `precision` may cost no more"
    assert f"within {largest:.2f} points" in PAGE.read_text("utf-8")


def test_the_seeds_trained_anew_are_told_with_their_spread(table: ModuleType) -> None:
    rows = [row for row in table.read() if row.system == "sentemocontext"]
    by_way = {(row.seed, row.trained, row.answered): row for row in rows}
    for name, said in (("micro_f1", "micro F1 with a standard error of"), ("macro_f1", "macro F1 with one of")):
        pairs = [
            (by_way[s, "bf16", "bf16"], by_way[s, "float32", "float32"]) for s in sorted({row.seed for row in rows})
        ]
        differences = [getattr(one, name) - getattr(other, name) for one, other in pairs]
        error = statistics.stdev(differences) / len(differences) ** 0.5
        sentence = f"{signed(statistics.fmean(differences))} {said} {error:.2f}"
        assert sentence in " ".join(PAGE.read_text("utf-8").split()), f"{PAGE} must say: {sentence}"


def test_the_rows_in_float32_are_those_of_the_board(table: ModuleType) -> None:
    board = {
        (r.record.system, r.record.seed): r.record for r in table.plain_runs(REPOSITORY / "leaderboard", "float32")
    }
    rows = [row for row in table.read() if row.trained == "float32"]
    assert rows
    for row in rows:
        scores = board[row.system, row.seed].scores
        assert [getattr(row, name) for name in METRICS] == pytest.approx([scores[name] for name in METRICS], abs=2e-6)
