from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from erc_bench.contract.domain import LabelSet, Split
from erc_bench.data.locate import DOWNLOADED, GIVEN, place_of, require_present, ways_out
from erc_bench.data.spec import DatasetSpec, Mirror, SplitReading
from erc_bench.errors import DataMissingError
from erc_bench.paths import DATA_DIR_VARIABLE, download_dir


def unread(folder: Path, split: Split) -> SplitReading:
    raise AssertionError("finding a corpus must not read it")


MOODS = DatasetSpec(
    name="moods",
    title="Moods",
    labels=LabelSet(("calm", "joy"), neutral="calm"),
    ranking_metric="micro_f1",
    licence="CC0-1.0",
    reference="-",
    link="https://example.org/moods",
    read=unread,
    files={"train": "train.csv", "validation": "dev.csv", "test": "test.csv"},
    subfolders=("raw",),
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERC_BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)


def corpus(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "test.csv").touch()
    return folder


def test_a_folder_given_is_the_only_one_looked_in(tmp_path: Path) -> None:
    corpus(download_dir("moods"))
    place = place_of(MOODS, tmp_path)
    assert (place.folder, place.named_by, place.present) == (tmp_path, GIVEN, False)


def test_the_environment_comes_before_the_download_folder_if_the_corpus_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloaded = corpus(download_dir("moods"))
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "corpora"))
    assert (place_of(MOODS).folder, place_of(MOODS).named_by) == (downloaded, DOWNLOADED)
    there = corpus(tmp_path / "corpora" / "moods")
    assert (place_of(MOODS).folder, place_of(MOODS).named_by) == (there, DATA_DIR_VARIABLE)


@pytest.mark.parametrize("below", ["", "moods", "raw", "moods/raw"])
def test_a_corpus_lies_in_the_folder_in_one_of_its_name_or_where_its_release_has_it(below: str, tmp_path: Path) -> None:
    there = corpus(tmp_path / "given" / below)
    assert place_of(MOODS, tmp_path / "given").folder == there


def test_a_fixed_place_needs_no_search(tmp_path: Path) -> None:
    place = place_of(replace(MOODS, fixed=tmp_path), Path("elsewhere"))
    assert (place.folder, place.named_by, place.present) == (tmp_path, "the package", True)


def test_what_is_missing_is_named_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataMissingError, match=r"must hold train.csv, dev.csv and test.csv.*got notes.txt"):
        require_present(MOODS, place_of(MOODS, tmp_path))
    with pytest.raises(DataMissingError, match="got no such folder"):
        require_present(MOODS, place_of(MOODS, tmp_path / "nowhere"))
    require_present(MOODS, place_of(MOODS, corpus(tmp_path / "there")))


def test_ways_out_are_those_that_the_corpus_has(tmp_path: Path) -> None:
    assert "https://example.org/moods" in ways_out(MOODS, place_of(MOODS))
    mirrored = replace(MOODS, mirrors=(Mirror("a mirror", "https://example.org/moods.zip"),))
    assert "erc-bench data download moods" in ways_out(mirrored, place_of(mirrored))
    assert "--data-dir" in ways_out(mirrored, place_of(mirrored, tmp_path))
