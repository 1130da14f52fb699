from __future__ import annotations

import json
from typing import Any

from erc_bench.board.formats.chart import LEFT, LONGEST_LABEL, WIDTH, chart
from erc_bench.board.tradeoff import COSTS
from erc_bench.protocols.rows import Row, Score
from erc_bench.scoring.catalogue import MICRO_F1

PARAMETERS, _ = COSTS


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


def test_labels_cover_no_point_and_stay_inside() -> None:
    rows = [row(10 ** (3 + n % 5), 40 + n, title=f"a system with a long name {n}") for n in range(20)]
    drawn = chart(rows, MICRO_F1, PARAMETERS)
    assert len(drawn.marks) == 20
    labelled = [mark.label for mark in drawn.marks if mark.label]
    assert labelled
    assert all(0 < label.x < 600 and 0 < label.y < 316 for label in labelled)
    assert all(len(label.text) <= LONGEST_LABEL for label in labelled)


def test_one_point_alone_can_be_drawn() -> None:
    drawn = chart([row(1000, 50)], MICRO_F1, PARAMETERS)
    assert len(drawn.marks) == 1
    assert drawn.marks[0].front
    assert len(drawn.x_ticks) >= 1
    assert len(drawn.y_ticks) >= 2


def test_rows_without_cost_are_not_drawn() -> None:
    assert chart([row(None, 50, title="lookup")], MICRO_F1, PARAMETERS).marks == []


def test_the_script_gets_lists_and_no_names_of_rows() -> None:
    rows = [row(None, 50, title="lookup"), row(1000, 50)]
    found = json.loads(json.dumps(chart(rows, MICRO_F1, PARAMETERS).data()))
    assert list(found) == ["metric", "cost", "x", "y", "marks"]
    (mark,) = found["marks"]
    place, x, y, low, high, front, label = mark
    assert (place, low, high, front, label[0]) == (1, None, None, True, "t")
    assert (x, y) == (round(x, 1), round(y, 1))


def test_points_lie_within_the_picture_with_better_scores_higher() -> None:
    drawn = chart([row(1000, 40), row(100_000, 60)], MICRO_F1, PARAMETERS)
    worse, better = drawn.marks
    assert worse.y > better.y
    assert LEFT < worse.x < better.x < WIDTH
    assert worse.front
    assert better.front
