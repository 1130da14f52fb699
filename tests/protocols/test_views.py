from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target, Utterance
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataError
from erc_bench.protocols.emotional import EMOTIONAL
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.subsets import ALL, UNSEEN
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.protocols.views import dialogue_confusions, gold_positions
from erc_bench.records.answers import AnswerReader, Codes
from erc_bench.scoring.metrics import confusion_counts

LABELS = LabelSet(("none", "joy"), neutral="none")


def dialogue(id_: str, *turns: tuple[str, str | None]) -> Dialogue:
    return Dialogue(id_, tuple(Utterance(text, "AB"[i % 2], label) for i, (text, label) in enumerate(turns)))


@pytest.fixture
def small() -> Dataset:
    return Dataset(
        "small",
        LABELS,
        train=(dialogue("train-0", ("Hello  there.", "none"), ("HI!", "joy")),),
        validation=(),
        test=(
            dialogue("test-0", ("Well?", "none"), ("Great!", "joy"), ("Bye.", "none")),
            dialogue("test-1", ("hello there.", "none"), ("Hi!", "joy")),
            dialogue("test-2", ("Hello there.", "none")),
        ),
    )


def codes(dataset: Dataset, answers: Mapping[Target, str | None]) -> Codes:
    return AnswerReader(dataset).of_predictions(Prediction(*target, label) for target, label in answers.items())


def test_utterance_counts_every_test_utterance_in_order(small: Dataset) -> None:
    whole = UTTERANCE.view(small)
    assert whole.targets == tuple(target for d in small.test for target in d.targets())
    assert whole.gold == ("none", "joy", "none", "none", "joy", "none")
    assert whole.dialogue_index.tolist() == [0, 0, 0, 1, 1, 2]
    assert whole.places.tolist() == [0, 1, 2, 3, 4, 5]
    assert [LABELS.names[code] for code in whole.gold_codes] == list(whole.gold)
    assert whole.dialogues == ("test-0", "test-1", "test-2")
    assert len(whole) == 6


def test_last_turn_counts_one_utterance_a_dialogue(small: Dataset) -> None:
    last = LAST_TURN.view(small)
    assert last.targets == (Target("test-0", 2), Target("test-1", 1), Target("test-2", 0))
    assert last.gold == ("none", "joy", "none")
    assert last.dialogue_index.tolist() == [0, 1, 2]
    assert last.places.tolist() == [2, 4, 5]


def test_unseen_leaves_out_dialogues_that_stand_in_train(small: Dataset) -> None:
    unseen = UTTERANCE.view(small, UNSEEN)
    assert unseen.dialogues == ("test-0", "test-2")
    assert unseen.places.tolist() == [0, 1, 2, 5]


def test_a_dialogue_without_utterances_is_not_drawn(small: Dataset) -> None:
    with_empty = Dataset("empty", LABELS, small.train, (), (*small.test, Dialogue("test-3", ())))
    assert LAST_TURN.view(with_empty).dialogues == ("test-0", "test-1", "test-2")


def test_confusions_by_dialogue_sum_to_those_of_all_utterances(small: Dataset) -> None:
    whole = UTTERANCE.view(small)
    answers = dict(zip(whole.targets, ["none", None, "joy", "joy", "joy", None], strict=True))
    counts = dialogue_confusions(whole, codes(small, answers), LABELS)
    assert counts.shape == (3, 2, 3)
    assert counts.dtype == np.int64
    assert counts[0].tolist() == [[1, 1, 0], [0, 0, 1]]
    assert counts[1].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert counts[2].tolist() == [[0, 0, 1], [0, 0, 0]]
    np.testing.assert_array_equal(
        counts.sum(axis=0), confusion_counts(whole.gold, [answers[target] for target in whole.targets], LABELS)
    )


def test_last_turn_is_a_view_of_a_run_over_all_utterances(small: Dataset) -> None:
    answers = dict.fromkeys(UTTERANCE.view(small).targets, "joy")
    assert dialogue_confusions(LAST_TURN.view(small), codes(small, answers), LABELS).sum() == 3


def test_missing_predictions_are_counted_and_the_first_named(small: Dataset) -> None:
    answers = dict.fromkeys(LAST_TURN.view(small).targets, "joy")
    with pytest.raises(
        DataError, match=r"all 6 targets .* got none for 3: test-0 turn 0, test-0 turn 1, test-1 turn 0"
    ):
        dialogue_confusions(UTTERANCE.view(small), codes(small, answers), LABELS)


def test_only_the_first_missing_predictions_are_named(small: Dataset) -> None:
    with pytest.raises(DataError, match=r"got none for 6: .*test-1 turn 1, …\. Finish"):
        dialogue_confusions(UTTERANCE.view(small), codes(small, {}), LABELS)


def test_an_unlabelled_test_utterance_is_refused(small: Dataset) -> None:
    unlabelled = Dataset("raw", LABELS, (), (), tuple(d.without_labels() for d in small.test))
    with pytest.raises(DataError, match="turn 0 of test-0 must have a gold label"):
        UTTERANCE.view(unlabelled)


def test_a_subset_without_utterances_is_refused(small: Dataset) -> None:
    leaked = Dataset("leaked", LABELS, small.train, (), small.test[1:2])
    with pytest.raises(DataError, match="unseen of leaked must hold at least one utterance"):
        UTTERANCE.view(leaked, UNSEEN)


def test_emotional_utterances_leave_neutral_ones_out_and_draw_from_every_dialogue(small: Dataset) -> None:
    part = EMOTIONAL.view(small)
    assert part.targets == (Target("test-0", 1), Target("test-1", 1))
    assert part.dialogues == ("test-0", "test-1", "test-2")
    assert part.dialogue_index.tolist() == [0, 1]


def test_emotional_applies_where_utterances_differ_in_it(small: Dataset) -> None:
    assert EMOTIONAL.applies_to(small)
    without_neutral = Dataset("raw", LABELS, (), (), (dialogue("test-0", ("Great!", "joy")),))
    assert not EMOTIONAL.applies_to(without_neutral)
    without_emotion = Dataset("raw", LABELS, (), (), (dialogue("test-0", ("Well.", "none")),))
    assert not EMOTIONAL.applies_to(without_emotion)
    with pytest.raises(DataError, match="at least one utterance of the protocol emotional"):
        EMOTIONAL.view(without_emotion)


def test_gold_positions_follow_the_dataset(sample: Dataset) -> None:
    first = sample.test[0]
    expected = [sample.labels.index(u.label) for u in first.utterances if u.label is not None]
    assert gold_positions(sample)[: len(first)].tolist() == expected


@pytest.mark.data
def test_views_of_dailydialog(dailydialog: Dataset) -> None:
    sizes = {
        (protocol.name, subset.name): (len(part.dialogues), len(part))
        for protocol in (UTTERANCE, LAST_TURN, EMOTIONAL)
        for subset in (ALL, UNSEEN)
        for part in [protocol.view(dailydialog, subset)]
    }
    assert sizes == {
        ("utterance", "all"): (1000, 7740),
        ("utterance", "unseen"): (893, 6966),
        ("last-turn", "all"): (1000, 1000),
        ("last-turn", "unseen"): (893, 893),
        ("emotional", "all"): (1000, 1419),
        ("emotional", "unseen"): (893, 1240),
    }
    gold = LAST_TURN.view(dailydialog).gold
    assert [gold.count(name) for name in dailydialog.labels.names] == [673, 14, 3, 0, 284, 18, 8]
