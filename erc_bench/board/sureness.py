"""How sure the rows of a board are, as one table of text."""

from __future__ import annotations

from erc_bench.board.model import Board
from erc_bench.board.text import TextTable
from erc_bench.protocols.rows import Row, Section
from erc_bench.protocols.subsets import ALL
from erc_bench.scoring.calibration import COVERAGES
from erc_bench.scoring.catalogue import AURC, ECE
from erc_bench.scoring.metric import SHARE, Metric

SHOWN = (10, 50, 100)
"""Coverages in percent whose risk the table has."""


def sure_section(board: Board) -> Section | None:
    """The first section of the whole test split with a row whose predictions have scores."""
    sections = (section for section in board.sections if section.subset == ALL.name)
    return next((section for section in sections if any(row.sureness for row in section.rows)), None)


def sureness_table(section: Section) -> TextTable:
    """A line for each row whose predictions have scores, in the order of the section."""
    columns = ("system", ECE.words, AURC.words, *(f"wrong, surest {share}%" for share in SHOWN))
    rows = [(row.title, _score(row, ECE), _score(row, AURC), *_risks(row)) for row in section.rows if row.sureness]
    return TextTable(columns, (False, *[True] * (len(columns) - 1)), tuple(rows))


def without_scores(section: Section) -> list[str]:
    """Titles of the rows of runs whose predictions have no scores; none in a section that scores no answers."""
    return [row.title for row in section.rows if row.title in section.estimates and row.sureness is None]


def _score(row: Row, metric: Metric) -> str:
    score = row.scores.get(metric.name)
    if score is None or score.deviation is None:
        return metric.text(score.value if score else None)
    return f"{metric.text(score.value)} ± {metric.text(score.deviation)}"


def _risks(row: Row) -> list[str]:
    return [SHARE.text(float(row.sureness.risk[share * COVERAGES // 100 - 1])) for share in SHOWN if row.sureness]
