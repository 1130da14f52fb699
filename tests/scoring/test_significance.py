from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from erc_bench.data.dailydialog import LABELS
from erc_bench.scoring.bootstrap import Estimate, estimate, estimates
from erc_bench.scoring.catalogue import METRICS, MICRO_F1
from erc_bench.scoring.resampling import resample_weights
from erc_bench.scoring.significance import Standing, compare, holm, ranks, standings

DIALOGUES = 200
WEIGHTS = resample_weights(DIALOGUES, resamples=500)


def run(right: float, seed: int) -> NDArray[np.int64]:
    """Eight utterances a dialogue, half of them happy; a share is labelled right, the rest neutral or happy."""
    generator = np.random.default_rng(seed)
    counts = np.zeros((DIALOGUES, 7, 8), np.int64)
    for gold, wrong in ((0, 4), (4, 0)):
        hits = generator.binomial(4, right, DIALOGUES)
        counts[:, gold, gold], counts[:, gold, wrong] = hits, 4 - hits
    return counts


def row(right: float, *seeds: int) -> Estimate:
    return estimate([run(right, seed) for seed in seeds], LABELS, WEIGHTS)


def test_a_clear_difference_is_significant() -> None:
    found = compare(row(0.8, 1), row(0.6, 2))
    assert found.metric is MICRO_F1
    assert found.difference == pytest.approx(20, abs=4)
    assert found.p_value < 1e-6
    assert 0 < found.interval.low < found.difference < found.interval.high


def test_exchanging_the_rows_exchanges_the_sign_only() -> None:
    a, b = row(0.7, 1, 2), row(0.68, 3, 4)
    there, back = compare(a, b, METRICS["mcc"]), compare(b, a, METRICS["mcc"])
    assert there.difference == -back.difference
    assert there.p_value == pytest.approx(back.p_value)
    assert there.interval == pytest.approx((-back.interval.high, -back.interval.low))


def test_a_row_does_not_differ_from_itself() -> None:
    found = compare(row(0.7, 1, 2), row(0.7, 1, 2))
    assert (found.difference, found.p_value, found.detectable, found.interval) == (0, 1, 0, (0, 0))


def test_rows_with_rounding_between_them_do_not_differ() -> None:
    found = compare(row(0.7, 1), row(0.7, 1, 1, 1))
    assert found.p_value == 1


def test_pairing_sees_what_two_intervals_cannot() -> None:
    # The better row is the other with one more hit in every tenth dialogue: small, but nearly always there.
    counts = run(0.6, 1)
    better = counts.copy()
    moved = np.minimum(counts[::10, 4, 0], 1)
    better[::10, 4, 4] += moved
    better[::10, 4, 0] -= moved
    a, b = estimate([better], LABELS, WEIGHTS), estimate([counts], LABELS, WEIGHTS)
    assert a.interval("micro_f1").low < b.interval("micro_f1").high
    assert compare(a, b).p_value < 0.001


@pytest.mark.parametrize("right", [0.70, 0.705, 0.71, 0.72, 0.73])
def test_the_interval_leaves_out_zero_exactly_where_the_test_rejects(right: float) -> None:
    found = compare(row(right, 1), row(0.7, 2))
    assert (found.p_value < 0.05) == (not found.interval.low <= 0 <= found.interval.high)


def test_the_detectable_difference_is_2_8_standard_errors() -> None:
    found = compare(row(0.7, 1), row(0.7, 2))
    # 1.96 + 0.84 for a normal statistic; Student's at about 200 dialogues is hardly larger.
    assert 2.80 < found.detectable / found.standard_error < 2.84


def test_certain_differences_and_single_dialogues() -> None:
    weights = resample_weights(5, resamples=50)
    right, wrong = np.zeros((2, 5, 7, 8), np.int64)
    right[:, 4, 4], wrong[:, 4, 7] = 1, 1
    assert compare(estimate([right], LABELS, weights), estimate([wrong], LABELS, weights)).p_value == 0
    one = resample_weights(1, resamples=50)
    assert compare(estimate([right[:1]], LABELS, one), estimate([wrong[:1]], LABELS, one)).p_value == 1


