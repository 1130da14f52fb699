from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.data import download_dir, load_dataset
from erc_bench.data.dailydialog import DAILYDIALOG
from erc_bench.data.load import inspect_dataset
from erc_bench.errors import DataCorruptError, DataMissingError, UnknownNameError

if TYPE_CHECKING:
    from tests.conftest import TinyRelease


def test_an_unknown_name_gets_the_nearest(home: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dailydialog'"):
        load_dataset("dailydialogue")


@pytest.mark.parametrize("layout", ["archives", "texts"])
def test_a_whole_release_is_loaded(layout: str, tiny_release: TinyRelease, home: Path, tmp_path: Path) -> None:
    folder = getattr(tiny_release, f"write_{layout}")(tmp_path / "data")
    assert load_dataset(tiny_release.spec, data_dir=folder) == tiny_release.dataset


def test_the_given_folder_goes_before_the_environment_and_that_before_the_download(
    tiny_release: TinyRelease, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(data_dir: Path | None = None) -> Path:
        return inspect_dataset(tiny_release.spec, data_dir=data_dir).place.folder

    downloaded = tiny_release.write_archives(download_dir("dailydialog"))
    assert place() == downloaded
    named = tiny_release.write_archives(tmp_path / "named")
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(named))
    assert place() == named
    given = tiny_release.write_archives(tmp_path / "given")
    assert place(given) == given


def test_missing_data_is_never_replaced(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataMissingError, match="erc-bench data download dailydialog") as caught:
        load_dataset("dailydialog")
    assert caught.value.exit_code == 3
    with pytest.raises(DataMissingError, match="named by --data-dir"):
        load_dataset("dailydialog", data_dir=tmp_path / "nowhere")
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path))
    with pytest.raises(DataMissingError, match="named by ERC_BENCH_DATA_DIR"):
        load_dataset("dailydialog")


def test_a_folder_of_corpora_holds_each_in_a_subfolder_of_its_name(
    tiny_release: TinyRelease, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tiny_release.write_archives(tmp_path / "corpora" / "dailydialog")
    assert load_dataset(tiny_release.spec, data_dir=tmp_path / "corpora") == tiny_release.dataset
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path / "corpora"))
    assert inspect_dataset(tiny_release.spec).place.folder == held


