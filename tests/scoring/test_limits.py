from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs
from erc_bench.records.record import find_runs
from erc_bench.scoring.bootstrap import estimate
from erc_bench.scoring.catalogue import METRICS, TIE_RATE
from erc_bench.scoring.limits import (
    Interval,
    Measured,
    degrees_of_freedom,
    influences,
    measured,
    seed_terms,
    student_quantile,
)
from erc_bench.scoring.metric import Margins
from erc_bench.scoring.metrics import margins
from erc_bench.scoring.resampling import resample_weights

LABELS = LabelSet(("none", "joy", "fear"), neutral="none")
COMMITTED = Path(__file__).resolve().parents[2] / "leaderboard"


def row(runs: NDArray[np.int64], metric: str) -> Measured:
    """From confusion counts (S, D, K, K + 1)."""
    columns = np.stack([margins(run) for run in runs], axis=1)
    total = columns.sum(axis=0)
    return measured(METRICS[metric], Margins.of(total, LABELS), Margins.of(total - columns, LABELS))


def one_utterance_a_dialogue(*cells: tuple[int, int, int]) -> NDArray[np.int64]:
    """Dialogues of one utterance each, (1, D, K, K + 1): gold, predicted, how many."""
    pairs = [(gold, answer) for gold, answer, count in cells for _ in range(count)]
    counts = np.zeros((1, len(pairs), 3, 4), np.int64)
    for place, (gold, answer) in enumerate(pairs):
        counts[0, place, gold, answer] = 1
    return counts


def some_runs(seeds: int, generator: np.random.Generator) -> NDArray[np.int64]:
    return generator.poisson(0.4, (seeds, 60, 3, 4)) + np.eye(3, 4, dtype=np.int64)


def test_the_interval_of_a_share_is_wilsons() -> None:
    # 81 of 263, the example of Newcombe 1998, whose limits of Wilson's method are 0.2553 and 0.3662 at the normal quantile.
    found = row(one_utterance_a_dialogue((0, 0, 81), (0, 1, 182)), "accuracy")
    reach = student_quantile(0.975, degrees_of_freedom(found.influences))
    below, above = found._wilson(found.value, 0, float((found.influences**2).sum()), 1.959964)
    assert (found.value - below, found.value + above) == pytest.approx((25.53, 36.62), abs=0.05)
    assert reach == pytest.approx(1.959964, abs=0.02)
    assert found.interval() == pytest.approx((25.53, 36.62), abs=0.1)


def test_influences_are_what_dialogues_move_a_mean() -> None:
    numbers = np.array([1.0, 4.0, 4.0, 7.0])
    without = (numbers.sum() - numbers) / 3
    assert influences(without) == pytest.approx((numbers - 4) / 3)
    assert float((influences(without) ** 2).sum()) == pytest.approx(numbers.var(ddof=1) / 4 * 4 / 3)


def test_a_part_that_was_never_right_may_still_be() -> None:
    # One joy and ten fears; fear is answered twice, never rightly.
    cells = [(0, 0, 80), (1, 1, 1), (2, 0, 8), (2, 1, 2), (0, 2, 2)]
    found = row(one_utterance_a_dialogue(*cells), "macro_f1")
    assert found.parts == pytest.approx([50, 0])
    assert found.sizes.tolist() == [2, 6]
    low, high = found.interval()
    never = row(one_utterance_a_dialogue((0, 0, 82), *cells[1:4]), "macro_f1")
    assert never.sizes.tolist() == [2, 0]  # what was never answered has an F1 of 0, whatever dialogues there are
    assert high - found.value > never.interval().high - never.value > 0
    assert low == pytest.approx(never.interval().low)


@pytest.mark.parametrize("times", [1, 100])
def test_the_parts_of_a_mean_are_added_with_their_correlation(times: int) -> None:
    found = row(np.tile(some_runs(1, np.random.default_rng(3)), (1, times, 1, 1)), "macro_f1")
    alone = [
        replace(found, parts=found.parts[[j]], parts_without=found.parts_without[:, [j]], sizes=found.sizes[[j]])
        for j in (0, 1)
    ]
    reach = student_quantile(0.975, degrees_of_freedom(found.influences))
    sides = []
    for j, part in enumerate(alone):
        variance = float((influences(part.parts_without) ** 2).sum())
        sides.append(found._wilson(float(found.parts[j]), 0, variance, reach))
    moved = influences(found.parts_without)
    rho = float(np.corrcoef(moved[:, 0], moved[:, 1]).ravel()[1])
    (a, b), (c, d) = sides
    expected = (math.sqrt(a * a + c * c + 2 * rho * a * c) / 2, math.sqrt(b * b + d * d + 2 * rho * b * d) / 2)
    low, high = found.interval()
    assert (found.value - low, high - found.value) == pytest.approx(expected, rel=1e-6)


