"""Cells of the page's tables: what each says, what it sorts by, and its interval as a bar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from erc_bench.board.words import MISSING, count_text, duration_text
from erc_bench.protocols.rows import Row, Score
from erc_bench.scoring.catalogue import UNUSABLE_RATE, find_metric
from erc_bench.scoring.metric import Metric

OTHER = "other-"
Beside = Mapping[str, Mapping[tuple[str, str], Row]]
"""Rows of the same protocol on other subsets, by the key of their column, title and evidence."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: `kind` says how its cells look, `descending` where its first sort starts.

    `bounds` are the ends of the scale of its bars and, if there is one, the best floor, as its cells write scores.
    """

    key: str
    label: str
    kind: str = "number"
    descending: bool = False
    hint: str = ""
    scale: str = ""
    bounds: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval drawn in a cell, every place in percent of the cell's width."""

    value: str
    low: str | None
    width: str | None
    floor: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says and what it sorts by (empty: sorts last)."""

    text: str
    sort: str = ""
    deviation: str = ""
    interval: str = ""
    note: str = ""
    bar: Bar | None = None

    @property
    def sorts_by_text(self) -> bool:
        """Whether what it sorts by is what it says, nothing where it says that there is nothing."""
        return self.sort == ("" if self.text == MISSING else self.text)


def cell_of(row: Row, ranking: Metric, column: Column, beside: Beside) -> Cell:
    """The cell of a row in a column."""
    if column.kind == "score":
        return score_cell(find_metric(column.key), row.scores.get(column.key))
    match column.key:
        case "rank":
            low, _, high = row.rank.partition("-")
            known = low.isdecimal() and (high or low).isdecimal()
            return Cell(
                row.rank.replace("-", "–") or MISSING,
                f"{int(low) + int(high or low) / 1e4:.4f}" if known else "",
                note="not above the floors" if row.above_floors is False else "",
            )
        case "system":
            return Cell(row.title, row.title)
        case key if key in beside:
            same = beside[key].get((row.title, row.evidence))
            score = same.scores.get(ranking.name) if same else None
            return score_cell(ranking, score and Score(score.value))
        case "unusable":
            unusable = row.scores.get(UNUSABLE_RATE.name)
            rate = None if unusable is None else unusable.value
            neutral = row.unusable_as_neutral.get(ranking.name)
            note = "" if neutral is None else f"as neutral: {ranking.text(neutral)}"
            return Cell(UNUSABLE_RATE.text(rate), _number(rate), note=note)
        case "context":
            note = (
                "" if not row.context or row.evidence == "published" else "tested" if row.context_tested else "untested"
            )
            return Cell(row.context or MISSING, row.context, note=note)
        case "decision":
            return Cell(row.decision or MISSING, row.decision)
        case "train_seconds":
            return Cell(duration_text(row.train_seconds), _number(row.train_seconds))
        case "evidence":
            return Cell(row.evidence, row.evidence)
    amount: Any = getattr(row, column.key)
    return Cell(count_text(amount), _number(amount))


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}" if value % 1 else f"{value:.0f}"


def score_cell(
    metric: Metric, score: Score | None, scale: tuple[float, float] | None = None, floor: float | None = None
) -> Cell:
    """A score with its spread, and its interval as a bar where a scale is given."""
    if score is None or not math.isfinite(score.value):
        return Cell(MISSING)
    interval = ""
    if score.low is not None and score.high is not None:
        interval = f"[{metric.text(score.low)}, {metric.text(score.high)}]"
    deviation = "" if score.deviation is None else f"± {metric.text(score.deviation)}"
    bar = None if scale is None else _bar_of(score, scale, floor)
    return Cell(metric.text(score.value), f"{score.value:.6g}", deviation, interval, bar=bar)


def _bar_of(score: Score, scale: tuple[float, float], floor: float | None) -> Bar:
    first, last = scale

    def place(value: float) -> float:
        return 100 * min(max((value - first) / (last - first), 0.0), 1.0)

    low = width = None
    if score.low is not None and score.high is not None:
        low, width = f"{place(score.low):.2f}%", f"{place(score.high) - place(score.low):.2f}%"
    return Bar(f"{place(score.value):.2f}%", low, width, None if floor is None else f"{place(floor):.2f}%")