def test_what_the_environment_does_not_have_is_looked_for_in_the_download_folder(
    tiny_release: TinyRelease, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with one corpus in the environment hides no other; a folder given by hand is the only one."""
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path))
    downloaded = tiny_release.write_archives(download_dir("dailydialog"))
    assert inspect_dataset(tiny_release.spec).place.folder == downloaded
    with pytest.raises(DataMissingError, match="named by --data-dir"):
        load_dataset(tiny_release.spec, data_dir=tmp_path / "empty")


def swap(folder: Path, one: str, other: str, name: str) -> None:
    """Exchange the contents of two splits under the right file names."""
    a, b = folder / one / name.format(one), folder / other / name.format(other)
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)


def swap_splits(folder: Path) -> None:
    for name in ("dialogues_{}.txt", "dialogues_emotion_{}.txt"):
        swap(folder, "validation", "test", name)


def edit(split: str, kind: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / split / f"dialogues_{kind}{split}.txt"
        text = path.read_bytes().decode()
        assert old in text
        path.write_bytes(text.replace(old, new, 1).encode())

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit("train", "", "parcel", "packet"), "the content of the train split .* must have the SHA-256"),
        (edit("train", "emotion_", "0 4", "4 0"), "a text, a label or the order differs"),
        (edit("train", "emotion_", "1 0 5", "1 0 4"), "labels happiness 1, sadness 1; got happiness 2, sadness 0"),
        (edit("train", "emotion_", "1 0 5", "1 0 9"), "line 2 of .* an integer from 0 to 6, got '9'"),
        (edit("train", "emotion_", "1 0 5", "1 0"), "line 2 of .* got 3 utterances and 2 emotions"),
        (edit("test", "", "The train is late . __eou__\n", ""), "equally many lines, got 1 and 2"),
        (swap_splits, "must not be those of the test split"),
        (lambda folder: (folder / "test" / "dialogues_test.txt").unlink(), "must hold test.zip or test/dialogues_test"),
    ],
    ids=["text", "labels swapped", "label", "integer", "lengths", "rows", "splits swapped", "missing"],
)
def test_altered_data_is_refused(
    damage: Callable[[Path], None], message: str, tiny_release: TinyRelease, home: Path, tmp_path: Path
) -> None:
    folder = tiny_release.write_texts(tmp_path / "data")
    damage(folder)
    with pytest.raises(DataCorruptError, match=message) as caught:
        load_dataset(tiny_release.spec, data_dir=folder)
    assert caught.value.exit_code == 3
    assert "named by --data-dir" in str(caught.value)


def test_every_damaged_split_is_reported(tiny_release: TinyRelease, home: Path, tmp_path: Path) -> None:
    folder = tiny_release.write_archives(tmp_path / "data")
    for split in ("train", "test"):
        (folder / f"{split}.zip").write_bytes((folder / f"{split}.zip").read_bytes()[:-40])
    inspection = inspect_dataset(tiny_release.spec, data_dir=folder)
    assert inspection.dataset is None
    assert [("train.zip" in p, "test.zip" in p) for p in inspection.problems] == [(True, False), (False, True)]
    assert list(inspection.measured) == ["validation"]


def test_the_refusal_lists_at_most_twenty_problems(tiny_release: TinyRelease, home: Path, tmp_path: Path) -> None:
    folder = tiny_release.write_texts(tmp_path / "data")
    (folder / "train" / "dialogues_train.txt").write_text("a __eou__\n" * 30)
    (folder / "train" / "dialogues_emotion_train.txt").write_text("9\n" * 30)
    with pytest.raises(DataCorruptError, match="and 10 more") as caught:
        load_dataset(tiny_release.spec, data_dir=folder)
    assert str(caught.value).count("\n- line") == 20


def test_the_sample_ignores_folders(tmp_path: Path, sample: Dataset) -> None:
    """It comes with the package; after its content changes, `erc-bench data facts sample` prints the new facts."""
    assert load_dataset("sample", data_dir=tmp_path) == sample


@pytest.mark.data
def test_the_real_data_is_what_the_manifest_says(dailydialog: Dataset) -> None:
    assert DAILYDIALOG.facts is not None
    assert dailydialog.fingerprint == DAILYDIALOG.facts.fingerprint
    sizes = {split: (len(dailydialog.split(split)), sum(map(len, dailydialog.split(split)))) for split in SPLITS}
    assert sizes == {"train": (11_118, 87_170), "validation": (1_000, 8_069), "test": (1_000, 7_740)}
    counts = {
        split: [
            sum(u.label == name for d in dailydialog.split(split) for u in d.utterances)
            for name in dailydialog.labels.names
        ]
        for split in SPLITS
    }
    assert counts == {
        "train": [72143, 827, 303, 146, 11182, 969, 1600],
        "validation": [7108, 77, 3, 11, 684, 79, 107],
        "test": [6321, 118, 47, 17, 1019, 102, 116],
    }


@pytest.mark.data
def test_the_archives_of_the_real_data_are_the_official_ones(dailydialog_dir: Path) -> None:
    inspection = inspect_dataset("dailydialog", data_dir=dailydialog_dir)
    facts = inspection.spec.facts
    assert inspection.problems == ()
    assert facts is not None
    assert inspection.files == {split: facts.splits[split].file_sha256 for split in SPLITS}
    assert facts.splits["test"].file_sha256 == "5f9526a5ce4b8af4ca237aa3ff38cbf03becbc596c70b0974d7f5f9af2ea0615"
