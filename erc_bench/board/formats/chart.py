"""Score against cost as a picture on the page: where everything stands. The script draws it (`templates/pictures.js`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from erc_bench.board.tradeoff import Cost, Point, linear_ticks, log_ticks, points
from erc_bench.board.words import count_text
from erc_bench.protocols.rows import Row
from erc_bench.scoring.metric import Metric

WIDTH, HEIGHT = 600, 360
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 14, 44
LABEL_HEIGHT = 15.0
LABEL_CHARACTER = 7.6  # a wide guess for the largest size the style sheet sets, so that labels stay apart everywhere
LONGEST_LABEL = 30

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis (SVG units) and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """The name beside a mark: `anchor` is the end of the text that stands at the place (SVG units)."""

    text: str
    x: float
    y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A row drawn, by its place among the rows; `low` and `high` are where its interval ends (all in SVG units)."""

    row: int
    x: float
    y: float
    low: float | None
    high: float | None
    front: bool
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture, its marks from left to right; without marks there is nothing to draw."""

    metric: Metric
    cost: Cost
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marks: list[Mark]

    def data(self) -> dict[str, Any]:
        """What the script draws it from: ticks, marks and labels as lists of their fields."""
        return {
            "metric": self.metric.name,
            "cost": self.cost.name,
            "x": [astuple(tick) for tick in self.x_ticks],
            "y": [astuple(tick) for tick in self.y_ticks],
            "marks": [astuple(mark) for mark in self.marks],
        }


def chart(rows: Sequence[Row], metric: Metric, cost: Cost) -> Chart:
    """Lay out the rows of a section: cost on a logarithmic axis, score with its interval, the front as a line."""
    drawn = points(rows, metric, cost)
    if not drawn:
        return Chart(metric, cost, [], [], [])
    costs = [point.cost for point in drawn]
    first, last = min(costs) / 1.6, max(costs) * 1.6
    bounds = [v for p in drawn for v in (p.low, p.score, p.high) if v is not None]
    y_values = linear_ticks(min(bounds), max(bounds))

    def x(amount: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(amount / first) / math.log(last / first)

    def y(score: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (score - y_values[0]) / (y_values[-1] - y_values[0])

    placed = [
        (point, x(point.cost), y(point.score))
        for point in sorted(drawn, key=lambda point: (not point.front, metric.best_first(point.score)))
    ]
    labels = _labels(rows, placed, less_is_better=cost.less_is_better)
    return Chart(
        metric=metric,
        cost=cost,
        x_ticks=[Tick(_at(x(value)), count_text(value)) for value in log_ticks(first, last)],
        y_ticks=[Tick(_at(y(value)), f"{value:g}".replace("-", "−")) for value in y_values],
        marks=[
            Mark(
                row=point.index,
                x=_at(x(point.cost)),
                y=_at(y(point.score)),
                low=None if point.low is None else _at(y(point.low)),
                high=None if point.high is None else _at(y(point.high)),
                front=point.front,
                label=labels.get(point.index),
            )
            for point in sorted(drawn, key=lambda point: (point.cost, point.index))
        ],
    )


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and a[2] > b[0] and a[1] < b[3] and a[3] > b[1]


def _at(value: float) -> float:
    return round(value, 1)


def _labels(
    rows: Sequence[Row], placed: Sequence[tuple[Point, float, float]], *, less_is_better: bool
) -> dict[int, Label]:
    """Names beside the points, in the order given, each where it covers no point and no other name, if there is room."""
    # Above the line first: it rises with a cost and falls with a speed.
    above, across = [("end", -8, -6), ("start", 8, -6)], [("start", 8, 15), ("end", -8, 15)]
    spots = [*(above if less_is_better else reversed(above)), ("middle", 0, -14), *across, ("middle", 0, 24)]
    taken = [(x - 5, y - 5, x + 5, y + 5) for _, x, y in placed]
    found = {}
    for point, x, y in placed:
        title = rows[point.index].title
        text = title if len(title) <= LONGEST_LABEL else f"{title[: LONGEST_LABEL - 1]}…"
        width = LABEL_CHARACTER * len(text)
        for anchor, dx, dy in spots:
            left = x + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
            box = (left, y + dy - LABEL_HEIGHT + 3, left + width, y + dy + 3)
            if left < LEFT + 2 or box[2] > WIDTH or box[1] < 0 or box[3] > HEIGHT - BOTTOM:
                continue
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found[point.index] = Label(text, _at(x + dx), _at(y + dy), anchor)
                break
    return found
