"""Boards on standard output: rich tables that fit a terminal, whole lines of plain text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO, TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from erc_bench.board import across_text, text
from erc_bench.board.across import AcrossBoard
from erc_bench.board.model import Board
from erc_bench.board.words import subset_meaning
from erc_bench.protocols.subsets import SUBSETS
from erc_bench.scoring.catalogue import ALL_LABELS, METRICS

Cell = TypeVar("Cell")

UNLIMITED = 10_000
WRAPPING = ("system", "reference", "flags", "source", "question", "A", "B")
WRAP_WIDTH = 26
DROPPED_FIRST = ("source", "checked", "evidence", "training", "utt/s", "parameters", "decision")
DROPPED_LATER = ("unusable", "reference", "context", "seeds")


def print_boards(boards: Sequence[Board], file: TextIO) -> None:
    """Print every table of the boards; a narrow terminal gets fewer columns, and is told which are left out."""
    console = _console(file)
    for position, board in enumerate(boards):
        if position:
            console.print()
        _print(console, text.provenance(board))
        for protocol in board.protocols():
            _heading(console, f"{board.dataset}, protocol {protocol}. {text.scope(board, protocol)}")
            _table(console, text.measured_table(board, protocol))
            for note in text.notes(board, protocol):
                _print(console, f"note: {note}")
            for section, table in text.tables_apart(board, protocol):
                title = f"{board.dataset}, protocol {protocol}, subset {section.subset}. {text.size(section)}"
                _heading(console, f"{title}. {subset_meaning(section.subset)}")
                _table(console, table)
        if board.contrasts:
            _heading(console, f"{board.dataset}, planned contrasts. {text.contrast_method()}")
            _table(console, text.contrast_table(board.contrasts))
        if board.published:
            _heading(console, f"{board.dataset}, published results (not measured here, not ranked)")
            _table(console, text.published_table(board))


def print_across(board: AcrossBoard, file: TextIO) -> None:
    """Print the board across corpora: the table of systems, then what holds on every corpus."""
    console = _console(file)
    _print(console, across_text.provenance(board))
    _heading(console, across_text.title(board))
    _table(console, across_text.systems_table(board))
    _heading(console, across_text.holding(board))
    for line in across_text.holding_lines(board):
        _print(console, line)


def print_tables(tables: Iterable[tuple[str, text.TextTable]], file: TextIO) -> None:
    """Print tables, each below its heading."""
    console = _console(file)
    for heading, table in tables:
        _heading(console, heading)
        _table(console, table)


def _console(file: TextIO) -> Console:
    console = Console(file=file, highlight=False, soft_wrap=True)
    if console.is_terminal:
        return console
    return Console(file=file, highlight=False, width=UNLIMITED, color_system=None)


def _print(console: Console, line: str) -> None:
    # Texts of run records reach the terminal as text: no markup, no control sequences.
    console.print(Text(plain(line)), soft_wrap=True)


def _heading(console: Console, line: str) -> None:
    console.print()
    console.print(Text(plain(line), style="bold"), soft_wrap=True)


def plain(value: str) -> str:
    """A text without control characters, on one line."""
    line = " ".join(value.split())
    return line if line.isprintable() else "".join(filter(str.isprintable, line))


def _table(console: Console, table: text.TextTable) -> None:
    if not console.is_terminal:
        console.file.write("".join(f"{line}\n" for line in _lines(table)))
        return
    lost: list[str] = []
    for name, how in _reductions(table):
        if _width(console, table) <= console.width:
            break
        if name not in table.columns:
            continue
        if how == "shorten":
            lost.append(f"intervals of {name.removesuffix(text.INTERVAL)}")
            table = _shortened(table, name)
        else:
            lost = [entry for entry in lost if entry != f"intervals of {name}"] + [name]
            table = _without(table, name)
    console.print(_drawn(table))
    if lost:
        console.print(Text(f"left out for want of room: {', '.join(lost)}", style="dim"), soft_wrap=True)


def _lines(table: text.TextTable) -> Iterator[str]:
    """A table as whole lines of plain text, columns two spaces apart: rich takes a second for all of them."""
    rows = [[plain(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (
            " " * (width - cell_len(cell)) + cell if right else cell + " " * (width - cell_len(cell))
            for cell, width, right in zip(row, widths, table.numeric, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _reductions(table: text.TextTable) -> Iterator[tuple[str, str]]:
    """What a narrow terminal loses, first to last: whole columns, or the interval of a score; never the first score."""
    scores = [name for name in table.columns if name.endswith(text.INTERVAL)]
    subsets = [name for name in scores if name.partition(" ")[0] in SUBSETS]
    beside = [name for name in reversed(scores[1:]) if name not in subsets]
    first = next(
        (name for name, right in zip(table.columns, table.numeric, strict=True) if right and name != "rank"), ""
    )
    further = [metric.words for metric in METRICS.values() if metric.over == ALL_LABELS and metric.words != first]
    yield from ((name, "drop") for name in (*DROPPED_FIRST, *further))
    yield from ((name, "shorten") for name in (*beside, *subsets))
    # A shortened column has lost the mark of its interval.
    yield from ((name.removesuffix(text.INTERVAL), "drop") for name in (*DROPPED_LATER, *subsets, "protocol", *beside))


def _width(console: Console, table: text.TextTable) -> int:
    drawn = _drawn(table, WRAP_WIDTH)
    return Measurement.get(console, console.options.update(max_width=UNLIMITED), drawn).maximum


def _without(table: text.TextTable, name: str) -> text.TextTable:
    position = table.columns.index(name)

    def rest(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return cells[:position] + cells[position + 1 :]

    return text.TextTable(rest(table.columns), rest(table.numeric), tuple(rest(row) for row in table.rows))


def _shortened(table: text.TextTable, name: str) -> text.TextTable:
    position = table.columns.index(name)

    def short(cells: tuple[str, ...]) -> tuple[str, ...]:
        return (*cells[:position], cells[position].partition(" [")[0], *cells[position + 1 :])

    return text.TextTable(short(table.columns), table.numeric, tuple(short(row) for row in table.rows))


def _drawn(table: text.TextTable, wrap_width: int | None = None) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name, numeric in zip(table.columns, table.numeric, strict=True):
        wraps = name in WRAPPING
        drawn.add_column(
            name,
            justify="right" if numeric else "left",
            no_wrap=not wraps,
            overflow="fold",
            max_width=wrap_width if wraps else None,
        )
    for row in table.rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    return drawn
