from __future__ import annotations

import math
from typing import Any

import pytest

from erc_bench.board.formats.page_cells import OTHER, Bar, Column, cell_of, score_cell
from erc_bench.protocols.rows import Row, Score
from erc_bench.scoring.catalogue import METRICS, MICRO_F1


def row(**fields: Any) -> Row:
    return Row("a", "mini", "utterance", "all", "measured", "", **fields)


@pytest.mark.parametrize(("score", "text"), [(None, "–"), (Score(math.nan), "–"), (Score(43.367), "43.37")])
def test_scores_are_written_in_their_unit_and_sort_by_value(score: Score | None, text: str) -> None:
    cell = score_cell(MICRO_F1, score)
    assert (cell.text, bool(cell.sort), cell.bar) == (text, text != "–", None)


def test_a_bar_is_placed_on_the_scale_of_its_column() -> None:
    cell = score_cell(MICRO_F1, Score(50, 40, 60, 2), (0, 100), 25)
    assert cell.bar == Bar("50.00%", "40.00%", "20.00%", "25.00%")
    assert (cell.interval, cell.deviation) == ("[40.00, 60.00]", "± 2.00")
    assert score_cell(METRICS["mcc"], Score(0.5), (0, 0.4)).bar == Bar("100.00%", None, None, None)


@pytest.mark.parametrize(("rank", "text", "sort"), [("", "–", ""), ("3", "3", "3.0003"), ("2-11", "2–11", "2.0011")])
def test_ranks_sort_by_both_ends(rank: str, text: str, sort: str) -> None:
    cell = cell_of(row(rank=rank), MICRO_F1, Column("rank", "Rank"), {})
    assert (cell.text, cell.sort) == (text, sort)


def test_the_score_on_another_subset_stands_without_its_interval() -> None:
    there = row(scores={"micro_f1": Score(41.5, 40, 43)})
    beside = {f"{OTHER}not-verbatim": {("a", "measured"): there}}
    cell = cell_of(row(), MICRO_F1, Column(f"{OTHER}not-verbatim", "On not-verbatim"), beside)
    assert (cell.text, cell.interval) == ("41.50", "")
    assert (
        cell_of(row(), MICRO_F1, Column(f"{OTHER}not-verbatim", "On not-verbatim"), {f"{OTHER}not-verbatim": {}}).text
        == "–"
    )


def test_what_a_cell_sorts_by_is_left_out_where_it_says_it() -> None:
    assert score_cell(MICRO_F1, Score(43.37)).sorts_by_text
    assert not score_cell(MICRO_F1, Score(43.367)).sorts_by_text
    assert score_cell(MICRO_F1, None).sorts_by_text
    assert not cell_of(row(rank="?"), MICRO_F1, Column("rank", "Rank"), {}).sorts_by_text
