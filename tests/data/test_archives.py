from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.data.archives import file_bytes, members
from erc_bench.errors import DataCorruptError, DataMissingError

if TYPE_CHECKING:
    from tests.conftest import TinyRelease

WANTED = ["dialogues_train.txt", "dialogues_emotion_train.txt"]


def test_files_are_found_wherever_they_stand(tiny_release: TinyRelease) -> None:
    found = members(tiny_release.archives["train"], WANTED, "train.zip")
    assert list(found) == WANTED
    assert tuple(found.values()) == tiny_release.texts["train"]
    assert members(tiny_release.single, ["test.zip"], "all.zip") == {"test.zip": tiny_release.archives["test"]}


def test_a_web_page_in_place_of_an_archive_is_named() -> None:
    with pytest.raises(DataCorruptError, match="must be a complete zip archive, got a web page"):
        members(b"\n<!doctype html><title>For sale</title>", WANTED, "train.zip")


def test_the_archive_of_another_split_is_refused(tiny_release: TinyRelease) -> None:
    with pytest.raises(DataCorruptError, match=r"must hold dialogues_train\.txt .* got .*dialogues_test\.txt"):
        members(tiny_release.archives["test"], WANTED, "train.zip")


def test_a_single_archive_without_the_three_is_refused(tiny_release: TinyRelease) -> None:
    with pytest.raises(DataCorruptError, match=r"must hold train\.zip, validation\.zip and test\.zip, got "):
        members(tiny_release.archives["test"], ["train.zip", "validation.zip", "test.zip"], "ijcnlp_dailydialog.zip")


def test_every_truncation_is_found(tiny_release: TinyRelease) -> None:
    archive = tiny_release.archives["train"]
    for length in range(0, len(archive), 7):
        with pytest.raises(DataCorruptError):
            members(archive[:length], WANTED, "train.zip")


def test_a_changed_byte_of_any_member_is_found(tiny_release: TinyRelease) -> None:
    archive = tiny_release.archives["train"]
    # the data of the file of dialogue acts, which is never read otherwise
    position = archive.index(b"dialogues_act_train.txt") + len("dialogues_act_train.txt") + 1
    changed = archive[:position] + bytes([archive[position] ^ 0xFF]) + archive[position + 1 :]
    with pytest.raises(DataCorruptError, match=r"dialogues_act_train\.txt in train\.zip must unpack"):
        members(changed, WANTED, "train.zip")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"x")
    assert file_bytes(tmp_path / "here") == b"x"
    with pytest.raises(DataMissingError, match="must be readable, got: Is a directory"):
        file_bytes(tmp_path)


def test_a_member_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erc_bench.data.archives.MAX_MEMBER_BYTES", 1000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dialogues_train.txt", b"0" * 1001)
    with pytest.raises(DataCorruptError, match=r"must unpack to at most 1,000 bytes, got 1,001"):
        members(buffer.getvalue(), ["dialogues_train.txt"], "train.zip")
