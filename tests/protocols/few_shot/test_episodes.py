from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.errors import DataError
from erc_bench.protocols.few_shot.episodes import EPISODES, FewShotCounts, chance_confusion, few_shot_counts
from erc_bench.scoring import metrics
from erc_bench.toolkit.prototypes import class_statistics

LABELS = LabelSet(("calm", "joy", "rage"), neutral="calm")
DIM = 40


def space(
    count: int, *, gap: float, spread: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Three round clouds of vectors, `gap` apart from the origin along axes of their own."""
    generator = np.random.default_rng(seed)
    gold = np.repeat(np.arange(3), count)
    vectors = generator.normal(0, spread, (3 * count, DIM))
    vectors[np.arange(3 * count), gold] += gap
    return vectors.astype(np.float32), gold


def episodes(gap: float, withheld: str = "rage", spread: float = 1.0) -> FewShotCounts:
    train, train_gold = space(200, gap=gap, spread=spread, seed=1)
    test, test_gold = space(100, gap=gap, spread=spread, seed=2)
    column = LABELS.index(withheld)
    seen = class_statistics([(train, np.where(train_gold == column, -1, train_gold))], 3)
    return few_shot_counts(test, test_gold, seen, train[train_gold == column], withheld, LABELS)


def withheld_f1(counts: FewShotCounts, shot: int) -> NDArray[np.float64]:
    column = LABELS.index(counts.withheld)
    return metrics.per_label(counts.confusions[shot], LABELS)["f1"][..., column]


def test_well_separated_labels_are_recognised_from_one_example() -> None:
    counts = episodes(gap=30.0)
    assert all((withheld_f1(counts, shot) == 100).all() for shot in (1, 5, 20))


def test_every_episode_counts_every_utterance_once() -> None:
    counts = episodes(gap=2.0)
    for confusion in [*counts.confusions.values(), *counts.corrected.values()]:
        assert confusion.shape == (EPISODES, 3, 4)
        assert (confusion.sum(axis=-1) == 100).all()
        assert not confusion[..., -1].any()


def test_more_examples_help() -> None:
    counts = episodes(gap=4.0)
    one, five, twenty = (withheld_f1(counts, shot).mean() for shot in (1, 5, 20))
    assert one < five < twenty


def test_few_examples_are_not_held_against_a_label() -> None:
    """A mean of one vector, sqrt(40) away from its own label, is never nearest unless distances are corrected."""
    counts = episodes(gap=0.0)
    plain, corrected = (
        read[1][..., LABELS.index("rage")].sum() / read[1].sum() for read in (counts.confusions, counts.corrected)
    )
    assert plain < 0.01
    assert 0.2 < corrected < 0.7


def test_labels_without_training_vectors_are_never_predicted() -> None:
    test, gold = space(20, gap=5.0)
    only_calm = class_statistics([(test, np.where(gold == 0, 0, -1))], 3)
    counts = few_shot_counts(test, gold, only_calm, test[gold == 2], "rage", LABELS)
    assert not counts.confusions[5][..., 1].any()


def test_utterances_without_a_vector_get_no_usable_answer() -> None:
    test, gold = space(20, gap=5.0)
    seen = class_statistics([(test, gold)], 3)
    test[:3] = np.nan
    counts = few_shot_counts(test, gold, seen, test[gold == 2], "rage", LABELS)
    assert (counts.confusions[1][:, 0, -1] == 3).all()


def test_the_number_of_examples_is_limited_by_what_there_is() -> None:
    test, gold = space(20, gap=5.0)
    seen = class_statistics([(test, gold)], 3)
    counts = few_shot_counts(test, gold, seen, test[gold == 2][:7], "rage", LABELS)
    assert set(counts.confusions) == {1, 5}
    with pytest.raises(DataError, match="at least 1 training utterances"):
        few_shot_counts(test, gold, seen, test[:0], "rage", LABELS)


def test_chance_is_what_uniform_guessing_gives() -> None:
    gold = np.repeat(np.arange(3), (600, 300, 100))
    expected = metrics.per_label(chance_confusion(gold, LABELS), LABELS)["f1"]
    generator = np.random.default_rng(0)
    guessed = np.zeros((3, 4))
    np.add.at(guessed, (np.tile(gold, 200), generator.integers(0, 3, 200_000)), 1)
    np.testing.assert_allclose(metrics.per_label(guessed, LABELS)["f1"], expected, atol=0.3)
