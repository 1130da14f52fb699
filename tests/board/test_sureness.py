from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import erc_bench
from erc_bench.board.build import build_boards, rendered
from erc_bench.board.formats.csv_file import every_value
from erc_bench.board.model import Board
from erc_bench.board.sureness import sure_section, sureness_table, without_scores
from erc_bench.contract.domain import Dataset

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that gives probabilities."""
    folder = tmp_path_factory.mktemp("sure")
    erc_bench.run("tfidf-logreg", dataset="sample", settings={"ngrams": 1}, results_dir=folder)
    return folder


@pytest.fixture
def board(trained: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Board:
    write_run(trained, sample, gold(sample), system="silent")
    (found,) = build_boards(trained).boards
    return found


def test_the_table_has_the_rows_with_scores_and_the_others_are_named(board: Board) -> None:
    section = sure_section(board)
    assert section is not None
    assert (section.protocol, section.subset) == ("utterance", "all")
    table = sureness_table(section)
    (row,) = table.rows
    assert row[0] == "tfidf-logreg (ngrams=1)"
    assert table.columns[1:3] == ("calibration error", "area under risk-coverage")
    accuracy = section.rows[-1].scores["accuracy"].value
    assert row[-1] == f"{100 - accuracy:.1f}%"  # all answers are as wrong as the accuracy says
    assert without_scores(section) == ["silent"]


def test_every_format_has_the_numbers(board: Board) -> None:
    section = sure_section(board)
    assert section is not None
    (row,) = (each for each in section.rows if each.sureness)
    ece, aurc = (row.scores[name].value for name in ("ece", "aurc"))
    lines = list(csv.DictReader(io.StringIO(rendered([board], "csv").decode())))
    (line,) = (
        each for each in lines if (each["system"], each["protocol"], each["subset"]) == (row.title, "utterance", "all")
    )
    assert float(line["ece"]) == pytest.approx(ece, abs=1e-6)
    assert float(line["aurc"]) == pytest.approx(aurc, abs=1e-6)
    assert {each["ece"] for each in lines if each["system"] == "silent"} == {""}
    assert every_value(row)["aurc"] == pytest.approx(aurc, abs=1e-6)
    text = rendered([board], "md").decode()
    assert "### sample: utterance, how sure" in text
    assert "No scores in the predictions: silent." in text


def test_the_page_draws_it_and_says_who_has_no_scores(board: Board) -> None:
    page = rendered([board], "html").decode()
    sections = [each for each in board.sections if any(row.sureness for row in each.rows)]
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert sum("sureness" in kinds for kinds in json.loads(data)["lines"].values()) == len(sections) > 0
    assert "No scores in the predictions, so that how sure they are is not known: silent." in page


def test_a_board_without_scores_has_no_such_table(
    tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_run(tmp_path, sample, gold(sample), system="silent")
    (board,) = build_boards(tmp_path).boards
    assert sure_section(board) is None
    assert "how sure" not in rendered([board], "md").decode()
