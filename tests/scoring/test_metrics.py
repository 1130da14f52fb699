"""scikit-learn is the reference; facts about the published results are the oracles."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet, Targets
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import DataError
from erc_bench.protocols.headline import headline_protocol
from erc_bench.protocols.views import dialogue_confusions
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.metrics import (
    confusion_counts,
    margins,
    mean_per_label,
    mean_shares,
    per_label,
    pooled,
    scores,
    unusable_as_neutral,
    weighted_over_emotions,
    without_support,
)

UNUSABLE = "(unusable)"
# The neutral label in the middle: nothing may rely on its being the first.
SMALL = LabelSet(("joy", "none", "anger", "fear"), neutral="none")
Pairs = list[tuple[str, str | None]]


def reference(gold: list[str], predicted: list[str | None], labels: LabelSet) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    answers = [UNUSABLE if label is None else label for label in predicted]

    def f1(names: tuple[str, ...], average: str) -> float:
        return 100 * float(f1_score(gold, answers, labels=list(names), average=average, zero_division=0))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A single label was found", category=UserWarning)
        return {
            "micro_f1": f1(labels.emotions, "micro"),
            "macro_f1": f1(labels.emotions, "macro"),
            "mcc": float(matthews_corrcoef(gold, answers)),
            "macro_f1_all": f1(labels.names, "macro"),
            "weighted_f1_all": f1(labels.names, "weighted"),
            "accuracy": 100 * float(accuracy_score(gold, answers)),
            "unusable_rate": answers.count(UNUSABLE) / len(answers),
        }


@given(st.lists(st.tuples(st.sampled_from(SMALL.names), st.sampled_from([*SMALL.names, None])), min_size=1))
@settings(deadline=None)
@example([("none", "none")])
@example([("joy", "joy")] * 3)
@example([("joy", None), ("none", None)])
@example([("none", "joy")] * 2 + [("none", "anger")])
@example([("fear", "none"), ("fear", None), ("joy", "fear")])
@example([("joy", "none")] + [("none", "joy")] * 3)  # rounding would give an MCC below -1
@example([("joy", "joy")] * 1 + [("none", "none")] * 3)  # and above 1
def test_scores_equal_scikit_learn(pairs: Pairs) -> None:
    gold, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = scores(confusion_counts(gold, predicted, SMALL), SMALL)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        reference(gold, predicted, SMALL), abs=1e-9
    )
    assert set(found) == set(METRICS)
    assert all(metric.limits[0] <= found[name] <= metric.limits[1] for name, metric in METRICS.items())


def test_scores_equal_scikit_learn_on_many_utterances() -> None:
    generator = np.random.default_rng(0)
    frequencies = np.array([6321, 118, 47, 17, 1019, 102, 116]) / 7740
    gold = list(generator.choice(LABELS.names, size=7740, p=frequencies))
    predicted = [
        None if unusable else str(label)
        for unusable, label in zip(
            generator.random(7740) < 0.02,
            np.where(generator.random(7740) < 0.6, gold, generator.choice(LABELS.names, size=7740)),
            strict=True,
        )
    ]
    found = scores(confusion_counts(gold, predicted, LABELS), LABELS)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        reference(gold, predicted, LABELS), abs=1e-9
    )


@given(st.lists(st.tuples(st.sampled_from(SMALL.names), st.sampled_from([*SMALL.names, None])), min_size=1))
@settings(max_examples=50, deadline=None)
def test_per_label_scores_equal_scikit_learn(pairs: Pairs) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    gold, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = per_label(confusion_counts(gold, predicted, SMALL), SMALL)
    precision, recall, f1, support = precision_recall_fscore_support(
        gold, [label or UNUSABLE for label in predicted], labels=list(SMALL.names), zero_division=0
    )
    np.testing.assert_allclose(found["precision"], 100 * precision, atol=1e-9)
    np.testing.assert_allclose(found["recall"], 100 * recall, atol=1e-9)
    np.testing.assert_allclose(found["f1"], 100 * f1, atol=1e-9)
    np.testing.assert_array_equal(found["support"], support)


@given(st.lists(st.tuples(st.sampled_from(SMALL.names), st.sampled_from([*SMALL.names, None])), min_size=1))
@settings(max_examples=50, deadline=None)
@example([("none", "joy")])
def test_weighted_scores_over_the_emotions_equal_scikit_learn(pairs: Pairs) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    gold, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = weighted_over_emotions(confusion_counts(gold, predicted, SMALL), SMALL)
    answers = [label or UNUSABLE for label in predicted]
    precision, recall, _, _ = precision_recall_fscore_support(
        gold, answers, labels=list(SMALL.emotions), average="weighted", zero_division=0
    )
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {"precision": 100 * precision, "recall": 100 * recall}
    )


def test_weighted_scores_of_many_matrices_are_those_of_each() -> None:
    matrices = np.random.default_rng(4).integers(0, 9, (3, 4, 5))
    together = weighted_over_emotions(matrices, SMALL)
    for number, matrix in enumerate(matrices):
        alone = weighted_over_emotions(matrix, SMALL)
        assert {name: values[number] for name, values in together.items()} == alone


def test_shares_are_those_of_each_gold_label_averaged_over_seeds() -> None:
    one = [[3, 1, 0], [0, 0, 1]]
    other = [[1, 0, 1], [0, 0, 0]]  # nobody had the second label
    assert mean_shares(np.array([one, other])).tolist() == [[0.625, 0.125, 0.25], [0, 0, 0.5]]


def test_label_scores_of_several_seeds_are_means_and_agree_with_the_macro_mean() -> None:
    matrices = np.random.default_rng(2).integers(0, 9, (3, 7, 8))
    found = mean_per_label(matrices, LABELS)
    macro = np.mean([found[name]["f1"] for name in LABELS.emotions])
    assert macro == pytest.approx(scores(matrices, LABELS)["macro_f1"].mean())
    assert found["anger"]["support"] == pytest.approx(matrices[:, LABELS.index("anger")].sum() / 3)


def test_scores_of_no_utterances_are_zero() -> None:
    found = scores(confusion_counts([], [], LABELS), LABELS)
    assert {name: float(value) for name, value in found.items()} == dict.fromkeys(METRICS, 0.0)


def test_scores_of_many_matrices_equal_those_of_each() -> None:
    matrices = np.random.default_rng(1).integers(0, 9, (3, 4, 7, 8))
    together = scores(matrices, LABELS)
    for index in np.ndindex(3, 4):
        one = scores(matrices[index], LABELS)
        assert {name: values[index] for name, values in together.items()} == {k: float(v) for k, v in one.items()}


def test_margins_of_chosen_labels_are_pooled() -> None:
    #                     three labels, then unusable answers
    confusion = np.array([[5, 1, 2, 3], [4, 6, 0, 1], [0, 2, 7, 9]])
    assert margins(confusion).tolist() == [5, 6, 7, 11, 11, 18, 9, 9, 9, 13]
    assert pooled(margins(confusion), [1, 2]).tolist() == [13, 29, 18, 13]
    assert pooled(margins(confusion), slice(0, 1)).tolist() == [5, 11, 9, 13]


def test_an_unusable_answer_is_wrong_and_not_neutral() -> None:
    counts = confusion_counts(["no emotion", "no emotion", "anger"], [None, "no emotion", "anger"], LABELS)
    assert counts[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 1]
    assert counts.dtype == np.int64
    assert scores(counts, LABELS)["accuracy"] == pytest.approx(200 / 3)
    assert scores(counts, LABELS)["unusable_rate"] == pytest.approx(1 / 3)
    folded = unusable_as_neutral(counts, LABELS)
    assert scores(folded, LABELS)["accuracy"] == 100
    assert scores(folded, LABELS)["unusable_rate"] == 0
    assert counts[0, -1] == 1, "the matrix given must stay as it was"


def test_unusable_answers_join_those_that_were_neutral() -> None:
    counts = np.array([[4, 1, 0, 2, 3], [0, 5, 1, 1, 2], [0, 0, 6, 0, 0], [1, 1, 1, 1, 1]])
    folded = [[4, 4, 0, 2, 0], [0, 7, 1, 1, 0], [0, 0, 6, 0, 0], [1, 2, 1, 1, 0]]
    assert unusable_as_neutral(counts, SMALL).tolist() == folded
    assert unusable_as_neutral(counts, LabelSet(SMALL.names, None)).tolist() == counts.tolist()


def test_a_label_without_support_scores_zero_in_the_macro_mean_and_is_named() -> None:
    gold = [name for name in LABELS.names if name != "fear"]
    counts = confusion_counts(gold, gold, LABELS)
    assert scores(counts, LABELS)["macro_f1"] == pytest.approx(100 * 5 / 6)
    assert without_support(counts, LABELS) == ("fear",)


def test_an_unknown_prediction_is_refused() -> None:
    with pytest.raises(DataError, match="a prediction must be one of 'joy', 'none', 'anger', 'fear', got 'Joy'"):
        confusion_counts(["joy"], ["Joy"], SMALL)


def test_an_unknown_gold_label_is_refused() -> None:
    with pytest.raises(DataError, match="a gold label must be one of"):
        confusion_counts([UNUSABLE], ["joy"], SMALL)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(DataError, match=r"equally many, got 2 and 1\. Give one prediction an utterance\.$"):
        confusion_counts(["joy", "joy"], ["joy"], SMALL)


def as_counts(rows: list[list[int]]) -> NDArray[np.int64]:
    return np.array([[*row, 0] for row in rows], np.int64)


LLAMA_7B = [
    [454, 10, 13, 2, 183, 6, 5],
    [7, 1, 2, 2, 2, 0, 0],
    [2, 0, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0],
    [195, 4, 3, 1, 77, 1, 3],
    [12, 1, 0, 0, 3, 2, 0],
    [7, 0, 1, 0, 0, 0, 0],
]
LLAMA_13B = [
    [54, 9, 13, 18, 469, 40, 70],
    [1, 8, 0, 0, 4, 1, 0],
    [0, 0, 1, 0, 1, 1, 0],
    [0, 0, 0, 0, 0, 0, 0],
    [12, 0, 1, 1, 256, 0, 14],
    [1, 0, 0, 0, 11, 5, 1],
    [0, 0, 1, 1, 3, 0, 3],
]


@pytest.mark.parametrize(("matrix", "expected"), [(LLAMA_7B, (9.70, 24.92, 0.008)), (LLAMA_13B, (22.26, 43.37, 0.152))])
def test_published_confusion_matrices_give_the_published_scores(
    matrix: list[list[int]], expected: tuple[float, float, float]
) -> None:
    found = scores(as_counts(matrix), LABELS)
    assert round(float(found["macro_f1"]), 2) == expected[0]
    assert round(float(found["micro_f1"]), 2) == expected[1]
    assert round(float(found["mcc"]), 3) == expected[2]


@pytest.mark.data
@pytest.mark.parametrize(
    ("targets", "label", "macro", "micro", "accuracy"),
    [
        ("all", "happiness", 3.88, 22.25, 100 * 1019 / 7740),
        ("all", "no emotion", 0, 0, 100 * 6321 / 7740),
        ("last", "happiness", 7.37, 42.80, 28.4),
        ("last", "no emotion", 0, 0, 67.3),
    ],
)
def test_constant_predictors_on_dailydialog(
    dailydialog: Dataset, targets: Targets, label: str, macro: float, micro: float, accuracy: float
) -> None:
    whole = headline_protocol(targets).view(dailydialog)
    counts = dialogue_confusions(
        whole, np.full(7740, dailydialog.labels.index(label), np.int16), dailydialog.labels
    ).sum(axis=0)
    found = scores(counts, dailydialog.labels)
    assert round(float(found["macro_f1"]), 2) == macro
    assert round(float(found["micro_f1"]), 2) == micro
    assert found["mcc"] == 0
    assert found["accuracy"] == pytest.approx(accuracy)
