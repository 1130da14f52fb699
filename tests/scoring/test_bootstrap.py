from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.protocols.views import dialogue_confusions
from erc_bench.scoring.bootstrap import Sampling, _seed_moves, estimate, estimates
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.limits import Measured
from erc_bench.scoring.metrics import scores
from erc_bench.scoring.resampling import resample_weights


def some_run(seed: int, dialogues: int = 40) -> NDArray[np.int64]:
    return np.random.default_rng(seed).poisson(0.2, (dialogues, 7, 8)) + np.eye(7, 8, dtype=np.int64)


def test_runs_on_different_utterances_keep_their_own_gold_counts() -> None:
    weights = resample_weights(40, resamples=20)
    runs = [some_run(1), some_run(2)]
    assert (runs[0].sum(axis=2) != runs[1].sum(axis=2)).any()
    together = estimates([[run] for run in runs], LABELS, weights)
    for run, found in zip(runs, together, strict=True):
        np.testing.assert_allclose(found.replicates["mcc"], estimate([run], LABELS, weights).replicates["mcc"])


def test_replicates_are_the_scores_of_the_resampled_dialogues() -> None:
    run = some_run(0)
    weights = resample_weights(len(run), resamples=30)
    found = estimate([run], LABELS, weights)
    for row, drawn in enumerate(weights):
        expected = scores(np.repeat(run, drawn, axis=0).sum(axis=0), LABELS)
        assert {name: found.replicates[name][row] for name in METRICS} == {k: float(v) for k, v in expected.items()}


def test_large_counts_stay_exact() -> None:
    run = some_run(1) * 1_000_003
    weights = resample_weights(len(run), resamples=5)
    found = estimate([run], LABELS, weights)
    for row, drawn in enumerate(weights):
        expected = scores((run * drawn[:, None, None].astype(np.int64)).sum(axis=0), LABELS)
        assert {name: found.replicates[name][row] for name in METRICS} == {k: float(v) for k, v in expected.items()}


def test_leaving_out_a_dialogue_gives_the_score_of_the_others() -> None:
    run = some_run(2)
    found = estimate([run], LABELS, resample_weights(len(run), resamples=2))
    expected = scores(np.delete(run, 5, axis=0).sum(axis=0), LABELS)
    assert {name: found.leave_one_out[name][5] for name in METRICS} == {k: float(v) for k, v in expected.items()}


def test_several_seeds_give_the_mean_and_the_standard_deviation() -> None:
    runs = [some_run(seed) for seed in (1, 2, 3)]
    found = estimate(runs, LABELS, resample_weights(40, resamples=50))
    single = [float(scores(run.sum(axis=0), LABELS)["micro_f1"]) for run in runs]
    assert found.score["micro_f1"] == pytest.approx(np.mean(single))
    assert found.deviation is not None
    assert found.deviation["micro_f1"] == pytest.approx(np.std(single, ddof=1))
    assert found.seeds == 3


def test_one_seed_has_no_deviation() -> None:
    assert estimate([some_run(0)], LABELS, resample_weights(40, resamples=5)).deviation is None


def test_seeds_that_answer_alike_change_nothing() -> None:
    weights = resample_weights(40, resamples=200)
    one, three = estimate([some_run(0)], LABELS, weights), estimate([some_run(0)] * 3, LABELS, weights)
    for name in METRICS:
        assert three.interval(name) == pytest.approx(one.interval(name))


def test_seeds_that_differ_widen_the_interval() -> None:
    weights = resample_weights(40, resamples=500)
    good, bad = some_run(0), some_run(0)
    bad[:, 4, 4], bad[:, 4, 0] = 0, some_run(0)[:, 4, 4] + bad[:, 4, 0]
    apart = estimate([good, bad, good], LABELS, weights)
    together = [estimate([run], LABELS, weights).interval("micro_f1") for run in (good, bad)]
    low, high = apart.interval("micro_f1")
    assert high - low > 1.5 * max(high - low for low, high in together)


