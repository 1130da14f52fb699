from __future__ import annotations

from typing import Any

from erc_bench.board.formats.chart import LEFT, WIDTH, chart
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
    labelled = [mark for mark in drawn.marks if mark.label]
    assert labelled
    assert all(0 < float(mark.label_x) < 600 and 0 < float(mark.label_y) < 316 for mark in labelled)


def test_one_point_alone_can_be_drawn() -> None:
    drawn = chart([row(1000, 50)], MICRO_F1, PARAMETERS)
    assert len(drawn.marks) == 1
    assert drawn.marks[0].front
    assert len(drawn.x_ticks) >= 1
    assert len(drawn.y_ticks) >= 2


def test_rows_without_cost_are_named() -> None:
    assert chart([row(None, 50, title="lookup")], MICRO_F1, PARAMETERS).without == ["lookup"]


def test_points_lie_within_the_picture_with_better_scores_higher() -> None:
    drawn = chart([row(1000, 40), row(100_000, 60)], MICRO_F1, PARAMETERS)
    worse, better = drawn.marks
    assert float(worse.y) > float(better.y)
    assert LEFT < float(worse.x) < float(better.x) < WIDTH
    assert worse.front
    assert better.front
