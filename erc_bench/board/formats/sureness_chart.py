"""How sure a row is, as an inline SVG: reliability of its confidences beside its risk-coverage curve. The template draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erc_bench.board.tradeoff import linear_ticks
from erc_bench.protocols.rows import Row, Sureness
from erc_bench.scoring.calibration import BINS, COVERAGES, Reliability
from erc_bench.scoring.catalogue import AURC, ECE

SIDE = 170
TOP, BOTTOM = 16, 186
LEFT_OF_BINS, LEFT_OF_CURVE = 34, 258


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin drawn as a bar from 0 to the share of right answers (SVG units), and what it says."""

    x: str
    y: str
    width: str
    height: str
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis (SVG units) and what it says."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class SurenessChart:
    """One picture: `bins` are empty where scores are no probabilities; `line` are points of the curve; `text` says it all."""

    bins: list[Bin]
    line: str
    risk_ticks: list[Tick]
    text: str


def sureness_chart(row: Row) -> SurenessChart | None:
    """The picture of a row; None for one whose predictions have no scores."""
    found = row.sureness
    if found is None:
        return None
    ticks = linear_ticks(0, max(float(found.risk.max()), 0.01))
    top = ticks[-1]
    points = [
        f"{LEFT_OF_CURVE + SIDE * (place + 1) / COVERAGES:.1f},{BOTTOM - SIDE * risk / top:.1f}"
        for place, risk in enumerate(found.risk)
    ]
    return SurenessChart(
        bins=[] if found.bins is None else _bins(found.bins),
        line=" ".join(points),
        risk_ticks=[Tick(f"{BOTTOM - SIDE * value / top:.1f}", f"{100 * value:g}%") for value in ticks],
        text=_described(row, found),
    )


def _bins(found: Reliability) -> list[Bin]:
    width = SIDE / BINS
    total = found.counts.sum()
    return [
        Bin(
            x=f"{LEFT_OF_BINS + place * width:.1f}",
            y=f"{BOTTOM - SIDE * found.right[place]:.1f}",
            width=f"{width - 1:.1f}",
            height=f"{SIDE * found.right[place]:.1f}",
            text=(
                f"confidence {place / BINS:.2f} to {(place + 1) / BINS:.2f}: {100 * found.counts[place] / total:.1f}% of "
                f"answers, "
                f"mean confidence {found.confidence[place]:.2f}, {100 * found.right[place]:.1f}% right"
            ),
        )
        for place in np.flatnonzero(found.counts)
    ]


def _described(row: Row, found: Sureness) -> str:
    parts = []
    if ECE.name in row.scores:
        parts.append(f"calibration error {ECE.text(row.scores[ECE.name].value)} in {BINS} bins of equal width")
    tenth, half, every = (100 * float(found.risk[place - 1]) for place in (COVERAGES // 10, COVERAGES // 2, COVERAGES))
    parts.append(f"wrong among the surest tenth {tenth:.1f}%, half {half:.1f}%, all {every:.1f}%")
    parts.append(f"area under the curve {AURC.text(row.scores[AURC.name].value)}")
    return "; ".join(parts)
