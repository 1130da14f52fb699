from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.bootstrap import estimate
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.limits import Measured, measured
from erc_bench.scoring.metric import Margins
from erc_bench.scoring.metrics import margins
from erc_bench.scoring.power import MOST_DIALOGUES, MOST_SEEDS, Variances, _fewest, variances
from erc_bench.scoring.resampling import resample_weights
from erc_bench.scoring.significance import ALPHA, POWER, compare

LABELS = LabelSet(("none", "joy"), neutral="none")
ACCURACY = METRICS["accuracy"]
UTTERANCES = 6
EFFECT = 4.0
SEEDS = 4


def rows(dialogues: int, seeds: int, effect: float, generator: np.random.Generator) -> list[list[NDArray[np.int64]]]:
    """Two rows on dialogues that are easy or hard for both; seeds differ on the whole, and each on dialogues of its own."""
    ease = generator.normal(0, 0.15, dialogues)
    found = []
    for better in (effect / 100, 0.0):
        row = []
        for _ in range(seeds):
            chance = 0.5 + better + generator.normal(0, 0.012) + ease + generator.normal(0, 0.1, dialogues)
            right = generator.binomial(UTTERANCES, chance.clip(0, 1))
            counts = np.zeros((dialogues, 2, 3), np.int64)
            counts[:, 0, 0], counts[:, 0, 1] = right, UTTERANCES - right
            row.append(counts)
        found.append(row)
    return found


def measured_variances(two: list[list[NDArray[np.int64]]]) -> Variances:
    sides = []
    for runs in two:
        columns = np.stack([margins(run) for run in runs], axis=1)
        total = columns.sum(axis=0)
        sides.append(measured(ACCURACY, Margins.of(total, LABELS), Margins.of(total - columns, LABELS)))
    return variances(*sides)


@pytest.fixture(scope="module")
def pilot() -> Variances:
    return measured_variances(rows(2000, 100, 0.0, np.random.default_rng(1)))


def test_variances_are_those_that_were_put_in(pilot: Variances) -> None:
    assert pilot.between is not None
    assert pilot.between == pytest.approx((1.44, 1.44), rel=0.5)
    # One dialogue of a seed: its own 0.1, and what six answers of a coin vary, in percent.
    alone = 1e4 * (0.1**2 + (0.25 - 0.15**2 - 0.1**2) / UTTERANCES)
    assert pilot.own == pytest.approx((alone, alone), rel=0.1)
    assert pilot.shared == pytest.approx(0, abs=0.05 * alone)  # both rows find the same dialogues hard


def test_the_dialogues_said_to_be_needed_find_the_effect_as_often_as_said(pilot: Variances) -> None:
    needed = pilot.dialogues_needed(EFFECT, SEEDS)
    assert needed is not None
    assert pilot.power(EFFECT, needed, SEEDS) == pytest.approx(POWER, abs=0.03)
    generator, trials, found = np.random.default_rng(2), 400, 0
    weights = resample_weights(needed, resamples=200)
    for _ in range(trials):
        one, other = (estimate(runs, LABELS, weights) for runs in rows(needed, SEEDS, EFFECT, generator))
        found += compare(one, other, ACCURACY).p_value <= ALPHA
    assert found / trials == pytest.approx(POWER, abs=0.07)


def test_more_dialogues_help_until_seeds_decide(pilot: Variances) -> None:
    errors = [pilot.detectable(count, SEEDS) for count in (100, 1_000, 10_000)]
    assert errors == sorted(errors, reverse=True)
    assert pilot.dialogues_needed(0.5, SEEDS) is None
    assert pilot.dialogues_needed(0.5, 200) is not None
    assert pilot.seeds_needed(0.2, 50) is None
    few = pilot.seeds_needed(2 * EFFECT, 500)
    assert few is not None
    assert pilot.detectable(500, few) <= 2 * EFFECT < pilot.detectable(500, few - 1)


def test_one_seed_says_nothing_of_others() -> None:
    alone = measured_variances(rows(300, 1, 0.0, np.random.default_rng(3)))
    assert alone.between is None
    assert alone.own == (0, 0)
    assert alone.seeds_needed(EFFECT, 1_000) is None
    assert math.isfinite(alone.detectable(300, 1))
    generator = np.random.default_rng(4)
    (one, _), (_, several) = rows(300, 1, 0.0, generator), rows(300, 3, 0.0, generator)
    mixed = measured_variances([one, several])
    assert mixed.between is not None
    assert mixed.between[0] == 0
    assert mixed.detectable(300, 1) == math.inf


def test_rows_that_never_differ_need_nothing() -> None:
    runs = rows(50, 1, 0.0, np.random.default_rng(5))[0]
    same = measured_variances([runs, runs])
    assert same.error(50, 1) == 0
    assert (same.power(1.0, 50, 1), same.power(0.0, 50, 1)) == (1, 0)
    assert same.dialogues_needed(1.0, 1) == 2


