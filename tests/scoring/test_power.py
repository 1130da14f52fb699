from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.bootstrap import estimate
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.limits import measured
from erc_bench.scoring.metric import Margins
from erc_bench.scoring.metrics import margins
from erc_bench.scoring.power import Variances, variances
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
    assert same.power(1.0, 50, 1) == 1
    assert same.dialogues_needed(1.0, 1) == 2


def test_the_smallest_difference_is_that_of_the_comparison() -> None:
    two = rows(400, SEEDS, 2.0, np.random.default_rng(6))
    one, other = (estimate(runs, LABELS, resample_weights(400, resamples=4_000)) for runs in two)
    assert measured_variances(two).detectable(400, SEEDS) == pytest.approx(
        compare(one, other, ACCURACY).detectable, rel=0.1
    )
