from __future__ import annotations

import numpy as np

from erc_bench.board.formats.sureness_chart import BOTTOM, LEFT_OF_CURVE, SIDE, sureness_chart
from erc_bench.protocols.rows import Row, Score, Sureness
from erc_bench.scoring.calibration import COVERAGES, curve, reliability, risks

SURE = np.array([0.95, 0.95, 0.5, 0.5], np.float32)
RIGHT = np.array([True, True, True, False])


def row(*, probabilities: bool = True) -> Row:
    found = Sureness(reliability(SURE, RIGHT) if probabilities else None, curve(risks(SURE, RIGHT)))
    scores = {"aurc": Score(0.1)} | ({"ece": Score(0.025)} if probabilities else {})
    return Row("some", "sample", "utterance", "all", "measured", "made up", scores=scores, sureness=found)


def test_bars_stand_for_bins_with_answers() -> None:
    chart = sureness_chart(row())
    assert chart is not None
    assert len(chart.bins) == 2
    half, sure = chart.bins
    assert (sure.height, half.height) == (f"{SIDE:.1f}", f"{SIDE / 2:.1f}")
    assert "50.0% of answers, mean confidence 0.95, 100.0% right" in sure.text
    assert "calibration error 2.5% in 15 bins of equal width" in chart.text
    assert "wrong among the surest tenth 0.0%, half 0.0%, all 25.0%" in chart.text


def test_the_curve_goes_from_the_surest_to_all() -> None:
    chart = sureness_chart(row())
    assert chart is not None
    points = [tuple(map(float, point.split(","))) for point in chart.line.split()]
    assert len(points) == COVERAGES
    assert points[0][1] == BOTTOM
    assert points[-1][0] == LEFT_OF_CURVE + SIDE
    assert points[-1][1] < BOTTOM


def test_scores_that_are_no_probabilities_have_a_curve_alone() -> None:
    chart = sureness_chart(row(probabilities=False))
    assert chart is not None
    assert chart.bins == []
    assert "calibration" not in chart.text


def test_a_row_without_scores_has_no_picture() -> None:
    assert sureness_chart(Row("some", "sample", "utterance", "all", "measured", "made up")) is None
