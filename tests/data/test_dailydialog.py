from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import SPLITS, Dataset, Dialogue, Utterance, folded
from erc_bench.data import load_dataset
from erc_bench.data.dailydialog import DAILYDIALOG, SplitFiles, find_files, parse_split, read_split
from erc_bench.errors import DataMissingError

if TYPE_CHECKING:
    from tests.conftest import TinyRelease


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


@pytest.fixture(params=["archives", "archives one level down", "texts", "texts one level down", "single", "itself"])
def place(request: pytest.FixtureRequest, tiny_release: TinyRelease, tmp_path: Path) -> Path:
    below = tmp_path / "ijcnlp_dailydialog"
    match request.param:
        case "archives":
            return tiny_release.write_archives(tmp_path)
        case "archives one level down":
            tiny_release.write_archives(below)
        case "texts":
            return tiny_release.write_texts(tmp_path)
        case "texts one level down":
            tiny_release.write_texts(below)
        case _:
            single = tmp_path / "ijcnlp_dailydialog.zip"
            single.write_bytes(tiny_release.single)
            return single if request.param == "itself" else tmp_path
    return tmp_path


def test_every_layout_gives_the_same_bytes(place: Path, tiny_release: TinyRelease) -> None:
    found = DAILYDIALOG.found_in(place)
    assert found is not None
    for split in SPLITS:
        files = find_files(found, split)
        assert (files.dialogues, files.emotions) == tiny_release.texts[split]
    assert load_dataset(tiny_release.spec, data_dir=place) == tiny_release.dataset


def test_nothing_is_unpacked(tiny_release: TinyRelease, tmp_path: Path) -> None:
    tiny_release.write_archives(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    read_split(tmp_path, "train")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("prepare", "got"),
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.mkdir(), "an empty folder"),
        (lambda folder: (folder.mkdir(), *[(folder / f"f{n}").touch() for n in range(8)]), "f5 and 2 more"),
    ],
)
def test_a_folder_without_it_is_refused(prepare: object, got: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert callable(prepare)
    prepare(folder)
    with pytest.raises(DataMissingError, match=rf"must hold train.zip.*subfolder dailydialog, got .*{got}\."):
        load_dataset("dailydialog", data_dir=folder)


def test_a_missing_split_is_named(tiny_release: TinyRelease, tmp_path: Path) -> None:
    tiny_release.write_archives(tmp_path)
    (tmp_path / "test.zip").unlink()
    with pytest.raises(DataMissingError, match=r"must hold test\.zip or test/dialogues_test\.txt, got neither"):
        read_split(tmp_path, "test")


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
