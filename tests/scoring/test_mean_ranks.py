from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.bootstrap import Estimate, estimates
from erc_bench.scoring.catalogue import MICRO_F1, UNUSABLE_RATE
from erc_bench.scoring.mean_ranks import CorpusScores, _replicates, mean_ranks, ranks_of
from erc_bench.scoring.metric import Metric
from erc_bench.scoring.resampling import resample_weights

LABELS = LabelSet(("calm", "joy", "rage"), "calm")
RESAMPLES = 400


def confusions(rights: list[float], dialogues: int, seed: int) -> list[list[NDArray[np.int64]]]:
    """For each system one run: dialogues of five utterances of joy, each right with the probability of the system."""
    generator = np.random.default_rng(seed)
    found = []
    for right in rights:
        hits = generator.binomial(5, right, size=dialogues)
        counts = np.zeros((dialogues, 3, 4), np.int64)
        counts[:, 1, 1], counts[:, 1, 0] = hits, 5 - hits
        found.append([counts])
    return found


def estimated(rights: list[float], dialogues: int = 40, seed: int = 0) -> list[Estimate]:
    return estimates(
        confusions(rights, dialogues, seed), LABELS, resample_weights(dialogues, resamples=RESAMPLES, seed=0)
    )


def test_ranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(3).integers(4, size=(6, 200)).astype(np.float64)
    np.testing.assert_array_equal(ranks_of(values), rankdata(values, axis=0))


def test_one_system_above_all_is_first_whatever_is_drawn() -> None:
    corpora = [
        CorpusScores(name, MICRO_F1, estimated([0.2, 0.95, 0.6], dialogues, seed=dialogues))
        for name, dialogues in (("one", 40), ("other", 60))
    ]
    third, first, second = mean_ranks(corpora)
    assert [each.value for each in (first, second, third)] == [1, 2, 3]
    assert first.interval == (1, 1)
    assert third.interval == (3, 3)


def test_the_mean_rank_is_that_of_the_scores_and_lies_in_its_interval() -> None:
    corpora = [CorpusScores(str(seed), MICRO_F1, estimated([0.5] * 6, 60, seed)) for seed in range(3)]
    found = mean_ranks(corpora)
    by_corpus = [rankdata([-row.score["micro_f1"] for row in corpus.rows]) for corpus in corpora]
    assert [each.value for each in found] == pytest.approx(np.mean(by_corpus, axis=0).tolist())
    assert sum(each.value for each in found) == pytest.approx(6 * 3.5)
    assert all(each.interval.low <= each.value <= each.interval.high for each in found)
    assert [tuple(each.interval) for each in found].count((1, 6)) >= 5, "equal systems cannot be told apart"


def test_equal_systems_share_a_rank() -> None:
    one, *_ = estimated([0.5])
    found = mean_ranks([CorpusScores("a", MICRO_F1, [one, one, one])])
    assert [(each.value, *each.interval) for each in found] == [(2, 1, 3)] * 3


def test_a_system_alone_is_first() -> None:
    (alone,) = mean_ranks([CorpusScores("a", MICRO_F1, estimated([0.5]))])
    assert (alone.value, *alone.interval) == (1, 1, 1)


def test_what_is_shown_on_one_corpus_only_narrows_the_interval_there() -> None:
    apart, near = estimated([0.9, 0.3], 60), estimated([0.52, 0.48], 12)
    better, worse = mean_ranks([CorpusScores("a", MICRO_F1, apart), CorpusScores("b", MICRO_F1, near)])
    assert tuple(better.interval) == (1, 1.5)
    assert tuple(worse.interval) == (1.5, 2)


def made_up(score: float, replicates: list[float], metric: Metric = MICRO_F1) -> Estimate:
    return Estimate(
        score={metric.name: score},
        intervals={},
        deviation=None,
        seed_variance={},
        seed_moves={},
        replicates={metric.name: np.array(replicates)},
        leave_one_out={},
        seeds=1,
        dialogues=2,
    )


def ranks(*corpora: CorpusScores, level: float = 0.95) -> list[tuple[float, float, float]]:
    return [(each.value, *each.interval) for each in mean_ranks(corpora, level)]


