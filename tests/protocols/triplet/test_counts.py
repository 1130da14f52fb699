from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.triplet.counts import (
    RESAMPLINGS,
    TIE,
    constant_counts,
    noise_counts,
    triplet_counts,
    triplet_scores,
)
from erc_bench.protocols.views import gold_positions
from erc_bench.toolkit.triplets import draw_triplets

THREE = LabelSet(("calm", "joy", "rage"), neutral="calm")
# The label counts of DailyDialog's test split.
SUPPORT = (6321, 118, 47, 17, 1019, 102, 116)


@pytest.fixture(scope="module")
def gold() -> NDArray[np.intp]:
    return np.repeat(np.arange(7), SUPPORT)


def test_outcomes_agree_with_a_loop_over_triplets() -> None:
    generator = np.random.default_rng(3)
    gold = generator.integers(0, 3, 90)
    vectors = generator.integers(0, 2, (90, 3)).astype(np.float32)  # a coarse grid: many exact ties
    drawn = draw_triplets(gold, triplets=90, resamplings=4, seed=5)
    expected = np.zeros((3, 4, 3, 3), np.int64)
    for resampling in range(4):
        for a, p, n in zip(
            drawn.anchors[resampling], drawn.positives[resampling], drawn.negatives[resampling], strict=True
        ):
            gap = np.linalg.norm(vectors[a] - vectors[p]) - np.linalg.norm(vectors[a] - vectors[n])
            outcome = 2 if gap > TIE else 0 if gap < -TIE else 1
            expected[outcome, resampling, gold[a], gold[n]] += 1
    found = triplet_counts(vectors, gold, THREE, resamplings=4, seed=5)
    np.testing.assert_array_equal(np.stack([found.correct, found.ties, found.wrong]), expected)
    assert 0 < found.tie_rate < 1


def test_ties_are_the_anchors_label_or_half_each() -> None:
    gold = np.array([0] * 5 + [1] * 5)
    counts = triplet_counts(np.zeros((10, 2), np.float32), gold, THREE, resamplings=2)
    published, half = counts.confusions(), counts.confusions("half")
    assert published[..., [0, 1], [0, 1]].sum() == 20
    assert (published.sum(axis=(1, 2)) == 10).all()
    assert (half[:, 0, 0] == half[:, 0, 1]).all()
    assert (half.sum(axis=(1, 2)) == 20).all()


def test_noise_is_right_half_of_the_time(gold: NDArray[np.intp]) -> None:
    scores = triplet_scores(noise_counts(gold, LABELS, resamplings=60), LABELS)
    assert scores["macro_f1"].mean() == pytest.approx(50, abs=0.5)
    assert scores["micro_f1"].mean() == pytest.approx(50, abs=0.5)
    assert scores["mcc"].mean() == pytest.approx(5 / 12, abs=0.005)


def test_a_constant_vector_is_perfect_as_published_and_chance_with_half_ties(gold: NDArray[np.intp]) -> None:
    counts = constant_counts(gold, LABELS)
    assert counts.tie_rate == 1
    published = triplet_scores(counts, LABELS)
    assert (published["macro_f1"] == 100).all()
    assert published["mcc"] == pytest.approx(1)
    half = triplet_scores(counts, LABELS, "half")
    assert half["macro_f1"].mean() == pytest.approx(50, abs=0.2)
    assert half["mcc"].mean() == pytest.approx(5 / 12, abs=0.002)


def test_a_space_that_separates_labels_is_perfect_without_any_tie() -> None:
    gold = np.repeat(np.arange(3), 9)
    vectors = np.eye(3, dtype=np.float32)[gold] + np.random.default_rng(0).normal(0, 0.01, (27, 3)).astype(np.float32)
    counts = triplet_counts(vectors, gold, THREE)
    assert counts.tie_rate < 0.01
    assert (triplet_scores(counts, THREE, "half")["macro_f1"] > 99).all()


def test_utterances_without_a_vector_are_never_drawn() -> None:
    gold = np.repeat(np.arange(3), 20)
    vectors = np.eye(3, dtype=np.float32)[gold]
    vectors[::4] = np.nan
    counts = triplet_counts(vectors, gold, THREE)
    assert counts.vectors == 45
    assert (counts.correct.sum(axis=(1, 2)) == 45).all()


@pytest.mark.data
def test_on_dailydialog_a_resampling_has_as_many_triplets_as_test_utterances(dailydialog: Dataset) -> None:
    gold = gold_positions(dailydialog)
    assert np.bincount(gold).tolist() == list(SUPPORT)
    counts = constant_counts(gold, dailydialog.labels)
    assert counts.vectors == 7740
    assert counts.ties.shape == (RESAMPLINGS, 7, 7)
