from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.paper.build import build_paper, parse_formats, read_runs, write_paper
from erc_bench.paper.model import Column, Line, Table, value_text
from erc_bench.paper.render import CSV_COLUMNS, render_csv, render_markdown
from erc_bench.protocols.rows import Score

if TYPE_CHECKING:
    from erc_bench.records.record import Run

    from .conftest import MakeRun


@pytest.fixture
def runs(make_run: MakeRun) -> list[Run]:
    return [
        make_run("sentemocontext", seed=0, embeds=True),
        make_run("sentemocontext", seed=1, embeds=True, wrong=4),
        make_run("sentemocontext-released", embeds=True),
    ]


def test_the_same_records_give_the_same_bytes(runs: list[Run], sample: Dataset, tmp_path: Path) -> None:
    contents = []
    for name in ("once", "again"):
        paths = write_paper(build_paper(sample, runs), tmp_path / name, ("md", "csv"))
        contents.append({path.name: path.read_bytes() for path in paths})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {
        *(f"figure-{number}.{ending}" for number in (3, 4) for ending in ("png", "svg")),
        "paper.md",
        "paper.csv",
    }
    assert contents[0]["figure-3.png"].startswith(b"\x89PNG")
    assert b"<svg" in contents[0]["figure-4.svg"]


def test_only_what_was_asked_for_is_made_and_named(runs: list[Run], sample: Dataset, tmp_path: Path) -> None:
    paper = build_paper(sample, runs, tables=(5, 2, 2), figures=(4,))
    assert [table.key for table in paper.tables] == ["table-2", "table-5", "figure-4"]
    names = {path.name for path in write_paper(paper, tmp_path / "out", ("md",))}
    assert names == {"table-2-table-5-figure-4.md", "figure-4.png", "figure-4.svg"}


def test_figure_3_has_no_picture_without_a_run(sample: Dataset, tmp_path: Path) -> None:
    paths = write_paper(build_paper(sample, [], figures=(3,)), tmp_path / "out", ("md",))
    assert [path.name for path in paths] == ["figure-3.md"]
    text = paths[0].read_text()
    assert "![" not in text
    assert "`erc-bench run --system sentemocontext --dataset sample --seeds 0-9`" in text


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
    assert (cell["published"], cell["measured"]) == ("0.08", "0.0077")
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


def test_values_as_text() -> None:
    assert value_text(None, "percent") == "–"
    assert value_text("80 MiB", "text") == "80 MiB"
    assert value_text(Score(43.367, 40.1, 46.519, 1.0), "percent") == "43.37 [40.10, 46.52]"
    assert value_text(Score(50.0, deviation=0.649), "percent") == "50.00 ± 0.65"
    assert value_text(Score(-0.0071), "mcc") == "−0.007"
    assert value_text(Score(0.594), "share") == "0.594"
    assert value_text(Score(1090.71), "count") == "1,091"


def test_special_characters_are_escaped() -> None:
    line = Line("a|b", "*x*", measured={"v": "<b>"}, missing="no `run` here")
    text = render_markdown([Table("t", "T_1_ | 2", (Column("v", "V"),), (line,))], ["one|two"], [])
    assert r"**a\|b**" in text
    assert r"\*x\*" in text
    assert r"\<b>" in text
    assert r"no \`run\` here" in text


def test_formats_are_checked() -> None:
    assert parse_formats("csv, md,csv") == ("csv", "md")
    with pytest.raises(UnknownNameError, match="got 'pdf'"):
        parse_formats("md,pdf")
    with pytest.raises(UsageError, match="must name at least one"):
        parse_formats(" , ")


def test_a_results_folder_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    assert read_runs(tmp_path / "nothing") == ()
