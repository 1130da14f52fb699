from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.contract.domain import SPLITS
from erc_bench.data.folder import folder_spec
from erc_bench.data.load import inspect_dataset
from erc_bench.data.overlap import seen_dialogues
from erc_bench.data.skeleton import write_skeleton
from erc_bench.errors import UsageError
from erc_bench.scoring.catalogue import METRICS


def test_the_skeleton_works_as_it_stands(tmp_path: Path) -> None:
    paths = write_skeleton(tmp_path / "mine")
    assert [path.name for path in paths] == ["dataset.toml", "train.jsonl", "validation.jsonl", "test.jsonl"]
    spec = folder_spec(tmp_path / "mine")
    dataset = inspect_dataset(spec).dataset
    assert spec.ranking_metric in METRICS
    assert dataset is not None
    assert dataset.name == "mine"
    assert seen_dialogues(dataset) == frozenset()
    for split in SPLITS:
        assert {u.label for d in dataset.split(split) for u in d.utterances} == set(dataset.labels.names)


@pytest.mark.parametrize("name", ["my corpus", "é", "-x", "x" * 65, "meld"])
def test_a_name_that_no_dataset_can_have_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the name must be .* the dataset is named as its folder. Name another one"):
        write_skeleton(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be a new folder"):
        write_skeleton(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="must be writable"):
        write_skeleton(tmp_path / "file" / "below")
