"""A table of the paper: lines whose cells hold what was published and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from erc_bench.board.words import MISSING
from erc_bench.paper.measure import Scored
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.rows import Score
from erc_bench.scoring.metric import CORRELATION, PERCENT

Unit = Literal["percent", "mcc", "share", "count", "text"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `name` is the key of cells, `heading` what the paper calls it."""

    name: str
    heading: str
    unit: Unit = "text"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table.

    `published` holds cells as the paper prints them, `measured` numbers or text; both by column. `measured_by` says what
    was measured; where nothing was, `missing` says what would fill the dash: a command, or why there is none. Beside
    measured cells, `missing` is the command of the configuration that another one stands in for.
    """

    block: str
    name: str
    protocol: str = ""
    published: Mapping[str, str] = field(default_factory=dict)
    measured: Mapping[str, Score | str] = field(default_factory=dict)
    measured_by: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or the counts behind a figure. `key` is unique: `table-2`, `figure-3`."""

    key: str
    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    def pairs(self) -> list[tuple[Column, bool, bool]]:
        """Each column, whether anything of it was published, and whether anything was measured or could be."""
        published = {column.name: any(column.name in line.published for line in self.lines) for column in self.columns}
        return [
            (column, published[column.name], not published[column.name] or bool(self.measurable(column)))
            for column in self.columns
        ]

    def measurable(self, column: Column) -> bool:
        """Whether a column has a measured cell, or a dash that could become one."""
        return any(column.name in line.measured or line.missing for line in self.lines)


def value_text(value: Score | str | None, unit: Unit) -> str:
    """A measured cell: percent with two decimals, MCC and shares with three, `± ` a standard deviation or [interval].

    `± a / b` are the standard deviations over resamplings of one seed and over the means of seeds.
    """
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    text = number_text(value.value, unit)
    if value.low is not None and value.high is not None:
        return f"{text} [{number_text(value.low, unit)}, {number_text(value.high, unit)}]"
    deviations = value.apart or (() if value.deviation is None else (value.deviation,))
    return f"{text} ± {' / '.join(number_text(each, unit) for each in deviations)}" if deviations else text


def number_text(value: float, unit: Unit) -> str:
    """A number in its unit: F1 scores in percent, shares in 0..1, as the paper prints them."""
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "share":
        return f"{value:.3f}"
    return (CORRELATION if unit == "mcc" else PERCENT).text(value)


def protocol_name(protocol: Protocol) -> str:
    """What the tables call a protocol."""
    return protocol.heading or protocol.name


def scored_line(
    block: str,
    name: str,
    protocol: Protocol,
    scored: Scored | None,
    columns: tuple[Column, ...],
    *,
    published: Mapping[str, str] | None = None,
    missing: str = "",
) -> Line:
    """A line of scores; `missing` is the command that is still wanted, empty where there is none."""
    measured = {column.name: scored.values[column.name] for column in columns} if scored else {}
    return Line(
        block,
        name,
        protocol_name(protocol),
        published or {},
        measured,
        scored.measured_by if scored else "",
        missing,
    )
