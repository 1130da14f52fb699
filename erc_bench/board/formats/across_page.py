"""The board across corpora as one HTML file, static: no script, no network, works from disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from erc_bench.board import across_text as text
from erc_bench.board.across import AcrossBoard, AcrossPair, AcrossRow, Corpus
from erc_bench.board.formats.html import render_template
from erc_bench.board.formats.page_cells import Cell, score_cell
from erc_bench.board.tradeoff import linear_ticks
from erc_bench.protocols.rows import Score
from erc_bench.scoring.metric import PERCENT, Metric

RANK = Metric("mean_rank", "mean rank", "the corpora", None, PERCENT, higher_is_better=False)
P_DECIMALS = 4
Scale = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A system as the template sees it: `cells` are its mean rank and its score on each corpus."""

    row: AcrossRow
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that was tested: its difference on each corpus, the better system first where it holds on all."""

    first: str
    second: str
    holds: bool
    differences: tuple[Cell, ...]
    p_value: str


def render_page(board: AcrossBoard) -> str:
    """The whole page as HTML, ending with a newline; the same board gives the same text."""
    scales = [_scale(board, corpus) for corpus in board.corpora]
    last = float(max(2, len(board.ranked)))
    return render_template(
        "across.html",
        lead=text.LEAD,
        title=text.title(board),
        provenance=text.provenance(board),
        method=text.method(board),
        claim=text.claim(board),
        holding=text.holding(board),
        columns=[("Mean rank", f"1 to {last:g}"), *map(_column, board.corpora, scales)],
        corpora=[corpus.name for corpus in board.corpora],
        lines=[_line(board, row, (1.0, last), scales) for row in board.rows],
        pairs=[_pair(pair) for pair in sorted(board.pairs, key=lambda each: each.corrected)],
    )


def _column(corpus: Corpus, scale: Scale) -> tuple[str, str]:
    return f"{corpus.name}: {corpus.metric.words}", f"{scale[0]:g} to {scale[1]:g}".replace("-", "−")


def _scale(board: AcrossBoard, corpus: Corpus) -> Scale:
    scores = [score for row in board.rows if (score := row.score(corpus)) is not None]
    values = [value for score in scores for value in (score.low, score.value, score.high) if value is not None]
    known = [value for value in values if math.isfinite(value)]
    ticks = linear_ticks(min(0.0, *known), max(known)) if known and max(known) > 0 else [0.0, 1.0]
    return ticks[0], ticks[-1]


def _line(board: AcrossBoard, row: AcrossRow, ranks: Scale, scales: Sequence[Scale]) -> Line:
    cells = [
        score_cell(corpus.metric, row.score(corpus), scale, _best_floor(board, corpus))
        for corpus, scale in zip(board.corpora, scales, strict=True)
    ]
    return Line(row, (score_cell(RANK, row.mean_rank, ranks), *cells))


def _best_floor(board: AcrossBoard, corpus: Corpus) -> float | None:
    scores = (score.value for row in board.rows if row.floor and (score := row.score(corpus)) is not None)
    return min(scores, key=corpus.metric.best_first, default=None)


def _pair(pair: AcrossPair) -> Pair:
    turned = pair.holds and pair.better == pair.b
    return Pair(
        pair.b if turned else pair.a,
        pair.a if turned else pair.b,
        pair.holds,
        tuple(
            score_cell(
                found.metric,
                Score(-found.difference, -found.interval.high, -found.interval.low)
                if turned
                else Score(found.difference, *found.interval),
            )
            for found in pair.comparisons
        ),
        f"{pair.corrected:.{P_DECIMALS}f}" if pair.corrected >= 10**-P_DECIMALS else f"< {10**-P_DECIMALS:g}",
    )
