"""Score against cost: which rows no other row beats on both, and the axes that the pictures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from erc_bench.protocols.rows import Row
from erc_bench.scoring.metric import Metric

CostName = Literal["parameters", "utterances_per_second"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a system asks for: `less_is_better` tells a cost proper (parameters) from a speed."""

    name: CostName
    label: str
    less_is_better: bool


COSTS = (
    Cost("parameters", "Parameters", less_is_better=True),
    Cost("utterances_per_second", "Utterances per second", less_is_better=False),
)


@dataclass(frozen=True, slots=True)
class Point:
    """A row in the picture: its place in the rows given, its cost (above 0) and its score with 95% interval."""

    index: int
    cost: float
    score: float
    low: float | None
    high: float | None
    front: bool


def points(rows: Sequence[Row], metric: Metric, cost: Cost) -> list[Point]:
    """The rows that have both numbers, in the order given; the others cannot be drawn.

    The front runs through what was measured: a published number was scored elsewhere, so it is drawn and never on
    the front, and neither is a floor. A cost of 0 has no place on a logarithmic axis.
    """
    drawn = []
    for index, row in enumerate(rows):
        amount, score = getattr(row, cost.name), row.scores.get(metric.name)
        if amount is not None and amount > 0 and score is not None and math.isfinite(score.value + amount):
            drawn.append((index, float(amount), score))
    eligible = [place for place in drawn if rows[place[0]].evidence != "published" and not rows[place[0]].floor]
    sign = 1 if cost.less_is_better else -1

    def beaten(amount: float, value: float) -> bool:
        return any(
            sign * other <= sign * amount
            and metric.best_first(score.value) <= metric.best_first(value)
            and (other, score.value) != (amount, value)
            for _, other, score in eligible
        )

    return [
        Point(
            index,
            amount,
            score.value,
            score.low,
            score.high,
            front=rows[index].evidence != "published" and not rows[index].floor and not beaten(amount, score.value),
        )
        for index, amount, score in drawn
    ]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two positive limits, with 2 and 5 times them where there would be fewer than three."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) > 2:
            break
    return ticks


def linear_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers that enclose two limits, about that many."""
    span = high - low if high - low > 1e-6 else max(abs(high), 1.0)
    rough = span / about
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * count, 10) for count in range(first, max(last, first + 1) + 1)]
