from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.data.dailydialog import DAILYDIALOG
from erc_bench.data.registry import dataset_names, dataset_spec
from erc_bench.data.sample import SAMPLE
from erc_bench.data.spec import Mirror, measure


@pytest.mark.parametrize(
    ("url", "single", "train"),
    [
        ("http://h/ijcnlp_dailydialog.zip", True, None),
        ("http://h/a.zip?download=1", True, None),
        ("http://h/data", False, "http://h/data/train.zip"),
        ("http://h/data/", False, "http://h/data/train.zip"),
    ],
)
def test_a_mirror_is_one_archive_or_a_base(url: str, single: bool, train: str | None) -> None:
    mirror = Mirror("m", url)
    assert mirror.single is single
    if train:
        assert mirror.file_url("train.zip") == train


@pytest.mark.parametrize("name", dataset_names())
def test_every_spec_is_whole(name: str) -> None:
    spec = dataset_spec(name)
    assert spec.name == name
    assert spec.title
    assert spec.licence
    assert spec.reference
    assert spec.mirrors or spec.fixed or spec.how_to_get
    assert len({mirror.url for mirror in spec.mirrors}) == len(spec.mirrors)
    if spec.facts is not None:
        assert list(spec.facts.splits) == list(SPLITS)
        for split in spec.facts.splits.values():
            assert list(split.labels) == list(spec.labels.names)
            assert sum(split.labels.values()) == split.utterances


def test_the_facts_are_measured_as_they_are_written(sample: Dataset) -> None:
    assert SAMPLE.facts is not None
    assert measure(sample) == {
        split: dataclasses.replace(facts, file_sha256=None) for split, facts in SAMPLE.facts.splits.items()
    }


def test_a_folder_is_recognised_by_its_files_or_as_the_spec_says(tmp_path: Path) -> None:
    spec = dataclasses.replace(SAMPLE, subfolders=["below"])
    assert spec.found_in(tmp_path) is None
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "test.jsonl").touch()
    assert spec.found_in(tmp_path) == tmp_path / "below"
    assert dataclasses.replace(spec, recognised=lambda folder: True).found_in(tmp_path) == tmp_path
    assert spec.wanted == "train.jsonl, validation.jsonl and test.jsonl"
    assert "the folders train/" in DAILYDIALOG.wanted
