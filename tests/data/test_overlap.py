from __future__ import annotations

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Utterance
from erc_bench.data.dailydialog import LABELS
from erc_bench.data.overlap import dialogue_text, seen_dialogues


def dialogue(name: str, *texts: str) -> Dialogue:
    return Dialogue(name, tuple(Utterance(text, "A", "no emotion") for text in texts))


def test_case_and_white_space_and_turns_make_no_difference() -> None:
    assert dialogue_text(dialogue("a", "Good  Morning !", "HI .")) == dialogue_text(
        dialogue("b", "good morning !  hi .")
    )


def test_only_whole_dialogues_of_the_training_split_count() -> None:
    dataset = Dataset(
        "d",
        LABELS,
        train=(dialogue("train-0", "Hello .", "Hi ."), dialogue("train-1", "Where to ?")),
        validation=(dialogue("validation-0", "Only here ."),),
        test=(
            dialogue("test-0", "hello .", "hi ."),
            dialogue("test-1", "Hello ."),
            dialogue("test-2", "Only here ."),
            dialogue("test-3", "Where  to ?"),
        ),
    )
    assert seen_dialogues(dataset) == {"test-0", "test-3"}


@pytest.mark.data
def test_the_real_test_split_has_107_seen_dialogues(dailydialog: Dataset) -> None:
    seen = seen_dialogues(dailydialog)
    unseen = [d for d in dailydialog.test if d.id not in seen]
    assert (len(seen), len(unseen), sum(map(len, unseen))) == (107, 893, 6_966)
