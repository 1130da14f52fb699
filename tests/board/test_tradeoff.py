from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erc_bench.board.tradeoff import COSTS, linear_ticks, log_ticks, points
from erc_bench.protocols.rows import Row, Score
from erc_bench.scoring.catalogue import MICRO_F1

PARAMETERS, SPEED = COSTS


def row(parameters: int | None, micro: float, **fields: Any) -> Row:
    base: dict[str, Any] = {
        "title": "t",
        "dataset": "d",
        "protocol": "p",
        "subset": "all",
        "evidence": "measured",
        "source": "",
    }
    scores = {"micro_f1": Score(micro)}
    return Row(**(base | {"parameters": parameters, "scores": scores} | fields))


def front(rows: list[Row]) -> list[int]:
    return [point.index for point in points(rows, MICRO_F1, PARAMETERS) if point.front]


def test_front_is_cheaper_or_better() -> None:
    assert front([row(10, 50), row(20, 40), row(20, 60), row(5, 10), row(30, 60)]) == [0, 2, 3]


def test_speed_counts_the_other_way() -> None:
    rows = [row(None, score, utterances_per_second=speed) for speed, score in ((10, 50), (20, 40), (5, 45))]
    assert [point.front for point in points(rows, MICRO_F1, SPEED)] == [True, True, False]


def test_equal_rows_share_the_front() -> None:
    assert front([row(10, 50), row(10, 50)]) == [0, 1]


def test_published_rows_and_floors_are_drawn_but_neither_on_the_front_nor_in_its_way() -> None:
    rows = [row(10, 50), row(1, 99, evidence="published"), row(1, 99, floor=True), row(None, 99), row(0, 99)]
    found = points(rows, MICRO_F1, PARAMETERS)
    assert [(point.index, point.front) for point in found] == [(0, True), (1, False), (2, False)]


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=12))
def test_no_two_rows_of_a_front_beat_each_other_and_every_other_row_is_beaten(places: list[tuple[int, int]]) -> None:
    found = points([row(cost, score) for cost, score in places], MICRO_F1, PARAMETERS)
    on = [point for point in found if point.front]
    assert on
    for a, b in itertools.permutations(on, 2):
        assert not (a.cost <= b.cost and a.score >= b.score and (a.cost, a.score) != (b.cost, b.score))
    for point in found:
        assert point.front or any(a.cost <= point.cost and a.score >= point.score for a in on)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 69.6, [0, 20, 40, 60, 80]), (-0.05, 0.7, [-0.2, 0, 0.2, 0.4, 0.6, 0.8]), (0, 100, [0, 20, 40, 60, 80, 100])],
)
def test_linear_ticks_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    assert linear_ticks(low, high) == ticks


@given(st.floats(-100, 100), st.floats(0, 100))
def test_linear_ticks_enclose_any_values(low: float, span: float) -> None:
    ticks = linear_ticks(low, low + span)
    slack = 1e-6 * (abs(low) + span + 1)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack
    assert 2 <= len(ticks) <= 13


def test_log_ticks_are_powers_of_ten_or_finer_where_few() -> None:
    assert log_ticks(8, 120_000) == [10, 100, 1000, 10_000, 100_000]
    assert log_ticks(15, 60) == [20, 50]
