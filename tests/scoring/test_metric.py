from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.catalogue import HALF_TIES, METRICS, MICRO_F1, TIE_RATE, UNUSABLE_RATE
from erc_bench.scoring.metric import CORRELATION, PERCENT, Margins, Reading, ratio

LABELS = LabelSet(("joy", "none", "anger"), neutral="none")


def test_scores_have_the_decimals_of_their_unit() -> None:
    assert MICRO_F1.text(57.749) == "57.75"
    assert METRICS["mcc"].text(-0.0151) == "−0.015"
    assert UNUSABLE_RATE.text(0.1234) == "12.3%"
    assert PERCENT.text(math.inf) == PERCENT.text(None) == "–"


def test_a_metric_goes_to_another_process_by_its_name() -> None:
    for metric in (MICRO_F1, UNUSABLE_RATE, TIE_RATE, HALF_TIES.of(MICRO_F1)):
        assert pickle.loads(pickle.dumps(metric)) == metric
    with pytest.raises(pickle.PicklingError, match="micro_f1"):
        pickle.dumps(replace(MICRO_F1, words="another"))


def test_files_hold_more_decimals_and_one_zero() -> None:
    assert MICRO_F1.rounded(57.12345678) == 57.123457
    assert METRICS["mcc"].rounded(0.1234567891) == 0.12345679
    none = METRICS["mcc"].rounded(-1e-9)
    assert none is not None
    assert math.copysign(1, none) == 1
    assert MICRO_F1.rounded(None) is None


@pytest.mark.parametrize("value", [29.1249996, 29.125, 29.125 - 1e-14, 29.125 + 1e-14, 4.72501, -4.72501])
def test_rounding_what_files_hold_gives_what_boards_say(value: float) -> None:
    held = MICRO_F1.rounded(value)
    assert MICRO_F1.text(value) == f"{held:.2f}".replace("-", "−")


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


def test_emotions_that_stand_together_are_a_slice() -> None:
    assert Margins.positions(LabelSet(("none", "joy", "rage"), "none")) == slice(1, 3)
    assert Margins.positions(LabelSet(("joy", "rage", "none"), "none")) == slice(0, 2)
    assert Margins.positions(LabelSet(("joy", "rage"), None)) == slice(0, 2)
    assert Margins.positions(LabelSet(("joy", "none", "rage"), "none")) == [0, 2]
    assert Margins.positions(LabelSet(("none",), "none")) == []


def test_an_f1_is_a_share_of_the_mean_of_gold_and_predicted_counts() -> None:
    counts = Margins.of(np.array([[3, 0, 1, 4, 3, 1, 5, 0, 1, 2], [0] * 10]), LABELS)
    assert counts.f1_sizes.tolist() == [[4.5, 0, 1], [0, 0, 0]], "what is never predicted has an F1 of 0"
    assert counts.f1.tolist() == [[pytest.approx(100 * 3 / 4.5), 0, 100], [0, 0, 0]]
    assert [counts.total.tolist(), counts.correct.tolist()] == [[8, 0], [4, 0]]
    assert counts.agreement_by_chance.tolist() == [4 * 5 + 1 * 1, 0]
    assert counts.hits.dtype == np.float64


def test_a_ratio_without_a_denominator_is_zero() -> None:
    assert ratio(np.array([1.0, 2.0]), np.array([0.0, 4.0])).tolist() == [0, 0.5]
    assert ratio(np.array([[1.0], [2.0]]), np.array([0.0, 4.0])).tolist() == [[0, 0.25], [0, 0.5]]
