from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

from erc_bench.board.formats.csv_file import all_rows, columns, every_value, render_csv, values
from erc_bench.board.model import Board
from erc_bench.board.published import published_rows
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.rows import DIALOGUES, EPISODES, Row, Score, Section
from erc_bench.shown import cell


@pytest.fixture(scope="module")
def board(sections: Sequence[Section], published: Sequence[Row]) -> Board:
    return Board("dailydialog", "0" * 64, {}, LABELS, tuple(sections), tuple(published))


@pytest.fixture(scope="module")
def lines(board: Board) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv([board]))))


def test_columns_are_the_contract() -> None:
    assert ",".join(columns()) == (
        "rank,system,dataset,protocol,subset,seeds,micro_f1,micro_f1_low,micro_f1_high,macro_f1,macro_f1_low,"
        "macro_f1_high,mcc,mcc_low,mcc_high,unusable_rate,context,parameters,train_seconds,utterances_per_second,"
        "evidence,source,above_floors,decision,"
        "macro_f1_all,macro_f1_all_low,macro_f1_all_high,weighted_f1_all,weighted_f1_all_low,weighted_f1_all_high,"
        "accuracy,accuracy_low,accuracy_high,ece,aurc,"
        "withheld_f1,withheld_f1_episodes_low,withheld_f1_episodes_high,withheld_f1_corrected,"
        "withheld_f1_corrected_episodes_low,withheld_f1_corrected_episodes_high,"
        "micro_f1_episodes_low,micro_f1_episodes_high,macro_f1_episodes_low,macro_f1_episodes_high"
    )


def test_header_is_the_columns(board: Board) -> None:
    assert render_csv([board]).splitlines()[0] == ",".join(columns())
    assert render_csv([]) == ",".join(columns()) + "\n"


def test_both_subsets_are_rows_and_published_ones_follow(lines: list[dict[str, str]]) -> None:
    order = [(line["protocol"], line["subset"], line["evidence"]) for line in lines]
    assert order == [
        ("utterance", "all", "measured"),
        *[("last-turn", "all", "measured")] * 3,
        ("last-turn", "all", "predictions"),
        ("last-turn", "all", "measured"),
        *[("last-turn", "not-verbatim", "measured")] * 2,
        ("last-turn", "not-verbatim", "predictions"),
        ("last-turn", "not-verbatim", "measured"),
        ("last-turn", "all", "published"),
        ("triplet", "all", "published"),
    ]


def test_measured_rows_are_complete(lines: list[dict[str, str]]) -> None:
    line = lines[2]
    assert line["rank"] == "2-3"
    assert line["system"] == "middle"
    assert line["seeds"] == "3"
    assert float(line["micro_f1_low"]) < float(line["micro_f1"]) < float(line["micro_f1_high"])
    assert float(line["unusable_rate"]) == 0
    assert (line["parameters"], line["train_seconds"], line["utterances_per_second"]) == ("22713216", "125.0", "190.0")
    assert line["source"] == "erc-bench run --system middle --seeds 0-2"


def test_published_rows_have_no_rank_and_no_interval(lines: list[dict[str, str]]) -> None:
    line = lines[-2]
    assert {name for name, value in line.items() if value} == {
        *("system", "dataset", "protocol", "subset", "micro_f1", "macro_f1", "evidence", "source")
    }
    assert line["micro_f1"] == "43.37"
    assert line["source"] == "Table 2 of https://example.org/paper.pdf.; flag: last turn only"


def test_every_flag_is_named(lines: list[dict[str, str]]) -> None:
    row = next(row for row in published_rows("dailydialog") if row.title == "CoMPM")
    ending = "; flag: not in Table 2; flag: macro over 7 labels; checked: repository README"
    assert values(row)["source"].endswith(ending)


def test_no_negative_zero(sections: Sequence[Section]) -> None:
    row = replace(sections[0].rows[0], scores={"mcc": Score(-1e-9, -0.0, 1e-9)})
    assert [str(values(row)[name]) for name in ("mcc", "mcc_low", "mcc_high")] == ["0.0", "0.0", "0.0"]


def test_texts_survive_a_reader(board: Board, attack: Sequence[Section]) -> None:
    hostile = replace(board, sections=tuple(attack), published=())
    text = render_csv([hostile]).encode("utf-8", "replace").decode()
    read = list(csv.DictReader(io.StringIO(text)))
    expected = [cell(row.title) for row in all_rows([hostile])]
    assert [line["system"] for line in read] == expected


def test_intervals_over_episodes_have_columns_of_their_own() -> None:
    scores = {"macro_f1": Score(20.0, 19.0, 21.0), "withheld_f1": Score(8.0, 7.0, 9.0)}
    row = Row("r", "d", "few-shot", "5 examples", "measured", "s", scores=scores, drawn=EPISODES)
    found = values(row)
    assert (found["macro_f1"], found["macro_f1_low"], found["macro_f1_high"]) == (20.0, None, None)
    assert (found["macro_f1_episodes_low"], found["macro_f1_episodes_high"]) == (19.0, 21.0)
    assert (found["withheld_f1"], found["withheld_f1_episodes_low"]) == (8.0, 7.0)
    assert values(replace(row, drawn=DIALOGUES))["macro_f1_low"] == 19.0
    assert set(every_value(row)) >= set(found)
