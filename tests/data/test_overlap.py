from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target, Utterance
from erc_bench.data.dailydialog import LABELS
from erc_bench.data.overlap import (
    bare_words,
    dialogue_text,
    near_twins,
    second_annotations,
    seen_dialogues,
    seen_elsewhere,
    shared_utterances,
)


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
    left = [d for d in dailydialog.test if d.id not in seen]
    assert (len(seen), len(left), sum(map(len, left))) == (107, 893, 6_966)


def test_two_corpora_punctuate_one_script_differently() -> None:
    assert bare_words("Y'know -- it's *2* late, OK?") == ("yknow", "its", "2", "late", "ok")


def test_only_utterances_of_six_words_are_shared() -> None:
    one = [Dialogue("a", (Utterance("No, no!", "A"), Utterance("I did not say that to you.", "B")))]
    other = [Dialogue("b", (Utterance("no no", "C"), Utterance("i did not say that to you", "C")))]
    assert shared_utterances(one, other) == {Target("a", 1)}
    assert shared_utterances(one, []) == frozenset()


def twins_dataset() -> Dataset:
    words = [f"word{number}" for number in range(50)]
    long = dialogue("train-0", " ".join(words[:25]), " ".join(words[25:]))
    # One word changed in fifty changes three of 48 runs of three words; ten far apart change thirty.
    near = dialogue("test-near", " ".join(words[:25]), " ".join(["other", *words[26:]]))
    far = dialogue("test-far", " ".join("other" if n % 5 == 2 else w for n, w in enumerate(words)))
    return Dataset(
        "twins",
        LABELS,
        train=(long, dialogue("train-1", "Hello .", "Hi .")),
        validation=(dialogue("validation-0", "HELLO . Hi .", "and more than that"),),
        test=(near, far, dialogue("test-same", "hello . hi .")),
    )


def test_near_twins_are_found_in_both_directions_and_kept(tmp_path: Path) -> None:
    dataset = twins_dataset()
    assert near_twins(dataset, folder=tmp_path) == {"test-near", "test-same"}
    assert near_twins(dataset, "train", "test", folder=tmp_path) == {"train-0", "train-1"}
    assert near_twins(dataset, "validation", "test", folder=tmp_path) == frozenset()
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) == 3
    assert near_twins(dataset, folder=tmp_path) == {"test-near", "test-same"}
    for path in kept:
        path.write_bytes(b"damaged")
    assert near_twins(dataset, folder=tmp_path) == {"test-near", "test-same"}


def test_second_annotations_are_those_of_the_first_equal_dialogue_in_train() -> None:
    def labelled(name: str, *labels: str) -> Dialogue:
        return Dialogue(name, tuple(Utterance(f"Text {n} .", "A", label) for n, label in enumerate(labels)))

    dataset = Dataset(
        "d",
        LABELS,
        train=(labelled("train-0", "anger", "fear"), labelled("train-1", "fear", "fear")),
        validation=(),
        test=(labelled("test-0", "no emotion", "fear"), labelled("test-1", "no emotion")),
    )
    assert second_annotations(dataset) == {Target("test-0", 0): "anger", Target("test-0", 1): "fear"}


@pytest.mark.data
def test_212_real_test_dialogues_have_a_near_twin_in_train(dailydialog: Dataset, tmp_path: Path) -> None:
    near = near_twins(dailydialog, folder=tmp_path)
    assert (len(near), len(near - seen_dialogues(dailydialog))) == (212, 105)
    assert len(second_annotations(dailydialog)) == 757


@pytest.mark.data
def test_other_corpora_have_hardly_any(meld: Dataset, emorynlp: Dataset) -> None:
    assert [len(near_twins(dataset)) for dataset in (meld, emorynlp)] == [1, 0]


def test_what_a_system_trained_elsewhere_has_seen() -> None:
    long = "And there you are, late as ever."
    test = [dialogue("test-0", long, "No."), dialogue("test-1", "Yes.", "No, no!"), dialogue("test-2", "Yes.", "Well?")]
    other = [
        dialogue("train-0", "And there you are - late as ever!", "Maybe."),
        dialogue("train-1", "yes.", "no,  NO!"),
    ]
    seen = {Target("test-0", 0), Target("test-1", 0), Target("test-1", 1)}
    assert seen_elsewhere(test, other) == seen


@pytest.mark.data
def test_what_emorynlp_shows_of_meld(meld: Dataset, emorynlp: Dataset) -> None:
    assert len(shared_utterances(meld.test, emorynlp.train)) == 295
    assert len(seen_elsewhere(meld.test, emorynlp.train)) == 336
