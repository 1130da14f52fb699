from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from erc_bench.scoring.calibration import BINS, COVERAGES, area, curve, pooled, reliability, risks


def some(seed: int, size: int = 4000) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    generator = np.random.default_rng(seed)
    sure = generator.random(size).astype(np.float32)
    return sure, generator.random(size) < sure**2


def test_bins_agree_with_scikit_learn() -> None:
    sure, right = some(0)
    found = reliability(sure, right)
    fraction, mean = calibration_curve(right, sure, n_bins=BINS, strategy="uniform")
    assert found.counts.sum() == len(sure)
    assert found.right == pytest.approx(fraction)
    assert found.confidence == pytest.approx(mean, abs=1e-6)


def test_the_error_is_the_mean_distance_of_confidence_and_right_answers() -> None:
    # Four answers of confidence 0.9, half of them right; four of 0.6, three of them right.
    sure = np.array([0.9] * 4 + [0.6] * 4, np.float32)
    right = np.array([True, True, False, False, True, True, True, False])
    assert reliability(sure, right).error == pytest.approx((0.4 + 0.15) / 2)
    generator = np.random.default_rng(1)
    honest = generator.random(200_000).astype(np.float32)
    assert reliability(honest, generator.random(200_000) < honest).error < 0.01


def test_an_unusable_answer_has_no_confidence_and_comes_last() -> None:
    sure, right = np.array([np.nan, 0.5, 0.9], np.float32), np.array([False, True, True])
    found = reliability(sure, right)
    assert (found.counts[0], found.confidence[0], found.right[0]) == (1, 0, 0)
    assert risks(sure, right).tolist() == [0, 0, pytest.approx(1 / 3)]
    two = np.array([np.nan, 0.9, np.nan, 0.0], np.float32)
    assert risks(two, np.array([False, True, False, True])) == pytest.approx([0, 0, 1 / 3, 2 / 4])


def test_the_surest_have_the_risk_of_their_own_answers() -> None:
    sure = np.array([0.2, 0.9, 0.5, 0.7], np.float32)
    right = np.array([False, True, True, False])
    assert risks(sure, right) == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    assert area(risks(sure, right)) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_answers_of_one_confidence_come_in_no_order() -> None:
    same = np.full(10, 0.5, np.float32)
    right = np.arange(10) < 7
    assert risks(same, right) == pytest.approx([0.3] * 10)
    # Whatever their order, the mean over orders of the untied curve.
    generator = np.random.default_rng(2)
    sure = np.array([0.9, 0.5, 0.5, 0.5, 0.1], np.float32)
    right = np.array([True, False, True, True, False])
    broken = [risks(sure + generator.random(5).astype(np.float32) * 1e-3, right) for _ in range(4000)]
    assert np.mean(broken, axis=0) == pytest.approx(risks(sure, right), abs=0.02)


def test_the_curve_has_a_point_a_percent() -> None:
    risk = risks(*some(3))
    drawn = curve(risk)
    assert len(drawn) == COVERAGES
    assert drawn[-1] == risk[-1]
    assert drawn[9] == risk[399]
    assert drawn[0] < drawn[-1]
    assert len(curve(risks(np.array([0.4], np.float32), np.array([True])))) == COVERAGES


def test_seeds_are_pooled_by_their_answers() -> None:
    one, other = some(4), some(5, 1000)
    both = reliability(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))
    found = pooled([reliability(*one), reliability(*other)])
    assert found.counts.tolist() == both.counts.tolist()
    assert found.error == pytest.approx(both.error)


def test_no_answers_have_no_error() -> None:
    assert reliability(np.array([], np.float32), np.array([], np.bool_)).error == 0


def test_certain_answers_are_in_the_last_bin() -> None:
    found = reliability(np.array([1.0, 1.01, 0.0], np.float32), np.array([True, False, False]))
    assert found.counts.tolist() == [1, *[0] * (BINS - 2), 2]
    assert (found.confidence[-1], found.right[-1]) == (1, 0.5)


def test_a_bin_of_few_answers_is_pooled_as_they_are() -> None:
    one = reliability(np.array([0.95], np.float32), np.array([True]))
    other = reliability(np.array([0.5, 0.5], np.float32), np.array([True, False]))
    found = pooled([one, other])
    middle = int(0.5 * BINS)
    assert (found.counts[-1], found.confidence[-1], found.right[-1]) == (1, pytest.approx(0.95), 1)
    assert (found.counts[middle], found.confidence[middle], found.right[middle]) == (2, 0.5, 0.5)
    assert found.counts.sum() == 3
    assert found.confidence.sum() == pytest.approx(0.95 + 0.5), "an empty bin has 0 of all"
