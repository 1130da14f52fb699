"""The rows of a board by phenomenon: one table of text, and the same as values for `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from erc_bench.board.model import Board
from erc_bench.board.text import FLOOR, TextTable
from erc_bench.protocols.rows import Breakdown, Score, Section
from erc_bench.scoring.metric import Metric, Unit


def shown_section(board: Board) -> Section | None:
    """The section whose rows stand by phenomenon: the first that has them."""
    return next((section for section in board.sections if section.breakdowns), None)


def phenomena_table(section: Section) -> TextTable:
    """A line a row, in the order of its section, and a column a group with its support; one decimal less than scores have."""
    columns = ["system"]
    rows = [[f"{row.title} {FLOOR}" if row.floor else row.title] for row in section.rows]
    for each in section.breakdowns:
        unit = coarse(each.metric)
        columns += [f"{each.phenomenon}: {name} ({n:,})" for name, n in zip(each.groups, each.supports, strict=True)]
        for row, cells in zip(section.rows, rows, strict=True):
            cells += [_cell(unit, score) for score in each.scores[row.title]]
    return TextTable(tuple(columns), (False, *[True] * (len(columns) - 1)), tuple(map(tuple, rows)))


def coarse(metric: Metric) -> Unit:
    """The unit of a metric with a decimal less: groups are small and their intervals wide."""
    return replace(metric.unit, decimals=max(1, metric.unit.decimals - 1))


def _cell(unit: Unit, score: Score) -> str:
    return f"{unit.text(score.value)} [{unit.text(score.low)}, {unit.text(score.high)}]"


def phenomena_legend(section: Section) -> Iterator[tuple[str, str]]:
    """Every phenomenon with what it tells apart."""
    yield from ((each.phenomenon, each.meaning) for each in section.breakdowns)


def phenomena_values(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Every row in every group: support in utterances, how many dialogues hold them, score, limits and deviation."""
    return [
        value
        for board in boards
        for section in board.sections
        for each in section.breakdowns
        for value in _values(section, each)
    ]


def _values(section: Section, each: Breakdown) -> Iterator[dict[str, Any]]:
    rounded = each.metric.rounded
    for row in section.rows:
        groups = zip(each.groups, each.supports, each.dialogues, each.scores[row.title], strict=True)
        for group, support, dialogues, score in groups:
            yield {
                "system": row.title,
                "dataset": section.dataset,
                "protocol": section.protocol,
                "subset": section.subset,
                "phenomenon": each.phenomenon,
                "group": group,
                "support": support,
                "dialogues": dialogues,
                "metric": each.metric.name,
                "score": rounded(score.value),
                "low": rounded(score.low),
                "high": rounded(score.high),
                "deviation": rounded(score.deviation),
            }
