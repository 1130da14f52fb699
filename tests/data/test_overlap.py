from __future__ import annotations

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target, Utterance
from erc_bench.data.dailydialog import LABELS
from erc_bench.data.overlap import bare_words, dialogue_text, seen_dialogues, shared_utterances


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


def test_two_corpora_punctuate_one_script_differently() -> None:
    assert bare_words("Y'know -- it's *2* late, OK?") == ("yknow", "its", "2", "late", "ok")


def test_only_utterances_of_six_words_are_shared() -> None:
    one = [Dialogue("a", (Utterance("No, no!", "A"), Utterance("I did not say that to you.", "B")))]
    other = [Dialogue("b", (Utterance("no no", "C"), Utterance("i did not say that to you", "C")))]
    assert shared_utterances(one, other) == {Target("a", 1)}
    assert shared_utterances(one, []) == frozenset()
