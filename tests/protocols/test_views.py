from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataError
from erc_bench.protocols.emotional import EMOTIONAL
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.subsets import ALL, NOT_VERBATIM
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.protocols.views import dialogue_confusions, dialogue_margins, gold_positions
from erc_bench.records.answers import AnswerReader, Codes
from erc_bench.scoring.metrics import confusion_counts, margins


def codes(dataset: Dataset, answers: Mapping[Target, str | None]) -> Codes:
    return AnswerReader(dataset).of_predictions(Prediction(*target, label) for target, label in answers.items())


def test_a_dialogue_without_utterances_is_not_drawn(small: Dataset) -> None:
    with_empty = Dataset("empty", small.labels, small.train, (), (*small.test, Dialogue("test-3", ())))
    assert LAST_TURN.view(with_empty).dialogues == ("test-0", "test-1", "test-2")


def test_confusions_by_dialogue_sum_to_those_of_all_utterances(small: Dataset) -> None:
    whole = UTTERANCE.view(small)
    answers = dict(zip(whole.targets, ["none", None, "joy", "joy", "joy", None], strict=True))
    counts = dialogue_confusions(whole, codes(small, answers), small.labels)
    assert counts.shape == (3, 2, 3)
    assert counts.dtype == np.int64
    assert counts[0].tolist() == [[1, 1, 0], [0, 0, 1]]
    assert counts[1].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert counts[2].tolist() == [[0, 0, 1], [0, 0, 0]]
    np.testing.assert_array_equal(
        counts.sum(axis=0), confusion_counts(whole.gold, [answers[target] for target in whole.targets], small.labels)
    )


@pytest.mark.parametrize("labels", [None, LabelSet(("joy",), neutral=None)])
def test_margins_are_those_of_the_confusions(small: Dataset, labels: LabelSet | None) -> None:
    part = EMOTIONAL.view(small, labels=labels) if labels else UTTERANCE.view(small)
    answers = codes(
        small, dict(zip(UTTERANCE.view(small).targets, ["none", None, "joy", "joy", "joy", None], strict=True))
    )
    counts = dialogue_confusions(part, answers, part.labels)
    found, total = dialogue_margins(part, answers)
    assert found.dtype == total.dtype == np.int64
    np.testing.assert_array_equal(found, margins(counts))
    np.testing.assert_array_equal(total, counts.sum(axis=0))
    with pytest.raises(DataError, match="got none for"):
        dialogue_margins(part, codes(small, {}))


def test_missing_predictions_are_counted_and_the_first_named(small: Dataset) -> None:
    answers = dict.fromkeys(LAST_TURN.view(small).targets, "joy")
    with pytest.raises(
        DataError, match=r"all 6 targets .* got none for 3: test-0 turn 0, test-0 turn 1, test-1 turn 0"
    ):
        dialogue_confusions(UTTERANCE.view(small), codes(small, answers), small.labels)


def test_only_the_first_missing_predictions_are_named(small: Dataset) -> None:
    with pytest.raises(DataError, match=r"got none for 6: .*test-1 turn 1, …\. Finish"):
        dialogue_confusions(UTTERANCE.view(small), codes(small, {}), small.labels)


def test_an_unlabelled_test_utterance_is_refused(small: Dataset) -> None:
    unlabelled = Dataset("raw", small.labels, (), (), tuple(d.without_labels() for d in small.test))
    with pytest.raises(DataError, match="turn 0 of test-0 must have a gold label"):
        UTTERANCE.view(unlabelled)


def test_a_subset_without_utterances_is_refused(small: Dataset) -> None:
    leaked = Dataset("leaked", small.labels, small.train, (), small.test[1:2])
    with pytest.raises(DataError, match="not-verbatim of leaked must hold at least one utterance"):
        UTTERANCE.view(leaked, NOT_VERBATIM)


def test_gold_positions_follow_the_dataset(sample: Dataset) -> None:
    first = sample.test[0]
    expected = [sample.labels.index(u.label) for u in first.utterances if u.label is not None]
    assert gold_positions(sample)[: len(first)].tolist() == expected


@pytest.mark.data
def test_views_of_dailydialog(dailydialog: Dataset) -> None:
    sizes = {
        (protocol.name, subset.name): (len(part.dialogues), len(part))
        for protocol in (UTTERANCE, LAST_TURN, EMOTIONAL)
        for subset in (ALL, NOT_VERBATIM)
        for part in [protocol.view(dailydialog, subset)]
    }
    assert sizes == {
        ("utterance", "all"): (1000, 7740),
        ("utterance", "not-verbatim"): (893, 6966),
        ("last-turn", "all"): (1000, 1000),
        ("last-turn", "not-verbatim"): (893, 893),
        ("emotional", "all"): (1000, 1419),
        ("emotional", "not-verbatim"): (893, 1240),
    }
    gold = LAST_TURN.view(dailydialog).gold
    assert [gold.count(name) for name in dailydialog.labels.names] == [673, 14, 3, 0, 284, 18, 8]
