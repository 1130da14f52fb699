"""How sure a row is, as a picture on the page: reliability of its confidences beside its risk-coverage curve.

The script draws it (`templates/details.js`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erc_bench.board.tradeoff import linear_ticks
from erc_bench.protocols.rows import Row, Sureness
from erc_bench.scoring.calibration import BINS, COVERAGES, Reliability
from erc_bench.scoring.catalogue import AURC, ECE

SIDE, BOTTOM = 170, 186


@dataclass(frozen=True, slots=True)
class SurenessChart:
    """One picture, in a square of `SIDE` SVG units above `BOTTOM`.

    `bins` are those with answers, of `of`: place, percent of the answers, mean confidence, percent right; they are empty
    where scores are no probabilities. `curve` has heights at coverages of 1% to 100%, in tenths of units from the top down;
    `ticks` have heights in units, and texts. `text` says it all.
    """

    text: str
    of: int
    bins: list[tuple[int, str, str, str]]
    curve: list[int]
    ticks: list[tuple[float, str]]


def sureness_chart(row: Row) -> SurenessChart | None:
    """The picture of a row; None for one whose predictions have no scores."""
    found = row.sureness
    if found is None:
        return None
    ticks = linear_ticks(0, max(float(found.risk.max()), 0.01))
    top = ticks[-1]
    return SurenessChart(
        text=_described(row, found),
        of=BINS,
        bins=[] if found.bins is None else _bins(found.bins),
        curve=[round(10 * (BOTTOM - SIDE * float(risk) / top)) for risk in found.risk],
        ticks=[(round(BOTTOM - SIDE * value / top, 1), f"{100 * value:g}%") for value in ticks],
    )


def _bins(found: Reliability) -> list[tuple[int, str, str, str]]:
    total = found.counts.sum()
    return [
        (
            int(place),
            f"{100 * found.counts[place] / total:.1f}",
            f"{found.confidence[place]:.2f}",
            f"{100 * found.right[place]:.1f}",
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