def test_where_less_is_better_the_smallest_is_first() -> None:
    rows = [made_up(score, [score, score], UNUSABLE_RATE) for score in (0.3, 0.1, 0.2)]
    assert ranks(CorpusScores("a", UNUSABLE_RATE, rows)) == [(3, 3, 3), (1, 1, 1), (2, 2, 2)]


def test_a_difference_is_shown_where_it_exceeds_what_differences_vary() -> None:
    def against(second: float) -> list[tuple[float, float, float]]:
        # The first varies by 1 either way, the second never: the standard error is 1, and no difference moves by more.
        rows = [made_up(60, [59, 61, 59, 61]), made_up(second, [second] * 4)]
        return ranks(CorpusScores("a", MICRO_F1, rows))

    assert against(58.9) == [(1, 1, 1), (2, 2, 2)]
    assert against(59.0) == [(1, 1, 2), (2, 1, 2)], "as much is no more"
    assert against(59.1) == [(1, 1, 2), (2, 1, 2)]
    assert against(60.9) == [(2, 1, 2), (1, 1, 2)]
    assert against(61.1) == [(2, 2, 2), (1, 1, 1)]


def test_what_is_shown_counts_the_most_that_any_difference_moves() -> None:
    # The third moves by three standard errors in one resample of ten, so that the second, of two, is shown at 80% only.
    steady, wild = [49.0, 51.0] * 5, [30.0] + [30.0] * 8 + [60.0]
    rows = [made_up(52, [52.0] * 10), made_up(50, steady), made_up(30, wild)]
    corpus = CorpusScores("a", MICRO_F1, rows)
    assert ranks(corpus, level=0.8)[0] == (1, 1, 1)
    assert ranks(corpus, level=0.95)[0][2] > 1


def test_rows_that_no_resample_moves_apart_differ_for_sure_or_not_at_all() -> None:
    shared = [1.0, -1.0, 0.5]
    rows = [made_up(score, [score + each for each in shared]) for score in (50, 50 + 1e-12, 50 + 1e-6)]
    assert ranks(CorpusScores("a", MICRO_F1, rows)) == [(2.5, 2, 3), (2.5, 2, 3), (1, 1, 1)]


def test_corpora_are_drawn_independently_though_all_from_one_seed() -> None:
    rows = estimated([0.4, 0.6], 30)
    one, other = (_replicates(CorpusScores(name, MICRO_F1, rows)) for name in ("one", "other"))
    given = np.stack([-row.replicates["micro_f1"] for row in rows])
    for shuffled in (one, other):
        assert abs(np.corrcoef(shuffled[0], given[0])[0, 1]) < 0.2
        assert sorted(map(tuple, shuffled.T)) == sorted(map(tuple, given.T)), "systems stay paired"
    assert abs(np.corrcoef(one[0], other[0])[0, 1]) < 0.2
    np.testing.assert_array_equal(_replicates(CorpusScores("one", MICRO_F1, rows)), one)


def test_intervals_hold_the_true_mean_rank_where_systems_are_close() -> None:
    """Drawn anew in resamples, the rank of the best of close systems would hold it in less than half of the test sets."""
    rights, sizes, inside = [0.5, 0.53, 0.56, 0.59], (30, 50), np.zeros(4)
    for number in range(30):
        corpora = [
            CorpusScores(str(size), MICRO_F1, estimated(rights, size, seed=1000 * size + number)) for size in sizes
        ]
        for place, found in enumerate(mean_ranks(corpora)):
            inside[place] += found.interval.low <= 4 - place <= found.interval.high
    assert inside.min() / 30 > 0.95


def test_systems_that_do_not_match_are_refused() -> None:
    rows = estimated([0.5, 0.6])
    with pytest.raises(ValueError, match="the same systems"):
        mean_ranks([CorpusScores("a", MICRO_F1, rows), CorpusScores("b", MICRO_F1, rows[:1])])
    with pytest.raises(ValueError, match="the same systems"):
        mean_ranks([])
    fewer = estimates(confusions([0.5, 0.6], 40, 0), LABELS, resample_weights(40, resamples=7, seed=0))
    with pytest.raises(ValueError, match="resampled equally often"):
        mean_ranks([CorpusScores("a", MICRO_F1, rows), CorpusScores("b", MICRO_F1, fewer)])
    assert mean_ranks([CorpusScores("a", MICRO_F1, [])]) == []
