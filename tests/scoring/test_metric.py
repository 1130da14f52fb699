from __future__ import annotations

import math

import numpy as np
import pytest

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.catalogue import METRICS, MICRO_F1, UNUSABLE_RATE
from erc_bench.scoring.metric import CORRELATION, PERCENT, Margins, Reading, ratio

LABELS = LabelSet(("joy", "none", "anger"), neutral="none")


def test_scores_have_the_decimals_of_their_unit() -> None:
    assert MICRO_F1.text(57.749) == "57.75"
    assert METRICS["mcc"].text(-0.0151) == "−0.015"
    assert UNUSABLE_RATE.text(0.1234) == "12.3%"
    assert PERCENT.text(math.inf) == PERCENT.text(None) == "–"


def test_files_hold_more_decimals_and_one_zero() -> None:
    assert MICRO_F1.rounded(57.123456) == 57.1235
    assert METRICS["mcc"].rounded(0.123456789) == 0.123457
    assert math.copysign(1, METRICS["mcc"].rounded(-1e-9) or 0.0) == 1
    assert MICRO_F1.rounded(None) is None


def test_the_best_comes_first_whichever_way_is_better() -> None:
    assert sorted([1.0, 3.0, 2.0], key=MICRO_F1.best_first) == [3.0, 2.0, 1.0]
    assert sorted([1.0, 3.0, 2.0], key=UNUSABLE_RATE.best_first) == [1.0, 2.0, 3.0]


def test_a_reading_derives_name_words_and_everything_else_from_its_metric() -> None:
    derived = Reading("half_ties", "ties half").of(METRICS["mcc"])
    assert (derived.name, derived.heading) == ("mcc_half_ties", "MCC, ties half")
    assert (derived.unit, derived.of) == (CORRELATION, METRICS["mcc"].of)


def test_margins_leave_the_neutral_label_out_of_the_emotions_only() -> None:
    counts = Margins.of(np.array([3, 2, 1, 4, 3, 1, 5, 2, 1, 0]), LABELS)
    assert counts.emotions == [0, 2]
    assert [float(counts.total), float(counts.correct)] == [8, 6]
    assert counts.agreement_by_chance == 4 * 5 + 3 * 2 + 1 * 1
    assert counts.f1 == pytest.approx([100 * 6 / 9, 100 * 4 / 5, 100])


def test_a_ratio_without_a_denominator_is_zero() -> None:
    assert ratio(np.array([1.0, 2.0]), np.array([0.0, 4.0])).tolist() == [0, 0.5]
