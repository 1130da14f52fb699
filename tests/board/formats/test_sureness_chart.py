from __future__ import annotations

import numpy as np

from erc_bench.board.formats.sureness_chart import BOTTOM, SIDE, sureness_chart
from erc_bench.protocols.rows import Row, Score, Sureness
from erc_bench.scoring.calibration import BINS, COVERAGES, curve, reliability, risks

SURE = np.array([0.95, 0.95, 0.5, 0.5], np.float32)
RIGHT = np.array([True, True, True, False])


def row(*, probabilities: bool = True) -> Row:
    found = Sureness(reliability(SURE, RIGHT) if probabilities else None, curve(risks(SURE, RIGHT)))
    scores = {"aurc": Score(0.1)} | ({"ece": Score(0.025)} if probabilities else {})
    return Row("some", "sample", "utterance", "all", "measured", "made up", scores=scores, sureness=found)


def test_bars_stand_for_bins_with_answers() -> None:
    chart = sureness_chart(row())
    assert chart is not None
    assert chart.bins == [(7, "50.0", "0.50", "50.0"), (14, "50.0", "0.95", "100.0")]
    assert chart.of == BINS
    assert "calibration error 2.5% in 15 bins of equal width" in chart.text
    assert "wrong among the surest tenth 0.0%, half 0.0%, all 25.0%" in chart.text


def test_the_curve_goes_from_the_surest_to_all() -> None:
    chart = sureness_chart(row())
    assert chart is not None
    assert len(chart.curve) == COVERAGES
    assert chart.curve[0] == 10 * BOTTOM
    assert 10 * (BOTTOM - SIDE) <= chart.curve[-1] < 10 * BOTTOM
    assert chart.ticks[0] == (BOTTOM, "0%")


def test_scores_that_are_no_probabilities_have_a_curve_alone() -> None:
    chart = sureness_chart(row(probabilities=False))
    assert chart is not None
    assert chart.bins == []
    assert "calibration" not in chart.text


def test_a_row_without_scores_has_no_picture() -> None:
    assert sureness_chart(Row("some", "sample", "utterance", "all", "measured", "made up")) is None
