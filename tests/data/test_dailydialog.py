from __future__ import annotations

import re

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Utterance, folded
from erc_bench.data.archives import SplitFiles
from erc_bench.data.dailydialog import parse_split


def parse(dialogues: str | bytes, emotions: str) -> tuple[tuple[Dialogue, ...], list[str]]:
    data = dialogues if isinstance(dialogues, bytes) else dialogues.encode()
    return parse_split(SplitFiles("train", "a folder", data, emotions.encode()))


def test_utterances_speakers_labels_and_ids() -> None:
    dialogues, problems = parse(" Hello  there . __eou__ Oh !__eou__Bye __eou__\nYes . __eou__\n", "0 6 4 \n5\n")
    assert problems == []
    assert dialogues == (
        Dialogue(
            "train-00000",
            (
                Utterance("Hello  there .", "A", "no emotion"),
                Utterance("Oh !", "B", "surprise"),
                Utterance("Bye", "A", "happiness"),
            ),
        ),
        Dialogue("train-00001", (Utterance("Yes .", "A", "sadness"),)),
    )


def test_line_breaks_of_other_systems_inside_and_between_dialogues() -> None:
    dialogues, problems = parse("One\x85two\u2028three . __eou__\r\nFour . __eou__\r\n", "0\r\n1\r\n")
    assert problems == []
    assert [d.utterances[0].text for d in dialogues] == ["One\x85two\u2028three .", "Four ."]


@pytest.mark.parametrize(
    ("dialogues", "emotions", "message"),
    [
        ("a __eou__ b __eou__", "0", "one emotion, got 2 utterances and 1 emotions"),
        ("a __eou__", "7", "an integer from 0 to 6, got '7'"),
        ("a __eou__", "-1", "an integer from 0 to 6, got '-1'"),
        ("a __eou__", "joy", "an integer from 0 to 6, got 'joy'"),
        ("a __eou__ cut off he", "0 0", "must end in __eou__, got 'cut off he'"),
        ("a __eou__\n\nb __eou__", "0\n\n0", "line 2 of .* must end in __eou__, got ''"),
        ("a __eou__\nb __eou__", "0", "equally many lines, got 2 and 1"),
        (b"a \xff __eou__", "0", "must be UTF-8, got byte 0xff in line 1"),
    ],
)
def test_malformed_files_are_described(dialogues: str | bytes, emotions: str, message: str) -> None:
    _, problems = parse(dialogues, emotions)
    assert len(problems) == 1
    assert re.search(message, problems[0])


def test_all_malformed_lines_are_described() -> None:
    dialogues, problems = parse("a __eou__\nb __eou__\nc __eou__", "9\n0\n8")
    assert len(problems) == 2
    assert [d.id for d in dialogues] == ["train-00001"]


def test_empty_files_have_no_dialogues() -> None:
    assert parse("", "") == ((), [])


@pytest.mark.data
def test_lengths_and_speakers_of_the_real_data(dailydialog: Dataset) -> None:
    lengths = {len(d) for split in (dailydialog.train, dailydialog.validation, dailydialog.test) for d in split}
    assert (min(lengths), max(lengths)) == (2, 35)
    assert all(
        u.speaker == "AB"[turn % 2] and u.text == u.text.strip() != ""
        for d in dailydialog.train
        for turn, u in enumerate(d.utterances)
    )
    texts = {
        u.text
        for split in (dailydialog.train, dailydialog.validation, dailydialog.test)
        for d in split
        for u in d.utterances
    }
    assert len(texts) == 83_711
    train = {folded(u.text) for d in dailydialog.train for u in d.utterances}
    assert sum(folded(u.text) in train for d in dailydialog.test for u in d.utterances) == 2_374
