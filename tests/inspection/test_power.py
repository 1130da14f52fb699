from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.inspection.power import SEEDS, dataset_of, plan

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, mini: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    truth, generator = gold(sample), np.random.default_rng(0)
    for system, share in (("good", 0.8), ("fair", 0.6)):
        for seed in range(3):
            wrong = generator.random(len(truth)) > share
            labels = ["anger" if bad else label for bad, label in zip(wrong, truth, strict=True)]
            write_run(tmp_path, sample, labels, system=system, seed=seed)
    write_run(tmp_path, sample, ["happiness"] * len(truth), system="single")
    write_run(tmp_path, sample, ["anger"] * len(truth), system="floor", floor=True)
    write_run(tmp_path, sample, ["anger"] * len(sample.test), system="late", targets="last")
    write_run(tmp_path, mini, gold(mini), system="elsewhere")
    return tmp_path


def test_the_best_row_is_planned_against_every_other_that_is_no_floor(results: Path, sample: Dataset) -> None:
    found = plan(sample, results, 5)
    assert [(need.a, need.b) for need in found.needs] == [("good", "fair"), ("good", "single")]
    assert (found.dataset, found.protocol, found.subset, found.metric.name) == (
        "sample",
        "utterance",
        "all",
        "micro_f1",
    )
    first, second = found.needs
    assert (first.seeds, second.seeds) == ((3, 3), (3, 1))
    assert first.dialogues == len(sample.test)
    assert list(first.by_seeds) == list(SEEDS)
    assert first.by_seeds[3] == first.dialogues_needed
    assert first.difference > 0


def test_larger_effects_need_less_and_are_found_more_often(results: Path, sample: Dataset) -> None:
    small, large = (plan(sample, results, effect, names=("good", "fair")).needs[0] for effect in (8, 30))
    assert large.power > small.power
    assert large.dialogues_needed is not None
    assert small.dialogues_needed is None or small.dialogues_needed > large.dialogues_needed
    assert small.detectable == large.detectable


def test_one_row_is_planned_against_the_others(results: Path, sample: Dataset) -> None:
    assert [need.b for need in plan(sample, results, 5, names=("floor",)).needs] == ["good", "fair", "single"]
    (need,) = plan(sample, results, 5, names=("single", "floor")).needs
    assert need.by_seeds == {}
    assert need.seeds_needed is None


def test_what_cannot_be_planned_is_refused(
    results: Path, sample: Dataset, gold: Gold, write_run: WriteRun, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="an effect must be above 0 and at most 100, got 0"):
        plan(sample, results, 0)
    with pytest.raises(UnknownNameError, match="a metric must be one of"):
        plan(sample, results, 5, metric="luck")
    with pytest.raises(UsageError, match="must score labels of utterances to be planned for, got triplet"):
        plan(sample, results, 5, protocol="triplet")
    with pytest.raises(UsageError, match="two different rows must be there"):
        plan(sample, results, 5, names=("good", "good"))
    with pytest.raises(UsageError, match=r"the protocol utterance needs more than late \(targets=last\) labelled"):
        plan(sample, results, 5, names=("good", "late"))
    write_run(tmp_path / "floors", sample, ["anger"] * len(gold(sample)), system="floor", floor=True)
    with pytest.raises(DataMissingError, match="must hold complete runs on sample that are no floors, got none"):
        plan(sample, tmp_path / "floors", 5)


def test_the_dataset_is_the_one_that_the_rows_are_on(results: Path) -> None:
    assert dataset_of(results, ("good", "fair")) == "sample"
    assert dataset_of(results, (), "mini") == "mini"
    with pytest.raises(UsageError, match="must be on one dataset, got mini, sample: name one with --dataset"):
        dataset_of(results)
    with pytest.raises(DataMissingError, match="got none"):
        dataset_of(results, ("good", "elsewhere"))