def test_the_smallest_difference_is_that_of_the_comparison() -> None:
    two = rows(400, SEEDS, 2.0, np.random.default_rng(6))
    one, other = (estimate(runs, LABELS, resample_weights(400, resamples=4_000)) for runs in two)
    assert measured_variances(two).detectable(400, SEEDS) == pytest.approx(
        compare(one, other, ACCURACY).detectable, rel=0.1
    )


MADE_UP = Variances(shared=90, own=(10, 20), between=(4, 1), dialogues=200, freedom=100)


def test_the_error_has_the_parts_of_its_formula() -> None:
    # 90 shared and 30 / 5 of the seeds on each of 100 dialogues, and 5 / 5 of the seeds on the whole.
    assert MADE_UP.error(100, 5) == pytest.approx(math.sqrt(0.96 + 1))
    alone = Variances(shared=90, own=(0, 0), between=None, dialogues=200, freedom=100)
    assert alone.error(100, 5) == pytest.approx(math.sqrt(0.9))


def test_power_and_the_smallest_difference_are_those_of_a_t_test() -> None:
    # Welch and Satterthwaite: 100 dialogues carry half of the freedom of the 200; four degrees of each row's five seeds,
    # of whose variance dialogues explain 10 / 100 beside 4, and 20 / 100 beside 1.
    parts = [(0.96, 50), (0.8, 4 * (4 / 4.1) ** 2), (0.2, 4 * (1 / 1.2) ** 2)]
    freedom = sum(part for part, _ in parts) ** 2 / sum(part**2 / degrees for part, degrees in parts)
    needed = float(student.ppf(0.975, freedom) + student.ppf(0.8, freedom)) * 1.4
    assert MADE_UP.detectable(100, 5) == pytest.approx(needed)
    assert MADE_UP.power(needed, 100, 5) == pytest.approx(0.8)
    assert MADE_UP.power(1.0, 100, 5) == pytest.approx(student.cdf(1 / 1.4 - student.ppf(0.975, freedom), freedom))


def test_a_row_of_one_seed_adds_no_variance_and_no_freedom_of_seeds() -> None:
    mixed = Variances(shared=90, own=(0, 20), between=(0, 1), dialogues=200, freedom=100)
    parts = [(0.94, 50), (0.2, 4 * (1 / 1.2) ** 2)]
    freedom = 1.14**2 / sum(part**2 / degrees for part, degrees in parts)
    reach = float(student.ppf(0.975, freedom) + student.ppf(0.8, freedom))
    assert mixed.detectable(100, 5) == pytest.approx(reach * math.sqrt(1.14))
    assert math.isfinite(mixed.detectable(100, 2))
    assert mixed.detectable(100, 1) == math.inf


def test_what_is_needed_is_just_enough() -> None:
    assert MADE_UP.dialogues_needed(MADE_UP.detectable(500, 9), 9) == 500
    assert MADE_UP.seeds_needed(MADE_UP.detectable(500, 9), 500) == 9
    assert MADE_UP.seeds_needed(MADE_UP.detectable(500, 2), 500) == 2
    assert MADE_UP.seeds_needed(MADE_UP.detectable(500, MOST_SEEDS + 1), 500) is None


@pytest.mark.parametrize("needed", [2, 3, 4, 17, 18, 19, 1000, MOST_DIALOGUES - 1, MOST_DIALOGUES])
def test_the_fewest_that_suffice_are_found_with_few_tries(needed: int) -> None:
    tries = []

    def suffices(count: int) -> bool:
        tries.append(count)
        return count >= needed

    found = _fewest(suffices, 2, MOST_DIALOGUES)
    assert (found, type(found)) == (needed, int)
    assert max(tries) <= MOST_DIALOGUES
    assert len(tries) < 200
    assert _fewest(suffices, 1, needed - 1) is None


def test_variances_by_hand() -> None:
    """Two dialogues; a row of two seeds, each of which they move apart from the other, and a row of one."""

    def accuracies(by_seed: list[float], without: list[list[float]]) -> Measured:
        values, left = np.array(by_seed), np.array(without)
        return Measured(ACCURACY, values, left, values[:1], left[:, :1], np.ones(1))

    two = accuracies([10.0, 16.0], [[1.0, 3.0], [6.0, 4.0]])
    one = accuracies([12.0], [[1.0], [0.0]])
    # The mean of the seeds is moved by 1.5 and -1.5, the other row by -0.5 and 0.5; each seed by another 1 either way.
    found = variances(two, one)
    assert found.own == (2 * 4, 0)
    assert found.shared == 2 * (2**2 + 2**2) - 8 / 2
    assert found.between == (18 - 4, 0)
    assert (found.dialogues, found.freedom) == (2, math.inf)
    assert variances(one, two).own == (0, 8)
    assert variances(two, two).shared == 0, "what own errors explain is not taken off below nothing"
    assert variances(one, one).between is None
