"""The tables as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from erc_bench.board.formats.markdown import escaped
from erc_bench.board.words import MISSING
from erc_bench.paper.model import Column, Line, Table, value_text
from erc_bench.protocols.rows import Score
from erc_bench.shown import cell

CSV_COLUMNS = (
    "table",
    "block",
    "row",
    "protocol",
    "column",
    "unit",
    "published",
    "measured",
    "low",
    "high",
    "deviation",
    "measured_by",
    "missing",
    "deviation_resamplings",
    "deviation_seeds",
)
CSV_DECIMALS = 8
OR = ", or "

Key = TypeVar("Key")


def headings(table: Table) -> list[str]:
    """The column headings: published and measured side by side, one column where only one of them exists."""
    names = ["row", "protocol"] if has_protocol(table) else ["row"]
    for column, published, measured in table.pairs():
        names += [f"{column.heading} published"] * published
        names += [f"{column.heading} measured" if published else column.heading] * measured
    return [*names, "measured by"]


def cells(table: Table, line: Line) -> list[str]:
    """The cells of a line below `headings`."""
    found = [line.name, line.protocol or MISSING] if has_protocol(table) else [line.name]
    for column, published, measured in table.pairs():
        found += [line.published.get(column.name, MISSING)] * published
        found += [value_text(line.measured.get(column.name), column.unit)] * measured
    return [*found, line.measured_by or MISSING]


def has_protocol(table: Table) -> bool:
    """Whether the rows of a table were scored under a protocol."""
    return any(line.protocol for line in table.lines)


def blocks(table: Table) -> Iterator[tuple[str, list[Line]]]:
    """The lines of a table by block, in order."""
    for block in dict.fromkeys(line.block for line in table.lines):
        yield block, [line for line in table.lines if line.block == block]


def fillers(table: Table) -> list[tuple[str, list[str]]]:
    """What would fill the dashes, with the rows it would fill."""
    found: dict[str, list[str]] = {}
    for line in table.lines:
        if line.missing and not line.measured and line.name not in found.setdefault(line.missing, []):
            found[line.missing].append(line.name)
    return list(found.items())


def stand_ins(table: Table) -> list[tuple[str, str, list[str]]]:
    """Where another configuration stands in: what was measured, the command that is wanted, and the rows."""
    found = rows_by(table, lambda line: (line.measured_by, line.missing) if line.measured and line.missing else None)
    return [(measured_by, what, rows) for (measured_by, what), rows in found.items()]


def rows_by(table: Table, key: Callable[[Line], Key | None]) -> dict[Key, list[str]]:
    """The rows that share a key, without those that have none.

    A block whose lines all share one is named instead of its lines.
    """
    found: dict[Key, list[str]] = {}
    for block, lines in blocks(table):
        keys = [key(line) for line in lines]
        for line, value in zip(lines, keys, strict=True):
            if value is None:
                continue
            rows = found.setdefault(value, [])
            name = block if block and len(set(keys)) == 1 and len(lines) > 1 else line.name
            if name not in rows:
                rows.append(name)
    return found


def render_markdown(tables: Sequence[Table], introduction: Sequence[str], pictures: Sequence[str]) -> str:
    """One document; `pictures` are the file names of figures, shown under the tables of their counts."""
    parts = ["# The tables of the paper, published and measured", *map(escaped, introduction)]
    for table in tables:
        parts += [f"## {escaped(table.title)}", _markdown_table(table)]
        parts += [f"![{escaped(table.title)}]({name})" for name in pictures if name == f"{table.key}.svg"]
        missing = fillers(table)
        if missing:
            lines = [f"- {escaped(', '.join(rows))}: {_filler(what)}" for what, rows in missing]
            parts.append("\n".join(["What would fill the dashes:", "", *lines]))
        others = stand_ins(table)
        if others:
            lines = [
                f"- {escaped(', '.join(rows))}: {escaped(by)}, until there is a run of {_filler(what)}"
                for by, what, rows in others
            ]
            parts.append("\n".join(["Where another configuration stands in:", "", *lines]))
        if table.notes:
            parts.append("\n".join(["Notes:", "", *(f"- {escaped(note)}" for note in table.notes)]))
    return "\n\n".join(parts) + "\n"


def _filler(what: str) -> str:
    commands = what.split(OR)
    return OR.join(f"`{c}`" if c.startswith(("erc-bench", "hf ")) else escaped(c) for c in commands)


def _markdown_table(table: Table) -> str:
    names = headings(table)
    left = 1 + has_protocol(table)
    aligned = [*["---"] * left, *["---:"] * (len(names) - left - 1), "---"]
    lines = [_row(map(escaped, names)), _row(aligned)]
    for block, members in blocks(table):
        if block:
            lines.append(_row([f"**{escaped(block)}**", *[""] * (len(names) - 1)]))
        lines += [_row(map(escaped, cells(table, line))) for line in members]
    return "\n".join(lines)


def _row(values: Any) -> str:
    return f"| {' | '.join(values)} |"


def records(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """One record a cell, with measured numbers as numbers, in the unit of the published ones."""
    return [_record(table, line, column) for table in tables for line in table.lines for column in table.columns]


def _record(table: Table, line: Line, column: Column) -> dict[str, Any]:
    measured = line.measured.get(column.name)
    value = measured if isinstance(measured, Score) else None
    apart = value.apart if value and value.apart else (None, None)

    def rounded(number: float | None) -> float | None:
        return None if number is None else round(number, CSV_DECIMALS)

    return {
        "table": table.key,
        "block": line.block,
        "row": line.name,
        "protocol": line.protocol,
        "column": column.heading,
        "unit": column.unit,
        "published": line.published.get(column.name),
        "measured": rounded(value.value) if value else measured,
        "low": rounded(value.low) if value else None,
        "high": rounded(value.high) if value else None,
        "deviation": rounded(value.deviation) if value else None,
        "measured_by": line.measured_by,
        "missing": line.missing,
        "deviation_resamplings": rounded(apart[0]),
        "deviation_seeds": rounded(apart[1]),
    }


def render_csv(tables: Sequence[Table]) -> str:
    """One line a cell. `published` is text as the paper prints it."""
    file = io.StringIO()
    writer = csv.DictWriter(file, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in record.items()} for record in records(tables))
    return file.getvalue()
