from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.data.dailydialog import LABELS
from erc_bench.scoring import resampling
from erc_bench.scoring.bootstrap import estimate, estimates
from erc_bench.scoring.catalogue import METRICS, MICRO_F1
from erc_bench.scoring.metrics import row_margins
from erc_bench.scoring.resampling import Resampling, _seed_weights, resample_weights, resampled_scores


def some_run(seed: int, dialogues: int = 40) -> NDArray[np.int64]:
    return np.random.default_rng(seed).poisson(0.2, (dialogues, 7, 8)) + np.eye(7, 8, dtype=np.int64)


def test_every_resample_draws_as_many_dialogues_as_there_are() -> None:
    weights = resample_weights(37, resamples=1200, seed=3)
    assert weights.shape == (1200, 37)
    drawn = np.array(list(weights))
    assert (drawn.sum(axis=1) == 37).all()
    # A dialogue is drawn once on average, with the variance of a binomial of 37 draws.
    assert drawn.mean() == 1
    assert drawn.var() == pytest.approx(36 / 37, abs=0.02)


def test_weights_depend_on_the_seed_only() -> None:
    first, again = (np.array(list(resample_weights(20, resamples=700))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (np.array(list(resample_weights(20, resamples=700, seed=1))) != first).any()


def test_weights_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.array(list(resample_weights(31, resamples=700)))
    monkeypatch.setattr(resampling, "LARGEST_BLOCK", 31 * 7)
    blocks = list(resampling._drawn_blocks(resample_weights(31, resamples=700)))
    assert {len(block) for block in blocks} == {7}
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_a_large_test_split_needs_no_more_memory_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "LARGEST_KEPT", 0)
    dialogues, block = 200_000, 8 * resampling.LARGEST_BLOCK
    weights = resample_weights(dialogues, resamples=200)
    assert dialogues * weights.resamples > 2 * block / 8
    tracemalloc.start()
    drawn = sum(int(rows.sum()) for rows in weights.blocks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert drawn == 200 * dialogues
    assert peak < 4 * block


def test_rows_estimated_together_are_those_estimated_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = resample_weights(40, resamples=60)
    rows = [[some_run(1), some_run(2)], [some_run(3)], [some_run(4), some_run(5), some_run(6)]]
    monkeypatch.setattr(resampling, "RUNS_AT_ONCE", 3)
    for runs, found in zip(rows, estimates(rows, LABELS, weights), strict=True):
        alone = estimate(runs, LABELS, weights)
        assert found.score == alone.score
        for name in METRICS:
            np.testing.assert_allclose(found.replicates[name], alone.replicates[name], rtol=1e-12, atol=1e-12)


def test_a_micro_mean_is_the_same_from_sums_over_the_emotions() -> None:
    weights = resample_weights(40, resamples=200)
    columns = row_margins([some_run(1), some_run(2)])
    for labels in (LABELS, replace(LABELS, neutral="anger"), replace(LABELS, neutral=None)):
        pooled, whole = (
            resampled_scores(columns, replace(MICRO_F1, pooled=pooled), labels, weights) for pooled in (True, False)
        )
        np.testing.assert_array_equal(pooled, whole)


@pytest.mark.parametrize(("dialogues", "resamples"), [(0, 10), (10, 0)])
def test_nothing_to_draw_is_refused(dialogues: int, resamples: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        resample_weights(dialogues, resamples=resamples)
    assert resample_weights(1, resamples=1).shape == (1, 1)


def test_a_score_that_counts_do_not_give_is_refused() -> None:
    with pytest.raises(ValueError, match="must be computed from counts"):
        resampled_scores(
            row_margins([some_run(1)]), replace(MICRO_F1, of=None), LABELS, resample_weights(40, resamples=2)
        )


def test_only_weights_of_small_test_splits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "LARGEST_KEPT", 20 * 30)
    small, large = resample_weights(20, resamples=30, seed=9), resample_weights(20, resamples=31, seed=9)
    assert isinstance(small.blocks(), tuple)
    assert isinstance(large.blocks(), Iterator)
    np.testing.assert_array_equal(list(small), list(large)[:30])


def resampling_of(columns: list[NDArray[np.int64]], moves: list[list[float]]) -> Resampling:
    each = [dict.fromkeys(METRICS, np.array(own)) for own in moves]
    return Resampling(columns, each, LABELS, resample_weights(40, resamples=50))


def test_rows_are_resampled_in_parts_of_so_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "RUNS_AT_ONCE", 4)
    seeds = (2, 2, 1, 7, 1, 1, 2, 1)
    columns = [row_margins([some_run(0)] * each) for each in seeds]
    found = resampling_of(columns, [[0.0] * each for each in seeds])
    assert list(found._parts(range(8))) == [[0, 1], [2], [3], [4, 5, 6], [7]]
    assert list(found._parts([3, 0])) == [[3], [0]]


def test_seeds_are_drawn_one_fewer_than_there_are() -> None:
    change = _seed_weights(7, 3, 4000)
    assert change.shape == (4000, 3)
    assert change.sum(axis=1) == pytest.approx(0)
    times = (change + 1 / 3) * 2
    assert set(times.round(9).ravel()) == {0, 1, 2}
    assert change.mean(axis=0) == pytest.approx(0, abs=0.02)
    assert change.var(axis=0) == pytest.approx(1 / 3 * 2 / 3 / 2, rel=0.1)
    np.testing.assert_array_equal(_seed_weights(7, 3, 4000), change)
    assert (_seed_weights(8, 3, 4000) != change).any(), "every row has draws of its own"
    assert _seed_weights(7, 1, 5).tolist() == [[0]] * 5


def test_replicates_are_means_over_seeds_and_what_the_seeds_drawn_move_them() -> None:
    columns = [row_margins([some_run(1), some_run(2), some_run(3)]), row_margins([some_run(3)])]
    still = resampling_of(columns, [[0.0, 0.0, 0.0], [0.0]])
    moved = resampling_of(columns, [[-4.0, -4.0, 8.0], [0.0]])
    scores_of_runs = resampled_scores(columns[0], METRICS["accuracy"], LABELS, resample_weights(40, resamples=50))
    np.testing.assert_allclose(still.of("accuracy")[0], scores_of_runs.mean(axis=0))
    difference = moved.of("accuracy")[0] - still.of("accuracy")[0]
    # Two of the three seeds are drawn: twice the last, the last and another, or none of it.
    assert set(difference.round(9)) == {8, 2, -4}
    np.testing.assert_array_equal(moved.of("accuracy")[1], still.of("accuracy")[1])
    far = resampling_of(columns, [[-400.0, -400.0, 800.0], [0.0]]).of("accuracy")[0]
    assert set(far) == {0, 100}, "no score lies beyond what the metric can be"


def test_a_row_is_drawn_alike_whatever_stands_beside_it() -> None:
    one, other = row_margins([some_run(1), some_run(2)]), row_margins([some_run(4), some_run(5)])
    moves = [-3.0, 3.0]
    together = resampling_of([other, one], [moves, moves])
    np.testing.assert_array_equal(together.of("mcc")[1], resampling_of([one], [moves]).of("mcc")[0])
    np.testing.assert_array_equal(together.draw("mcc", [1])[0], together.of("mcc")[1])
    assert together.of("mcc") is together.of("mcc"), "drawn once"