def made_up(
    score: float, replicates: list[float], without: list[float], variance: float = 0.0, seeds: int = 1
) -> Estimate:
    name = MICRO_F1.name
    return Estimate(
        score={name: score},
        intervals={},
        deviation={name: 1.0} if seeds > 1 else None,
        seed_variance={name: variance},
        seed_moves={},
        replicates={name: np.array(replicates)},
        leave_one_out={name: np.array(without)},
        seeds=seeds,
        dialogues=len(without),
    )


def test_a_comparison_by_hand() -> None:
    a = made_up(60, [59, 61, 62, 58], [61, 59, 62, 58], variance=0.25, seeds=5)
    b = made_up(57, [57, 57, 58, 56], [57, 57, 57, 57], variance=0.5, seeds=3)
    found = compare(a, b)
    # Replicates of the difference are 2, 4, 4, 2; dialogues move it by -1, 1, -2, 2, and the seeds of each row add theirs.
    parts = [(10, 2 * 4 / 0.36), (0.25, 4 * (0.25 * 5) ** 2), (0.5, 2 * (0.5 * 3) ** 2)]
    freedom = 10.75**2 / sum(part**2 / degrees for part, degrees in parts)
    assert (found.difference, found.standard_error) == (3, 1)
    assert found.p_value == pytest.approx(2 * student.cdf(-3, freedom))
    reach = student.ppf(0.975, freedom)
    assert found.interval == pytest.approx((3 - reach, 3 + reach))
    assert found.detectable == pytest.approx(reach + student.ppf(0.8, freedom))
    assert found.first_is_better
    assert not compare(b, a).first_is_better


def test_a_difference_whose_error_is_known_for_sure_is_tested_as_normal() -> None:
    found = compare(made_up(60, [59, 61], [59, 61]), made_up(58, [58, 58], [58, 58]))
    assert found.p_value == pytest.approx(2 * norm.cdf(-2))


def test_the_smaller_is_better_where_the_metric_says_so() -> None:
    less = dataclasses.replace(MICRO_F1, higher_is_better=False)
    a, b = made_up(60, [59, 61], [59, 61]), made_up(58, [58, 58], [58, 58])
    assert [compare(one, other, less).first_is_better for one, other in ((a, b), (b, a), (a, a))] == [
        False,
        True,
        False,
    ]
    assert not compare(a, a).first_is_better
    assert compare(a, made_up(59.5, [59, 60], [59, 60])).first_is_better


@pytest.mark.parametrize(
    "other", [made_up(60, [59, 61, 60], [59, 61]), made_up(60, [59, 61], [59, 61, 60])], ids=["resamples", "dialogues"]
)
def test_rows_of_other_resamples_or_dialogues_are_refused(other: Estimate) -> None:
    with pytest.raises(
        ValueError, match=r"^rows must be .* the same weights to be compared: estimate both with one array$"
    ):
        compare(made_up(60, [59, 61], [59, 61]), other)


def test_rows_of_other_resamples_are_refused() -> None:
    other = estimate([run(0.7, 1)], LABELS, resample_weights(DIALOGUES, resamples=20))
    with pytest.raises(ValueError, match="same weights"):
        compare(row(0.7, 1), other)


def test_holm_on_a_worked_example() -> None:
    # Sorted .01, .02, .03, .04 times 4, 3, 2, 1; never below the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.5]).tolist() == [1, 1]
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_nor_changes_the_order(values: list[float]) -> None:
    adjusted, plain = holm(values), np.array(values)
    assert (adjusted >= plain).all()
    assert (np.diff(adjusted[np.argsort(plain, kind="stable")]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1, len(values) * plain.min()))


def test_ranks_say_which_rows_cannot_be_told_apart() -> None:
    rows = [row(0.6, 1), row(0.9, 2), row(0.7, 3), row(0.7, 4)]
    assert ranks(rows) == ["4", "1", "2-3", "2-3"]
    assert ranks(rows, METRICS["mcc"]) == ["4", "1", "2-3", "2-3"]


