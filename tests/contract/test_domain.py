from __future__ import annotations

from dataclasses import replace

import pytest

from erc_bench.contract.domain import (
    Dataset,
    Dialogue,
    LabelSet,
    Utterance,
    content_fingerprint,
    folded,
)
from erc_bench.data.dailydialog import LABELS


def dialogue(*texts: str, name: str = "test-00000", label: str = "happiness") -> Dialogue:
    return Dialogue(name, tuple(Utterance(text, "AB"[turn % 2], label) for turn, text in enumerate(texts)))


def test_labels_are_withheld_and_nothing_else() -> None:
    original = dialogue("Hello.", "Oh, hello!")
    withheld = original.without_labels()
    assert [u.label for u in withheld.utterances] == [None, None]
    assert [u.text for u in withheld.utterances] == ["Hello.", "Oh, hello!"]
    assert original.utterances[0].label == "happiness"


def test_targets_count_turns_from_zero() -> None:
    assert dialogue("a", "b").targets() == [("test-00000", 0), ("test-00000", 1)]


def test_emotions_are_all_labels_but_the_neutral_one() -> None:
    assert LABELS.emotions == ("anger", "disgust", "fear", "happiness", "sadness", "surprise")


def test_neutral_must_be_a_label() -> None:
    with pytest.raises(ValueError, match="neutral must be one of"):
        LabelSet(("joy", "anger"), neutral="none")


@pytest.mark.parametrize(
    "other",
    [
        dialogue("Hello.", "Oh, hello?"),
        dialogue("Hello.", "Oh, hello!", label="sadness"),
        dialogue("Hello.", "Oh, hello!", name="test-00001"),
        dialogue("Hello.Oh, ", "hello!"),
        replace(dialogue("Hello.", "Oh, hello!"), utterances=dialogue("Hello.", "Oh, hello!").utterances[:1]),
    ],
)
def test_fingerprint_sees_every_field(other: Dialogue) -> None:
    labels = LABELS
    original = dialogue("Hello.", "Oh, hello!")
    assert content_fingerprint(labels, [("test", [original])]) != content_fingerprint(labels, [("test", [other])])


def test_fingerprint_sees_which_split_a_dialogue_is_in() -> None:
    one, two = dialogue("a"), dialogue("b")
    forward = Dataset("d", LABELS, (one,), (two,), ())
    backward = Dataset("d", LABELS, (two,), (one,), ())
    assert forward.fingerprint != backward.fingerprint


def test_folding_ignores_case_and_white_space() -> None:
    assert folded("  Good\tMORNING \n") == folded("good morning")


def test_speakers_are_counted_by_first_appearance() -> None:
    def dialogue(speakers: str) -> Dialogue:
        return Dialogue("d", tuple(Utterance("Hm.", speaker) for speaker in speakers))

    assert dialogue("CACBC").speaker_order == (0, 1, 0, 2, 0)
    assert [dialogue(speakers).is_anonymous for speakers in ("ABA", "A", "BA", "AAB", "ABC")] == [
        *(True, True),
        *(False, False, False),
    ]


def test_a_label_set_may_have_no_neutral_label() -> None:
    none = LabelSet(("joy", "rage"), neutral=None)
    assert (none.emotions, none.neutral_index, none.fallback) == (("joy", "rage"), None, "joy")
    some = LabelSet(("joy", "calm"), neutral="calm")
    assert (some.emotions, some.neutral_index, some.fallback) == (("joy",), 1, "calm")
    assert content_fingerprint(none, []) != content_fingerprint(LabelSet(("joy", "rage"), neutral="joy"), [])
