from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.errors import DataError
from erc_bench.toolkit.triplets import draw_triplets

# The label counts of DailyDialog's test split.
SUPPORT = (6321, 118, 47, 17, 1019, 102, 116)


@pytest.fixture(scope="module")
def gold() -> NDArray[np.intp]:
    return np.repeat(np.arange(7), SUPPORT)


def test_draws_are_what_the_protocol_says(gold: NDArray[np.intp]) -> None:
    drawn = draw_triplets(gold, triplets=len(gold), resamplings=20)
    anchor, positive, negative = (gold[part] for part in (drawn.anchors, drawn.positives, drawn.negatives))
    assert drawn.anchors.shape == (20, 7740)
    assert (anchor == positive).all()
    assert (anchor != negative).all()
    assert (drawn.anchors != drawn.positives).all()
    pairs = np.bincount((anchor * 7 + negative).ravel(), minlength=49).reshape(7, 7) / anchor.size
    np.testing.assert_allclose(pairs, (1 - np.eye(7)) / 42, atol=0.002)
    of_fear = drawn.anchors[anchor == 3]
    np.testing.assert_allclose(np.bincount(of_fear - of_fear.min()) / len(of_fear), 1 / 17, atol=0.01)


def test_the_same_seed_draws_the_same(gold: NDArray[np.intp]) -> None:
    first, again = draw_triplets(gold, triplets=50), draw_triplets(gold, triplets=50)
    np.testing.assert_array_equal(first.positives, again.positives)
    assert (first.anchors != draw_triplets(gold, triplets=50, seed=1).anchors).any()


def test_labels_with_one_utterance_take_no_part() -> None:
    drawn = draw_triplets(np.array([0, 0, 1, 2, 2, 2]), triplets=200)
    assert 2 not in np.concatenate([drawn.anchors, drawn.negatives])
    with pytest.raises(DataError, match="at least two labels"):
        draw_triplets(np.array([0, 0, 1, 2]), triplets=5)
