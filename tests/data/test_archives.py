from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import SPLITS
from erc_bench.data.archives import find_layout, holds_dailydialog, split_archives, split_from_archive
from erc_bench.errors import DataCorruptError, DataMissingError

if TYPE_CHECKING:
    from tests.conftest import TinyRelease


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
    assert holds_dailydialog(place)
    layout = find_layout(place)
    for split in SPLITS:
        files = layout.read(split)
        assert (files.dialogues, files.emotions) == tiny_release.texts[split]


def test_nothing_is_unpacked(tiny_release: TinyRelease, tmp_path: Path) -> None:
    tiny_release.write_archives(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    find_layout(tmp_path).read("train")
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
    assert not holds_dailydialog(folder)
    with pytest.raises(DataMissingError, match=rf"must hold train.zip.*got .*{got}\."):
        find_layout(folder)


def test_a_missing_split_is_named(tiny_release: TinyRelease, tmp_path: Path) -> None:
    tiny_release.write_archives(tmp_path)
    (tmp_path / "test.zip").unlink()
    with pytest.raises(DataMissingError, match=r"must hold test\.zip or test/dialogues_test\.txt, got neither"):
        find_layout(tmp_path).read("test")


def test_a_web_page_in_place_of_an_archive_is_named() -> None:
    with pytest.raises(DataCorruptError, match="must be a complete zip archive, got a web page"):
        split_from_archive(b"\n<!doctype html><title>For sale</title>", "train", "train.zip")


def test_the_archive_of_another_split_is_refused(tiny_release: TinyRelease) -> None:
    with pytest.raises(DataCorruptError, match=r"must hold dialogues_train\.txt .* got .*dialogues_test\.txt"):
        split_from_archive(tiny_release.archives["test"], "train", "train.zip")


def test_a_single_archive_without_the_three_is_refused(tiny_release: TinyRelease) -> None:
    with pytest.raises(DataCorruptError, match=r"must hold train\.zip, validation\.zip and test\.zip, got "):
        split_archives(tiny_release.archives["test"], "ijcnlp_dailydialog.zip")


def test_every_truncation_is_found(tiny_release: TinyRelease) -> None:
    archive = tiny_release.archives["train"]
    for length in range(0, len(archive), 7):
        with pytest.raises(DataCorruptError):
            split_from_archive(archive[:length], "train", "train.zip")


def test_a_changed_byte_of_any_member_is_found(tiny_release: TinyRelease) -> None:
    archive = tiny_release.archives["train"]
    # the data of the file of dialogue acts, which is never read otherwise
    position = archive.index(b"dialogues_act_train.txt") + len("dialogues_act_train.txt") + 1
    changed = archive[:position] + bytes([archive[position] ^ 0xFF]) + archive[position + 1 :]
    with pytest.raises(DataCorruptError, match=r"dialogues_act_train\.txt in train\.zip must unpack"):
        split_from_archive(changed, "train", "train.zip")
