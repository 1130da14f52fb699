from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.paper.build import build_paper, write_paper
from erc_bench.paper.model import Column, Line, Table
from erc_bench.paper.render import CSV_COLUMNS, render_csv, render_markdown

if TYPE_CHECKING:
    from erc_bench.records.record import Run

    from .conftest import MakeRun


@pytest.fixture
def runs(make_run: MakeRun) -> list[Run]:
    return [make_run("sentemocontext", seed=seed, wrong=3 + seed, embeds=True) for seed in (0, 1)] + [
        make_run("sentemocontext-released", embeds=True)
    ]


def test_markdown_tables_are_rectangular_and_link_their_pictures(
    runs: list[Run], sample: Dataset, tmp_path: Path
) -> None:
    write_paper(build_paper(sample, runs), tmp_path / "out", ("md",))
    text = (tmp_path / "out" / "paper.md").read_text()
    for block in text.split("\n\n"):
        if block.startswith("|"):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1, block[:200]
    assert "(figure-3.svg)" in text
    assert "(figure-4.svg)" in text
    assert "they cannot be compared" in text
    assert text.endswith("\n")


def test_csv_has_a_line_a_cell_with_numbers(runs: list[Run], sample: Dataset) -> None:
    paper = build_paper(sample, runs, tables=(2, 5))
    found = list(csv.DictReader(io.StringIO(render_csv(paper.tables))))
    assert tuple(found[0]) == CSV_COLUMNS
    assert len(found) == sum(len(table.lines) * len(table.columns) for table in paper.tables)
    cell = next(
        line
        for line in found
        if line["row"] == "Llama2-7b" and line["block"].startswith("Recomputed") and line["column"] == "MCC"
    )
    assert (cell["published"], cell["measured"]) == ("0.08", "0.007708")
    cell = next(line for line in found if line["row"] == "sentemocontext" and line["protocol"] == "utterance")
    assert float(cell["low"]) < float(cell["measured"]) < float(cell["high"])


def test_shares_have_one_unit_on_both_sides(runs: list[Run], sample: Dataset) -> None:
    lines = list(csv.DictReader(io.StringIO(render_csv(build_paper(sample, runs).tables))))
    shares = [line for line in lines if line["unit"] == "share"]
    assert {line["table"] for line in shares} == {"table-3", "figure-3"}
    assert {line["column"] for line in shares if line["table"] == "table-3"} == {"P", "R", "F1"}
    for side in ("published", "measured"):
        values = [float(line[side]) for line in shares if line[side]]
        assert 0.3 < max(values) <= 1, side
    supports = [float(line["measured"]) for line in lines if line["column"] == "Supp." and line["measured"]]
    assert max(supports) > 1


def test_special_characters_are_escaped() -> None:
    line = Line("a|b", "*x*", measured={"v": "<b>"}, missing="no `run` here")
    text = render_markdown([Table("t", "T_1_ | 2", (Column("v", "V"),), (line,))], ["one|two"], [])
    assert r"**a\|b**" in text
    assert r"\*x\*" in text
    assert r"\<b>" in text
    assert r"no \`run\` here" in text
