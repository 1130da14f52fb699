from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.paper.build import build_paper
from erc_bench.paper.model import Column, Line, Table, value_text
from erc_bench.paper.terminal import print_tables
from erc_bench.protocols.rows import Score

if TYPE_CHECKING:
    from .conftest import MakeRun


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def tables(make_run: MakeRun, sample: Dataset) -> tuple[Table, ...]:
    runs = [
        make_run("sentemocontext", seed=0, embeds=True),
        make_run("sentemocontext", seed=1, embeds=True, wrong=4),
        make_run("sentemocontext-released", embeds=True, settings={"trained": True}),
    ]
    return build_paper(sample, runs).tables


def drawn(table: Table, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of a table on a terminal, without its notes."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    print_tables([replace(table, notes=())], [], file)
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()]


def shown(value: Score | str, unit: Column, *, spreads: bool) -> str:
    bare = Score(value.value) if isinstance(value, Score) and not spreads else value
    return value_text(bare, unit.unit)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_number_and_no_word_of_a_name_is_broken(
    tables: tuple[Table, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in tables:
        lines = drawn(table, width, monkeypatch)
        assert max(map(len, lines)) <= width, table.key
        spreads = not any("left out for want of room" in line for line in lines)
        words = Counter(" ".join(lines).split())
        wanted: Counter[str] = Counter()
        for line in table.lines:
            wanted.update(line.name.split())
            for column in table.columns:
                wanted.update(line.published.get(column.name, "").split())
                if column.name in line.measured:
                    wanted.update(shown(line.measured[column.name], column, spreads=spreads).split())
        assert wanted <= words, (table.key, wanted - words)


def test_names_of_table_3_stand_on_one_line_with_their_numbers(
    tables: tuple[Table, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = next(table for table in tables if table.key == "table-3")
    lines = drawn(table, 80, monkeypatch)
    (line,) = [line for line in lines if line.startswith("no emotion  triplet ")]
    published = table.lines[0].published
    assert line.split()[3::2] == [published[name] for name in ("precision", "recall", "f1", "support")]
    assert "measured by sentemocontext-released (trained=true), seed 0: Random triplets, as published" in " ".join(
        " ".join(lines).split()
    )


def wide(count: int) -> Table:
    columns = tuple(Column(f"c{n}", f"score {n}", "percent") for n in range(count))
    line = Line("a block", "system", "", {}, {c.name: Score(50.0, 40.0, 60.0) for c in columns}, "system, 3 seeds")
    return Table("t", "Title", columns, (line, replace(line, name="other", measured_by="something else")))


def test_what_does_not_fit_goes_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    table = wide(3)
    lines = drawn(table, 120, monkeypatch)
    assert any(line.startswith("system") and line.endswith("system, 3 seeds") for line in lines)
    lines = drawn(table, 80, monkeypatch)
    assert "system  50.00 [40.00, 60.00]  50.00 [40.00, 60.00]  50.00 [40.00, 60.00]" in lines
    assert lines[-2:] == ["measured by the system of that name, 3 seeds: system", "measured by something else: other"]
    lines = drawn(table, 60, monkeypatch)
    assert "system  50.00  50.00  50.00  system, 3 seeds" in lines
    assert lines[-1] == "left out for want of room: intervals and standard deviations"
    parts = [line for line in drawn(wide(9), 40, monkeypatch) if line.startswith("system")]
    assert [len(part.split()) for part in parts] == [5, 5, 2], "columns continue below, under the names of the rows"


def test_a_terminal_too_narrow_for_a_column_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum("50.00" in line for line in drawn(wide(2), 9, monkeypatch)) == 4


def test_lines_are_whole_outside_a_terminal(tables: tuple[Table, ...]) -> None:
    file = io.StringIO()
    print_tables(tables, ["Hello [bold]world[/] \x1b[2J."], file)
    text = file.getvalue()
    assert text.startswith("Hello [bold]world[/] [2J.\n")
    assert "\x1b" not in text
    table = next(table for table in tables if table.key == "table-2")
    assert sum(line.endswith("sentemocontext, 2 seeds") for line in text.splitlines()) >= sum(
        line.measured_by == "sentemocontext, 2 seeds" for line in table.lines
    )
    assert "macro F1* published" in text
    assert "left out for" not in text
