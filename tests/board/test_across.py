from __future__ import annotations

import json
from dataclasses import replace

import pytest

from erc_bench.board.across import AcrossBoard, across_board
from erc_bench.board.model import Board
from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.scoring.significance import compare, holm


def by_title(board: AcrossBoard) -> dict[str, list[str]]:
    return {row.title: list(row.better_than) for row in board.rows}


def test_each_corpus_is_scored_by_the_metric_that_ranks_it(across: AcrossBoard, corpora: list[Board]) -> None:
    assert [(corpus.name, corpus.metric.name) for corpus in across.corpora] == [
        ("big", "micro_f1"),
        ("small", "weighted_f1_all"),
    ]
    good = next(row for row in across.rows if row.title == "good")
    for corpus, board in zip(across.corpora, corpora, strict=True):
        expected = next(row for row in board.rows("utterance") if row.title == "good")
        assert good.score(corpus) == expected.scores[corpus.metric.name]


def test_systems_with_rows_everywhere_come_first_and_are_ranked_among_themselves(across: AcrossBoard) -> None:
    ranked = [row.title for row in across.ranked]
    assert ranked[0] == "good"
    assert ranked[-2:] == ["floor-high", "floor-low"]
    assert set(ranked) == {"good", "first", "second", "floor-high", "floor-low"}
    assert [row.title for row in across.rows[5:]] == ["elsewhere", "only-here"]
    means = [row.mean_rank.value for row in across.ranked if row.mean_rank]
    assert means[0] == 1
    assert sum(means) == 15, "the ranks of five systems"
    assert all(row.mean_rank is None for row in across.rows[5:])
    assert across.rows[5].score(across.corpora[0]) is None


def test_what_holds_on_every_corpus_and_what_does_not(across: AcrossBoard) -> None:
    assert set(by_title(across)["good"]) == {"first", "second", "floor-high"}
    assert by_title(across)["first"] == ["floor-high"]
    assert by_title(across)["second"] == ["floor-high"]
    assert by_title(across)["floor-high"] == [], "floors are what the others are compared with"
    (crossing,) = [pair for pair in across.pairs if {pair.a, pair.b} == {"first", "second"}]
    assert [comparison.first_is_better for comparison in crossing.comparisons] in ([True, False], [False, True])
    assert (crossing.p_value, crossing.holds) == (1, False)


def test_the_family_is_every_two_systems_and_each_with_the_best_floor(across: AcrossBoard) -> None:
    pairs = [{pair.a, pair.b} for pair in across.pairs]
    assert len(pairs) == 3 + 3
    assert not any("floor-low" in pair for pair in pairs)
    assert [pair.corrected for pair in across.pairs] == holm([each.p_value for each in across.pairs]).tolist()


def test_a_pair_is_tested_on_each_corpus_as_compare_does(across: AcrossBoard, corpora: list[Board]) -> None:
    (pair,) = [each for each in across.pairs if (each.a, each.b) == ("good", "first")]
    alone = [
        compare(board.sections[0].estimates["good"], board.sections[0].estimates["first"], board.ranking)
        for board in corpora
    ]
    assert list(pair.comparisons) == alone
    assert pair.p_value == max(comparison.p_value for comparison in alone)
    assert (pair.better, pair.worse) == ("good", "first")


def test_one_corpus_is_not_enough(corpora: list[Board]) -> None:
    with pytest.raises(DataMissingError, match="two datasets at least, got rows on big only"):
        across_board(corpora[:1])
    with pytest.raises(DataMissingError, match="got none"):
        across_board([replace(corpora[0], sections=())])
    with pytest.raises(DataMissingError, match="got none"):
        across_board(corpora, "last-turn")


def test_protocols_that_rank_nothing_are_refused(corpora: list[Board]) -> None:
    with pytest.raises(UsageError, match=r"must be of one of utterance, last-turn, emotional, .* got triplet"):
        across_board(corpora, "triplet")
    with pytest.raises(UnknownNameError, match="Did you mean 'utterance'"):
        across_board(corpora, "utterances")


def test_without_a_common_system_nothing_is_ranked(corpora: list[Board]) -> None:
    (section,) = corpora[1].sections
    rows = tuple(row for row in section.rows if row.title == "elsewhere")
    alone = replace(section, rows=rows, estimates={"elsewhere": section.estimates["elsewhere"]})
    board = across_board([corpora[0], replace(corpora[1], sections=(alone,))])
    assert board.ranked == ()
    assert board.pairs == ()
    assert len(board.rows) == 7


def test_the_table_has_a_line_a_system(across: AcrossBoard) -> None:
    table = across.table()
    assert list(table["system"]) == [row.title for row in across.rows]
    assert table["mean_rank"].isna().sum() == 2
    assert str(table["small_seeds"].dtype) == "Int64"
    assert list(table.loc[table["system"] == "first", "better_on_all_than"]) == [["floor-high"]]


def test_values_are_those_of_the_rows(across: AcrossBoard) -> None:
    first = across.records()[0]
    score = across.rows[0].score(across.corpora[1])
    assert score is not None
    assert first["small_weighted_f1_all"] == pytest.approx(score.value, abs=1e-4)
    assert tuple(first) == across.columns()
    json.dumps(across.records())
