from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.protocols.phenomena import PHENOMENA, find_phenomenon

LABELS = LabelSet(("none", "joy", "fear"), neutral="none")


def dataset(*dialogues: tuple[str, ...], labels: LabelSet = LABELS) -> Dataset:
    """From turns as `speaker label words`."""
    made = []
    for number, turns in enumerate(dialogues):
        parts = [turn.split() for turn in turns]
        said = tuple(Utterance("word " * int(words), speaker, label) for speaker, label, words in parts)
        made.append(Dialogue(f"test-{number}", said))
    return Dataset("told", labels, train=(), validation=(), test=tuple(made))


TOLD = dataset(
    ("A none 3", "A joy 6", "B none 11", "C fear 21", "A joy 5", "A fear 10", "B fear 1"),
    ("A joy 20", "B joy 2"),
)


def groups(name: str, told: Dataset = TOLD) -> list[str | None]:
    names = (*PHENOMENA[name].names(told.labels), None)
    return [names[code] for code in PHENOMENA[name].codes(told)]


def test_a_label_continues_from_one_of_the_two_utterances_before() -> None:
    assert groups("shift") == [
        *("first", "shifts", "continues", "shifts", "shifts", "continues", "continues"),
        *("first", "continues"),
    ]


def test_turns_and_words_are_counted_from_one() -> None:
    assert groups("turn") == ["1", "2", "3–5", "3–5", "3–5", "6–10", "6–10", "1", "2"]
    assert groups("length") == ["1–5", "6–10", "11–20", "21+", "1–5", "6–10", "1–5", "11–20", "1–5"]
    long = dataset(("A none 1",) * 12)
    assert groups("turn", long)[-3:] == ["6–10", "11+", "11+"]


def test_a_speaker_is_told_from_the_one_before() -> None:
    assert groups("speaker") == [None, "same", "other", "other", "other", "same", "other", None, "other"]


def test_labels_are_groups_of_their_own() -> None:
    assert groups("label")[:4] == ["none", "joy", "none", "fear"]


def test_speakers_who_take_turns_are_no_phenomenon() -> None:
    turns = dataset(("A none 3", "B joy 3", "A none 2"))
    assert not PHENOMENA["speaker"].applies_to(turns)
    assert PHENOMENA["speaker"].applies_to(TOLD)
    with pytest.raises(UsageError, match=r"got speaker, which puts all in one group\. Use one of shift, turn, label"):
        find_phenomenon("speaker", turns)


def test_a_corpus_without_a_neutral_label_has_phenomena_too() -> None:
    told = replace(TOLD, labels=replace(LABELS, neutral=None))
    assert all(PHENOMENA[name].applies_to(told) for name in ("shift", "turn", "length", "label", "speaker"))


def test_phenomena_are_found_by_name() -> None:
    assert find_phenomenon("shift", TOLD) is PHENOMENA["shift"]
    with pytest.raises(UnknownNameError, match="a phenomenon must be one of"):
        find_phenomenon("mood", TOLD)


@pytest.mark.data
def test_every_utterance_of_real_corpora_has_its_group(dailydialog: Dataset, meld: Dataset, emorynlp: Dataset) -> None:
    for told in (dailydialog, meld, emorynlp):
        utterances = sum(map(len, told.test))
        for name, phenomenon in PHENOMENA.items():
            codes = phenomenon.codes(told)
            assert len(codes) == utterances
            assert (codes < 0).sum() == (len(told.test) if name == "speaker" else 0)
        assert PHENOMENA["speaker"].applies_to(told) == (told is not dailydialog)
    shift = np.bincount(PHENOMENA["shift"].codes(dailydialog))
    assert shift.tolist() == [5975, 765, 1000]
