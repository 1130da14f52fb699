from __future__ import annotations

import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from erc_bench.contract.registry import DATASET_GROUP
from erc_bench.data import download_dir, load_dataset, registry
from erc_bench.data.skeleton import write_skeleton
from erc_bench.errors import DataCorruptError, DataError, DataMissingError, UnknownNameError


def test_the_built_in_datasets_are_registered() -> None:
    assert {"dailydialog", "sample"} <= set(registry.dataset_names())
    assert registry.dataset_names() == sorted(registry.dataset_names())


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dailydialog'"):
        registry.dataset_spec("dailydialogue")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:X", "broken of unknown cannot be imported from no_such_module:X: ModuleNotFoundError"),
        ("erc_bench.contract.domain:Dialogue", "of unknown must be a DatasetSpec, got"),
        ("erc_bench.data.sample:SAMPLE", "must carry the same name, got 'sample' in .* of unknown"),
    ],
)
def test_broken_plugins_are_named(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", value, DATASET_GROUP)
    monkeypatch.setattr(registry, "registered", lambda group: {"broken": point})
    with pytest.raises(DataError, match=message):
        registry.dataset_spec("broken")


def test_a_folder_is_a_dataset_by_its_path(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_skeleton(tmp_path / "mine")
    assert registry.dataset_spec(str(tmp_path / "mine")).name == "mine"
    monkeypatch.chdir(tmp_path)
    assert registry.dataset_spec("mine").name == "mine"
    assert registry.dataset_name(f"{tmp_path}/mine") == "mine"
    assert registry.dataset_name("meld") == "meld"
    with pytest.raises(DataMissingError, match=r"must hold dataset\.toml"):
        registry.dataset_spec("./nowhere")


def test_a_folder_used_by_its_path_is_found_by_its_name(home: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_skeleton(tmp_path / folder / "mine")
        assert load_dataset(str(tmp_path / folder / "mine")).name == "mine"
        assert download_dir("mine").resolve() == tmp_path / folder / "mine"
    assert "mine" in registry.dataset_names()
    assert load_dataset("mine").name == "mine"
    shutil.rmtree(tmp_path / "two")
    assert "mine" not in registry.dataset_names()
    with pytest.raises(UnknownNameError, match=r"a corpus of your own is named by its folder, with dataset\.toml"):
        load_dataset("mine")


def test_a_home_that_cannot_be_written_costs_nothing_but_the_name(home: Path, tmp_path: Path) -> None:
    home.write_text("a file where the folder should be")
    write_skeleton(tmp_path / "mine")
    assert load_dataset(str(tmp_path / "mine")).name == "mine"


@pytest.mark.parametrize("named", ["mine", "."])
def test_a_folder_of_corpora_may_hold_it(
    named: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_skeleton(tmp_path / "mine")
    place = tmp_path if named == "." else tmp_path / named
    assert registry.dataset_spec("mine", place).name == "mine"
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(place))
    assert registry.dataset_spec("mine").name == "mine"
    assert ("mine" in registry.dataset_names()) is (named == ".")


def test_names_are_what_they_seem(home: Path, tmp_path: Path) -> None:
    write_skeleton(tmp_path / "mine")
    (tmp_path / "mine").rename(tmp_path / "other")
    with pytest.raises(DataCorruptError, match="must be 'other', as it was asked for, got 'mine'"):
        registry.dataset_spec("other", tmp_path)
    settings = tmp_path / "other" / "dataset.toml"
    settings.write_text(settings.read_text().replace('name = "mine"', 'name = "meld"'))
    with pytest.raises(DataCorruptError, match=r"line 2 of .*toml: the name must be another .* dataset, got 'meld'"):
        registry.dataset_spec(str(tmp_path / "other"))