def test_seeds_that_answer_alike_change_nothing_and_others_widen() -> None:
    generator = np.random.default_rng(5)
    run = some_runs(1, generator)
    other = run.copy()
    other[0, :, 1, 0] += other[0, :, 1, 1]
    other[0, :, 1, 1] = 0
    for name in METRICS:
        alone, same = row(run, name), row(np.concatenate([run] * 3), name)
        assert same.interval() == pytest.approx(alone.interval())
        assert same.between_seeds == 0
    apart = row(np.concatenate([run, other, run]), "micro_f1")
    assert apart.between_seeds > 0
    single = [row(each, "micro_f1").interval() for each in (run, other)]
    assert apart.interval().high - apart.interval().low > 1.5 * max(high - low for low, high in single)


def test_what_dialogues_explain_is_no_difference_of_seeds() -> None:
    """Seeds that err at random on dialogues differ by chance only: the mean of what is left is far below their variance."""
    generator = np.random.default_rng(11)
    kept, seen = [], []
    for _ in range(40):
        found = row(some_runs(4, generator), "accuracy")
        kept.append(found.between_seeds)
        seen.append(float(found.by_seed.var(ddof=1)))
    assert float(np.mean(kept)) < 0.5 * float(np.mean(seen))


def test_what_never_varies_has_an_interval_of_one_point() -> None:
    found = one_utterance_a_dialogue((0, 0, 9))
    assert row(found, "micro_f1").interval() == (0, 0)
    assert row(found, "macro_f1").interval() == (0, 0)
    assert row(found, "accuracy").interval() == (100, 100)


def test_intervals_hold_the_score_and_keep_within_what_a_metric_can_be() -> None:
    generator = np.random.default_rng(7)
    for seeds in (1, 3):
        for _ in range(20):
            runs = some_runs(seeds, generator)
            for name, metric in METRICS.items():
                found = row(runs, name)
                low, high = found.interval()
                assert metric.limits[0] <= low <= found.value <= high <= metric.limits[1]
                narrow = found.interval(0.5)
                assert low <= narrow.low <= narrow.high <= high


def test_a_metric_without_limits_has_a_symmetric_interval() -> None:
    unit = replace(METRICS["accuracy"].unit, limits=(-math.inf, math.inf))
    found = row(some_runs(1, np.random.default_rng(1)), "accuracy")
    low, high = replace(found, metric=replace(found.metric, unit=unit)).interval()
    assert high - found.value == pytest.approx(found.value - low)
    assert high - low == pytest.approx(4 * math.sqrt(float((found.influences**2).sum())), rel=0.1)


def test_a_single_decisive_dialogue_leaves_two_degrees_of_freedom() -> None:
    moved = np.zeros(1000)
    moved[3] = 1
    assert degrees_of_freedom(influences(moved)) == pytest.approx(2, rel=0.01)


def test_seeds_add_their_variance_and_its_freedom() -> None:
    assert seed_terms(0.0, 1.0, 5) == seed_terms(0.2, None, 1) == ()
    assert seed_terms(0.2, 1.0, 5) == ((0.2, 4.0),)
    assert degrees_of_freedom(np.zeros(10), seed_terms(0.2, 1.0, 5)) == pytest.approx(4)


def test_degrees_of_freedom_by_hand() -> None:
    moved = np.array([1.0, -1.0, 2.0, -2.0])
    # The squares sum up to 10 and their squares to 34: a kurtosis of 4 * 34 / 100.
    own = 2 * 4 / 0.36
    assert degrees_of_freedom(moved) == pytest.approx(own)
    assert degrees_of_freedom(moved, [(5.0, 3.0)]) == pytest.approx(15**2 / (10**2 / own + 5**2 / 3))
    assert degrees_of_freedom(np.zeros(4)) == math.inf


def test_a_variance_that_all_dialogues_share_alike_is_known_for_sure() -> None:
    moved = np.array([1.0, -1.0])
    assert degrees_of_freedom(moved) == math.inf
    assert degrees_of_freedom(moved, [(5.0, 3.0)]) == pytest.approx((2 + 5) ** 2 / (5**2 / 3))


def of_two_seeds(by_seed: tuple[float, float]) -> Measured:
    """Two dialogues, each of which moves one seed up and the other down by 1."""
    without = np.array([[1.0, 3.0], [3.0, 1.0]])
    values = np.array(by_seed)
    return Measured(
        METRICS["accuracy"], values, without, np.array([values.mean()]), without.mean(axis=1)[:, None], np.ones(1)
    )


def test_what_seeds_add_by_hand() -> None:
    found = of_two_seeds((10.0, 16.0))
    assert found.value == 13
    assert found.deviation == pytest.approx(math.sqrt(18))
    assert found.influences.tolist() == [0, 0]
    assert found.within_seeds == pytest.approx(4)
    assert found.between_seeds == pytest.approx(18 - 4)
    ((variance, freedom),) = found.seed_terms
    assert (variance, freedom) == pytest.approx((7, (7 * 2 / 18) ** 2))
    assert of_two_seeds((10.0, 12.0)).between_seeds == 0, "dialogues explain more than the 2 that were seen"