def test_ranks_are_at_the_level_and_by_the_metric_that_are_asked_for() -> None:
    one, other = rows = row(0.72, 14), row(0.70, 15)
    p_value = compare(one, other).p_value
    assert p_value > 0.05
    assert ranks(rows) == ["1-2", "1-2"]
    assert ranks(rows, alpha=p_value) == ["1", "2"]
    assert ranks(rows, alpha=p_value * 0.99) == ["1-2", "1-2"]
    assert ranks(rows, dataclasses.replace(MICRO_F1, higher_is_better=False), alpha=p_value) == ["2", "1"]


def test_one_dialogue_ranks_nothing() -> None:
    weights = resample_weights(1, resamples=50)
    assert ranks([estimate([run(right, 1)[:1]], LABELS, weights) for right in (1.0, 0.0)]) == ["1-2", "1-2"]


def test_overlapping_groups_overlap_in_their_ranks() -> None:
    # The middle row differs from neither neighbour; the outer two differ from each other.
    found = ranks([row(0.72, 14), row(0.70, 15), row(0.68, 16)])
    assert found == ["1-2", "1-3", "2-3"]


def test_a_single_row_is_first() -> None:
    assert ranks([row(0.7, 1)]) == ["1"]
    assert ranks([]) == []


def test_floors_have_no_rank_and_rows_are_read_against_all_of_them() -> None:
    rows = [row(0.9, 1), row(0.5, 2), row(0.7, 3), row(0.70, 4), row(0.3, 5)]
    assert standings(rows, [False, True, True, False, False]) == [
        Standing("1", True),
        Standing("", None),
        Standing("", None),
        Standing("2", False),  # better than one floor and not than the other
        Standing("3", False),
    ]
    assert [standing.above_floors for standing in standings(rows, [False] * 5)] == [None] * 5
    assert standings(rows[:1], [True]) == [Standing("", None)]


def test_more_floors_make_no_claim_between_systems_harder() -> None:
    two = [row(0.72, 14), row(0.68, 16)]
    low = [row(0.3, seed) for seed in range(20, 24)]
    alone = standings(two, [False, False])
    beside = standings([*two, *low], [False, False, *[True] * 4])
    assert [standing.rank for standing in alone] == [standing.rank for standing in beside[:2]] == ["1", "2"]
    assert [standing.above_floors for standing in beside[:2]] == [True, True]


def test_a_metric_where_less_is_better_turns_the_order_around() -> None:
    rows = [row(0.9, 1), row(0.6, 2), row(0.3, 3)]
    less = dataclasses.replace(MICRO_F1, higher_is_better=False)
    assert [standing.above_floors for standing in standings(rows, [False, True, False], less)] == [False, None, True]


def test_any_false_claim_is_made_on_at_most_one_board_of_twenty() -> None:
    """Five equal systems, two equal floors of the same score, and two lower floors: every claim but one kind is false.

    The claims are that two systems differ and that a system is better than all floors. Rows are exchangeable within a
    dialogue, so that none of these is true in any test set.
    """
    generator = np.random.default_rng(21)
    boards, false = 150, 0
    for board in range(boards):
        ease = generator.normal(0, 0.15, DIALOGUES)
        rows = []
        for right in (*[0.7] * 7, 0.4, 0.4):
            counts = np.zeros((DIALOGUES, 7, 8), np.int64)
            for gold, wrong in ((0, 4), (4, 0)):
                hits = generator.binomial(4, np.clip(right + ease, 0, 1))
                counts[:, gold, gold], counts[:, gold, wrong] = hits, 4 - hits
            rows.append([counts])
        found = standings(
            estimates(rows, LABELS, resample_weights(DIALOGUES, resamples=200, seed=board)),
            [False] * 5 + [True] * 4,
        )
        false += any(standing.rank not in ("1-5", "") or standing.above_floors for standing in found)
    # With a rate of 5%, more than 15 of 150 happen in one of 250 trials.
    assert false <= 15


def test_scoring_imports_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, erc_bench.scoring.significance, erc_bench.protocols.views;"
        "print(sorted({'torch', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
