"""IEMOCAP is not to be passed on: these files have the form of the official ones, and invented words."""

from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.contract.domain import SPLITS, Utterance
from erc_bench.data import load_dataset
from erc_bench.data.iemocap import IEMOCAP, read_split
from erc_bench.data.load import inspect_dataset
from erc_bench.errors import DataCorruptError, DataMissingError

HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"
# the turns of one speaker may stand before those of the other
EVALUATION = HEAD + (
    "\n[6.2901 - 8.2357]\t{0}_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
    "C-E2:\tNeutral;\t()\nA-F1:\tval 3; act 2; dom  2;\t(calm [at first],\nthen not)\n"
    "\n[14.1000 - 15.0000]\t{0}_F001\tfru\t[2.0000, 3.5000, 3.5000]\n"
    "\n[16.0000 - 17.0000]\t{0}_F002\txxx\t[2.0000, 3.5000, 3.5000]\n"
    "\n[9.1000 - 12.0000]\t{0}_M000\texc\t[4.0000, 4.5000, 3.0000]\n"
)
TRANSCRIPTION = (
    "{0}_F000 [006.2901-008.2357]: The kettle is on.\n"
    "{0}_M000 [009.1000-012.0000]: At last!\n"
    "{0}_MXX0 [012.0000-013.0000]: Mhm.\n"
    "{0}_F001 [014.1000-015.0000]:  You could have done it.\n"
    "{0}_F002 [016.0000-017.0000]: Really.\n"
    "M: Sorry.\n"
)


def write_dialogue(root: Path, name: str, evaluation: str = EVALUATION, transcription: str = TRANSCRIPTION) -> None:
    dialog = root / f"Session{int(name[3:5])}" / "dialog"
    for folder, content in (("EmoEvaluation", evaluation), ("transcriptions", transcription)):
        (dialog / folder).mkdir(parents=True, exist_ok=True)
        (dialog / folder / f"{name}.txt").write_text(content.format(name))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for session in range(1, 6):
        for number in range(1, 8):
            write_dialogue(tmp_path, f"Ses0{session}F_impro0{number}")
    evaluations = tmp_path / "Session1" / "dialog" / "EmoEvaluation"
    (evaluations / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07")
    (evaluations / "Categorical").mkdir()
    return tmp_path


def test_turns_of_the_six_labels_in_the_order_of_time(copy: Path) -> None:
    first = load_dataset(IEMOCAP, data_dir=copy).train[0]
    assert first.id == "train-00000"
    assert first.utterances == (
        Utterance("The kettle is on.", "F", "neutral"),
        Utterance("At last!", "M", "excited"),
        Utterance("You could have done it.", "F", "frustrated"),
    )


def test_session_5_is_the_test_split_and_every_tenth_other_dialogue_is_for_validation(copy: Path) -> None:
    for session, number in ((1, 3), (2, 3), (2, 4), (3, 6), (5, 2)):
        write_dialogue(copy, f"Ses0{session}F_impro0{number}", transcription=TRANSCRIPTION.replace("At last!", "Now!"))
    dataset = load_dataset(IEMOCAP, data_dir=copy)
    assert {split: len(dataset.split(split)) for split in SPLITS} == {"train": 26, "validation": 2, "test": 7}
    # the 10th and the 20th of the 28 are Ses02F_impro03 and Ses03F_impro06
    assert [d.utterances[1].text for d in dataset.validation] == ["Now!", "Now!"]
    assert [d.utterances[1].text for d in dataset.train].count("Now!") == 2
    assert [d.utterances[1].text for d in dataset.test].index("Now!") == 1


def test_a_release_one_level_down_is_found(copy: Path, tmp_path: Path) -> None:
    below = tmp_path / "corpora" / "iemocap" / "IEMOCAP_full_release"
    below.parent.mkdir(parents=True)
    below.mkdir()
    for session in range(1, 6):
        (copy / f"Session{session}").rename(below / f"Session{session}")
    assert inspect_dataset(IEMOCAP, data_dir=tmp_path / "corpora").place.folder == below


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tneu\t", "\tcalm\t", "line 3 of .*Ses05F_impro01.txt: a label must be one of neu, .* got 'calm'"),
        ("[6.2901 - 8.2357]", "[6.2901", "line 3 of .*: a turn must have a time, a name, a label and ratings"),
        ("{0}_F000\tneu", "{0}\tneu", "line 3 of .*: a turn's name must end in its speaker"),
        ("{0}_F000\tneu", "{0}_F009\tneu", "line 3 of .*: the turn Ses05F_impro01_F009 must have words .*, got none"),
        ("[6.2901", " [6.2901", "line 3 of .*: a turn must have a time, a name, a label and ratings, got ' "),
        ("[6.2901 -", "6.2901 -", "line 3 of .*: a turn must have a time, a name, a label and ratings"),
        (
            "{0}_M000\texc",
            "{0}_F000\texc",
            "line 12 of .*: a turn must stand once, got Ses05F_impro01_F000 as in line 3",
        ),
        (
            "{0}_F002\txxx",
            "{0}_F001\txxx",
            "line 10 of .*: a turn must stand once, got Ses05F_impro01_F001 as in line 8",
        ),
    ],
)
def test_a_malformed_turn_is_named_with_its_line(old: str, new: str, message: str, copy: Path) -> None:
    assert old in EVALUATION
    write_dialogue(copy, "Ses05F_impro01", EVALUATION.replace(old, new))
    with pytest.raises(DataCorruptError, match=message):
        load_dataset(IEMOCAP, data_dir=copy)
    assert len(read_split(copy, "test").problems) == 1


def test_a_missing_session_or_transcription_is_named(copy: Path) -> None:
    (copy / "Session5" / "dialog" / "transcriptions" / "Ses05F_impro03.txt").unlink()
    (copy / "Session2" / "dialog").rename(copy / "Session2" / "elsewhere")
    problems = inspect_dataset(IEMOCAP, data_dir=copy).problems
    assert [("Session2" in problem, "Ses05F_impro03.txt" in problem) for problem in problems] == [
        (True, False),
        (True, False),
        (False, True),
    ]


def test_a_missing_evaluation_is_named_and_moves_no_dialogue_to_another_split(copy: Path) -> None:
    (copy / "Session2" / "dialog" / "EmoEvaluation" / "Ses02F_impro01.txt").unlink()
    (problem,) = inspect_dataset(IEMOCAP, data_dir=copy).problems
    assert problem.endswith("Ses02F_impro01.txt must be readable, got: No such file or directory.")


def test_who_has_no_copy_is_told_where_to_ask(home: Path) -> None:
    with pytest.raises(DataMissingError, match=r"must hold Session1 to Session5 .* Its owners give a copy"):
        load_dataset("iemocap")