def test_the_interval_adds_what_seeds_vary_to_what_dialogues_do() -> None:
    found = of_two_seeds((10.0, 16.0))
    reach = student_quantile(0.6, (14 / 18) ** 2)
    below, above = found._wilson(13, 1, 0, reach)
    seeds = reach**2 * 14 / 2
    assert found.interval(0.2) == pytest.approx((13 - math.sqrt(below**2 + seeds), 13 + math.sqrt(above**2 + seeds)))


def test_with_next_to_no_degrees_of_freedom_everything_is_possible() -> None:
    assert of_two_seeds((10.0, 10 + math.sqrt(8) * (1 + 1e-6))).interval() == (0, 100)


def test_wilsons_limits_are_the_same_in_every_unit() -> None:
    percent, correlation = (row(some_runs(1, np.random.default_rng(1)), name) for name in ("accuracy", "mcc"))
    for value, variance in ((-0.8, 0.01), (0.0, 0.04), (0.3, 0.0), (1.0, 0.0), (-1.0, 0.5)):
        expected = np.array(percent._wilson(50 * (value + 1), 20, 2500 * variance, 1.96)) / 50
        assert correlation._wilson(value, 20, variance, 1.96) == pytest.approx(expected)


def test_what_was_always_right_may_still_be_wrong() -> None:
    found = of_two_seeds((10.0, 16.0))
    # Ten of ten: Wilson's lower limit is n / (n + z²).
    assert found._wilson(100, 10, 0, 1.96) == pytest.approx((100 * 1.96**2 / (10 + 1.96**2), 0))
    assert found._wilson(0, 10, 0, 1.96) == pytest.approx((0, 100 * 1.96**2 / (10 + 1.96**2)))
    assert found._wilson(50, 10, 0, 1.96) == found._wilson(50, 99, 250, 1.96), "ten answers, or the variance of ten"
    assert found._wilson(100, 10, 1, 1.96) == found._wilson(100, 10, 0, 1.96), (
        "no number of answers gives a certain share it"
    )
    assert found._wilson(100, 0, 0, 1.96) == (0, 0)


def test_parts_are_means_over_seeds_and_what_is_no_mean_is_its_own_part() -> None:
    runs = some_runs(3, np.random.default_rng(9))
    accuracy, macro = row(runs, "accuracy"), row(runs, "macro_f1")
    assert accuracy.parts == pytest.approx([accuracy.value])
    assert accuracy.sizes.tolist() == [0]
    assert accuracy.parts_without[:, 0] == pytest.approx(accuracy.leave_one_out.mean(axis=1))
    each = [row(run[None], "macro_f1") for run in runs]
    assert macro.parts == pytest.approx(np.mean([one.parts for one in each], axis=0))
    assert macro.sizes == pytest.approx(np.mean([one.sizes for one in each], axis=0))
    assert macro.parts_without == pytest.approx(np.mean([one.parts_without for one in each], axis=0))
    assert macro.value == pytest.approx(macro.parts.mean())


def test_one_seed_has_no_spread() -> None:
    found = row(some_runs(1, np.random.default_rng(2)), "mcc")
    assert (found.deviation, found.within_seeds, found.between_seeds, found.seed_terms) == (None, 0, 0, ())


def test_student_quantiles() -> None:
    assert student_quantile(0.975, float("inf")) == pytest.approx(1.959964, abs=1e-6)
    assert student_quantile(0.975, 10) == pytest.approx(2.228139, abs=1e-6)


def test_a_score_of_a_protocol_is_not_measured_from_counts() -> None:
    counts = Margins.of(np.zeros((1, 10)), LABELS)
    with pytest.raises(ValueError, match="computed from counts to be measured so, got tie_rate"):
        measured(TIE_RATE, counts, counts)


@pytest.mark.data
def test_limits_of_committed_rows_do_not_depend_on_the_seed_of_the_bootstrap(dailydialog: Dataset) -> None:
    """At whatever precision they are shown; macro F1 had the largest of 10,000 replicates as its limit, another each time."""
    names = {"sentemocontext", "tfidf-logreg", "lookup"}
    committed = [run for run in find_runs(COMMITTED) if run.record.title in names]
    runs = DatasetRuns.of(dailydialog, group_runs(committed))
    part = UTTERANCE.view(dailydialog)
    rows = [named for named in runs.rows if UTTERANCE.covers(named.group) and named.title in names]
    assert {named.title for named in rows} == names
    for named in rows:
        confusions = runs.confusions(part, named.group)
        found: set[tuple[Interval, ...]] = {
            tuple(
                estimate(
                    confusions, dailydialog.labels, resample_weights(1000, resamples=50, seed=s)
                ).intervals.values()
            )
            for s in range(3)
        }
        assert len(found) == 1
