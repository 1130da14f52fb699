from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from erc_bench.board.formats.transfer_files import (
    COLUMNS,
    kept_share,
    matrix_figure,
    parse_formats,
    rendered,
    values,
    write_matrices,
)
from erc_bench.board.transfer import Cell, Matrices
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.protocols.rows import Score
from erc_bench.scoring.catalogue import MICRO_F1
from erc_bench.scoring.limits import Interval
from erc_bench.scoring.significance import Comparison

LOST = Comparison(MICRO_F1, -20.0, Interval(-25.0, -15.0), 2.5, 1e-9, 7.0)
CELL = Cell(
    system="<b>odd | name</b>",
    train="old",
    test="new",
    metric=MICRO_F1,
    labels=5,
    utterances=1024,
    score=Score(30.0, 25.0, 35.0),
    not_verbatim=Score(28.0, 23.0, 33.0),
    own=Score(50.0, 45.0, 55.0),
    difference=LOST,
    seeds=3,
    floor=False,
    source="erc-bench run",
)
OWN = replace(CELL, train="new", score=Score(52.0, 48.0, 56.0), own=None, difference=None)
EVERY: Matrices = {CELL.system: (OWN, CELL)}


def test_csv_has_a_line_a_pair() -> None:
    own, moved = csv.DictReader(io.StringIO(rendered(EVERY, "csv").decode()))
    assert tuple(own) == COLUMNS
    assert [float(moved[f"{name}"]) for name in ("score", "own", "difference", "not_verbatim")] == [30, 50, -20, 28]
    assert (moved["trained_on"], moved["tested_on"], moved["metric"], moved["seeds"]) == ("old", "new", "micro_f1", "3")
    assert (own["own"], own["p_value"]) == ("", "")
    assert values(CELL)["difference_low"] == -25


def test_markdown_and_page_escape_names_and_show_both_scores() -> None:
    text = rendered(EVERY, "md").decode()
    assert "| old | 30.00 [25.00, 35.00] / 50.00 |" in text
    assert "\\<b>odd \\| name\\</b>" in text
    page = rendered(EVERY, "html").decode()
    assert "<b>odd" not in page
    assert "&lt;b&gt;odd | name&lt;/b&gt;" in page
    assert '<td class="s3">30.00 [25.00, 35.00] / 50.00</td>' in page
    assert "<script" not in page
    assert "default-src &#39;none&#39;" in page


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (CELL, 0.6),
        (OWN, 1.0),
        (replace(CELL, score=Score(60.0)), 1.0),
        (replace(CELL, own=Score(0.0)), math.nan),
        (replace(CELL, own=None), math.nan),
        (None, math.nan),
    ],
)
def test_what_is_left_of_the_own_score(cell: Cell | None, expected: float) -> None:
    assert kept_share(cell) == pytest.approx(expected, nan_ok=True)


def test_a_picture_holds_every_score() -> None:
    texts = [text.get_text() for text in matrix_figure("echo", EVERY[CELL.system]).axes[0].texts]
    assert texts == ["52.00\n[48.00, 56.00]", "30.00\n[25.00, 35.00]\nown 50.00"]


def test_files_and_pictures_are_written_and_always_the_same(tmp_path: Path) -> None:
    paths = write_matrices(EVERY, tmp_path, ("md", "csv", "html", "svg"))
    assert [path.name for path in paths] == [
        "transfer.md",
        "transfer.csv",
        "transfer.html",
        "transfer-b-odd-name-b.svg",
    ]
    ElementTree.parse(paths[-1])
    before = [path.read_bytes() for path in paths]
    write_matrices(EVERY, tmp_path, ("md", "csv", "html", "svg"))
    assert [path.read_bytes() for path in paths] == before


def test_formats_are_checked() -> None:
    assert parse_formats("md, svg,md") == ("md", "svg")
    with pytest.raises(UsageError, match="--format must name at least one of md, csv, html, png, svg"):
        parse_formats(",")
    with pytest.raises(UnknownNameError, match="a format"):
        parse_formats("pdf")