def test_replicates_stay_within_what_the_metric_can_be() -> None:
    none, all_ = np.zeros((2, 4, 7, 8), np.int64)
    none[:, 0, 0], all_[:, 0, 7] = 1, 1
    found = estimate([none, all_, none], LABELS, resample_weights(4, resamples=300))
    for name, (low, high) in ((name, metric.limits) for name, metric in METRICS.items()):
        assert found.replicates[name].min() >= low
        assert found.replicates[name].max() <= high


def test_rows_of_a_board_do_not_depend_on_each_other() -> None:
    runs = [some_run(1), some_run(2)]
    weights = resample_weights(40, resamples=100)
    before = estimate(runs, LABELS, weights).interval("mcc")
    estimate([some_run(7)], LABELS, weights)
    assert estimate(runs, LABELS, weights).interval("mcc") == before


@pytest.mark.parametrize("runs", [[], [some_run(0, 39)], [some_run(0, 40), some_run(0, 39)]])
def test_runs_must_cover_the_dialogues_of_the_weights(runs: list[NDArray[np.int64]]) -> None:
    with pytest.raises(ValueError, match="must each cover 40 dialogues"):
        estimate(runs, LABELS, resample_weights(40, resamples=5))


def test_an_interval_has_nothing_to_do_with_the_resamples() -> None:
    runs = [some_run(1), some_run(2)]
    first, other = (estimate(runs, LABELS, resample_weights(40, resamples=n, seed=n)).intervals for n in (20, 30))
    assert first == other


def test_the_interval_of_a_mean_agrees_with_students() -> None:
    # 30 numbers, one a dialogue: their mean has a textbook interval.
    numbers = np.random.default_rng(5).normal(10, 2, 30)
    replicates = np.array(list(resample_weights(30, resamples=10_000, seed=1))) @ numbers / 30
    without = (numbers.sum() - numbers) / 29
    sampling = Sampling(float(numbers.mean()), replicates, without, ())
    error = numbers.std(ddof=1) / np.sqrt(30)
    assert sampling.standard_error == pytest.approx(error, rel=0.03)
    assert sampling.degrees_of_freedom == pytest.approx(29, rel=0.5)
    textbook = (numbers.mean() - 2.045 * error, numbers.mean() + 2.045 * error)
    assert sampling.symmetric_interval() == pytest.approx(textbook, abs=0.05)


def test_seeds_move_the_mean_by_their_own_deviations_shrunk() -> None:

    def moves(leave_one_out: list[list[float]], scale: float = 1) -> NDArray[np.float64]:
        by_seed, without = scale * np.array([1.0, 3.0, 5.0]), scale * np.array(leave_one_out)
        return _seed_moves(Measured(METRICS["accuracy"], by_seed, without, np.ones(1), np.ones((2, 1)), np.ones(1)))

    # Nothing that dialogues explain: deviations of 2 either way.
    assert moves([[1, 3, 5], [1, 3, 5]]) == pytest.approx([-2, 0, 2])
    assert moves([[1, 3, 5], [1, 3, 5]], 0.1) == pytest.approx([-0.2, 0, 0.2])
    # Dialogues explain half of the variance of 4.
    assert moves([[0, 1, 0], [1, 0, 1]]) == pytest.approx(np.sqrt((4 - 2 / 3) / 4) * np.array([-2, 0, 2]))
    # Dialogues explain all of it, and more.
    assert moves([[9, 0, -9], [-9, 0, 9]]).tolist() == [0, 0, 0]


@pytest.mark.data
def test_interval_of_constant_happiness_on_dailydialog(dailydialog: Dataset) -> None:
    whole = UTTERANCE.view(dailydialog)
    counts = dialogue_confusions(
        whole, np.full(7740, dailydialog.labels.index("happiness"), np.int16), dailydialog.labels
    )
    found = estimate([counts], dailydialog.labels, resample_weights(len(counts)))
    low, high = found.interval("micro_f1")
    assert low < found.score["micro_f1"] < high
    assert high - low == pytest.approx(2 * 1.96 * found.sampling("micro_f1").standard_error, rel=0.03)
    assert found.interval("mcc") == (0, 0)
