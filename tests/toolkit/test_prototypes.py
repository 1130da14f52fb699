from __future__ import annotations

import numpy as np
import pytest

from erc_bench.toolkit.prototypes import (
    class_means,
    class_statistics,
    label_positions,
    nearest_prototypes,
    squared_distances,
)

NAMES = ("a", "b", "c")


def test_statistics_do_not_depend_on_the_blocks_and_leave_out_what_is_absent() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(60, 5)).astype(np.float32)
    positions = generator.integers(-1, 2, size=60).astype(np.intp)
    vectors[7] = np.nan
    whole = class_statistics([(vectors, positions)], 3)
    parts = class_statistics([(vectors[i : i + 7], positions[i : i + 7]) for i in range(0, 60, 7)], 3)
    for label in (0, 1):
        mine = vectors[(positions == label) & (np.arange(60) != 7)].astype(np.float64)
        np.testing.assert_allclose(whole.means[label], mine.mean(axis=0), rtol=1e-5)
        assert whole.spreads[label] == pytest.approx(mine.var(axis=0, ddof=1).sum())
        assert whole.counts[label] == len(mine)
    np.testing.assert_allclose(parts.means[:2], whole.means[:2], rtol=1e-6)
    np.testing.assert_allclose(parts.spreads[:2], whole.spreads[:2])
    assert np.isnan(whole.means[2]).all()
    assert np.isnan(whole.spreads[2])


def test_no_block_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one block"):
        class_means([], 3)


def test_labels_have_positions_and_withheld_ones_minus_one() -> None:
    assert label_positions(["b", None, "a"], NAMES).tolist() == [1, -1, 0]


def test_distances_are_euclidean_and_each_computed_on_its_own() -> None:
    generator = np.random.default_rng(1)
    vectors, prototypes = generator.normal(size=(40, 9)).astype(np.float32), generator.normal(size=(3, 9))
    found = squared_distances(vectors, prototypes)
    expected = np.linalg.norm(vectors[:, None].astype(float) - prototypes[None], axis=2) ** 2
    np.testing.assert_allclose(found, expected)
    np.testing.assert_array_equal(found[5:6], squared_distances(vectors[5:6], prototypes))


def test_the_nearest_prototype_wins_and_absent_ones_take_no_part() -> None:
    prototypes = np.array([[0.0, 0.0], [np.nan, np.nan], [4.0, 0.0]])
    vectors = np.array([[1.0, 0.0], [3.0, 0.0], [np.nan, 0.0]])
    first, second, absent = nearest_prototypes(vectors, prototypes, NAMES)
    assert first == ("a", {"a": -1.0, "c": -3.0})
    assert second[0] == "c"
    assert absent == (None, {})
