"""The tables on standard output: fitted to the width of a terminal, whole lines of plain text elsewhere.

In a narrow terminal no number and no word of a name is broken. What does not fit goes in this order: the column
`measured by` moves below its table, intervals and standard deviations are left out, columns continue in another part of
the table, which repeats the names of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.rule import Rule
from rich.table import Table as Drawn
from rich.text import Text

from erc_bench.board.formats.terminal import UNLIMITED, plain
from erc_bench.board.words import MISSING
from erc_bench.paper.model import Line, Table, value_text
from erc_bench.paper.render import fillers, has_protocol, rows_by, stand_ins
from erc_bench.protocols.rows import Score

GAP = 2
NAME_WIDTH = 24
"""What names of rows keep at least, if they are as long; beyond that they continue on another line."""

TEXT_WIDTH = 28
"""Cells above this width hold sentences, not numbers."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as text, a cell a line of the table. `width` is the least that it needs."""

    heading: str
    cells: tuple[str, ...]
    width: int
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class _Layout:
    """The parts of a table, each with the columns that fit, and whether they hold everything."""

    parts: tuple[tuple[_Column, ...], ...]
    measured_by: bool
    spreads: bool


def print_tables(tables: Sequence[Table], introduction: Sequence[str], file: TextIO) -> None:
    """Print every table with its notes."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=UNLIMITED, color_system=None)
    for paragraph in introduction:
        _say(console, paragraph)
    for table in tables:
        console.print()
        _say(console, table.title, "bold")
        layout = _fitted(table, console)
        for position, part in enumerate(layout.parts):
            if position:
                console.print()
            _draw(console, table, part)
        for line in _moved(table, layout):
            _say(console, line, "dim")
        for what, rows in fillers(table):
            _say(console, f"to fill {', '.join(rows)}: {what}", "dim")
        for by, what, rows in stand_ins(table):
            _say(console, f"stands in for {', '.join(rows)}: {by}, until there is a run of {what}", "dim")
        for note in table.notes:
            _say(console, f"note: {note}")


def _say(console: Console, text: str, style: str = "") -> None:
    # Texts of run records reach the terminal as text: no markup, no control sequences.
    console.print(Text(plain(text), style=style), soft_wrap=not console.is_terminal)


def _fitted(table: Table, console: Console) -> _Layout:
    names, by = _names(table), _text("measured by", (line.measured_by or MISSING for line in table.lines))
    for spreads in (True, False):
        groups = list(_groups(table, spreads=spreads, narrow=console.is_terminal))
        body = tuple(chain.from_iterable(groups))
        for ending in ((by,), ()):
            columns = (*names, *body, *ending)
            if _width(columns) <= console.width:
                return _Layout((columns,), bool(ending), spreads)
    parts = [names]
    for group in groups:
        if _width((*parts[-1], *group)) <= console.width or parts[-1] == names:
            parts[-1] += group
        else:
            parts.append((*names, *group))
    return _Layout(tuple(parts), measured_by=False, spreads=False)


def _names(table: Table) -> tuple[_Column, ...]:
    rows = _text("row", (line.name for line in table.lines))
    rows = _Column(rows.heading, rows.cells, max(min(rows.width, NAME_WIDTH), _longest_word(rows.cells)), numeric=False)
    return (
        (rows, _text("protocol", (line.protocol or MISSING for line in table.lines)))
        if has_protocol(table)
        else (rows,)
    )


def _text(heading: str, cells: Iterable[str]) -> _Column:
    shown = tuple(map(plain, cells))
    return _Column(heading, shown, max(map(cell_len, (heading, *shown))), numeric=False)


def _groups(table: Table, *, spreads: bool, narrow: bool) -> Iterator[tuple[_Column, ...]]:
    """What was published and measured of each column; headings go on several lines in a narrow table."""

    def column(heading: str, cells: Iterable[str]) -> _Column:
        shown = tuple(map(plain, cells))
        widest = max(map(cell_len, shown))
        words = widest > TEXT_WIDTH  # sentences, which continue on another line as names do
        if words and narrow:
            widest = max(TEXT_WIDTH, _longest_word(shown))
        least = max(_longest_word([heading]) if narrow else len(heading), widest)
        return _Column(heading, shown, least, numeric=not words)

    kinds = ("publ.", "meas.") if narrow else ("published", "measured")
    for found, published, measured in table.pairs():
        group = []
        if published:
            group.append(
                column(f"{found.heading} {kinds[0]}", (line.published.get(found.name, MISSING) for line in table.lines))
            )
        if measured:
            heading = f"{found.heading} {kinds[1]}" if published else found.heading
            values = (line.measured.get(found.name) for line in table.lines)
            group.append(
                column(heading, (value_text(value if spreads else _bare(value), found.unit) for value in values))
            )
        yield tuple(group)


def _bare(value: Score | str | None) -> Score | str | None:
    return Score(value.value) if isinstance(value, Score) else value


def _longest_word(texts: Iterable[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _draw(console: Console, table: Table, columns: Sequence[_Column]) -> None:
    """Print one part, its names as wide as there is room; what is wider than the terminal goes beyond its edge."""
    rows = columns[0]
    room = console.width - _width(columns[1:]) - GAP
    widths = [max(rows.width, min(room, max(map(cell_len, rows.cells)))), *(column.width for column in columns[1:])]
    total = sum(widths) + GAP * (len(widths) - 1)
    paper = Console(file=console.file, highlight=False, width=max(total, console.width))

    def grid(lines: Iterable[Sequence[str]], vertical: Literal["top", "bottom"] = "top", style: str = "") -> None:
        drawn = Drawn.grid(padding=(0, GAP, 0, 0))
        for column, width in zip(columns, widths, strict=True):
            drawn.add_column(width=width, justify="right" if column.numeric else "left", vertical=vertical, style=style)
        for line in lines:
            drawn.add_row(*map(Text, line))
        with paper.capture() as capture:
            paper.print(drawn)
        console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))

    grid([[column.heading for column in columns]], "bottom", "bold")
    if console.is_terminal:
        paper.print(Rule(style="dim"), width=total)
    for block in dict.fromkeys(line.block for line in table.lines):
        if block:
            _say(console, block, "italic")
        members = [position for position, line in enumerate(table.lines) if line.block == block]
        grid([column.cells[position] for column in columns] for position in members)


def _moved(table: Table, layout: _Layout) -> Iterator[str]:
    """What the layout has no room for: what was measured is said here, spreads stand in the files."""
    if not layout.measured_by:
        for by, rows in rows_by(table, _measured_by).items():
            yield f"measured by {by}: {', '.join(rows)}"
    if not layout.spreads and any(value != _bare(value) for line in table.lines for value in line.measured.values()):
        yield "left out for want of room: intervals and standard deviations"


def _measured_by(line: Line) -> str | None:
    itself, seeds = line.measured_by.startswith(f"{line.name}, "), line.measured_by.removeprefix(f"{line.name}, ")
    return (f"the system of that name, {seeds}" if itself else line.measured_by) or None
