from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import NoConfig
from erc_bench.errors import UsageError
from erc_bench.running.request import RunRequest, check_withheld, new_record
from erc_bench.systems.floors import Constant, ConstantConfig, Prior


def test_a_request_in_words(sample: Dataset, tmp_path: Path) -> None:
    request = RunRequest(Constant, ConstantConfig(label="anger"), sample, tmp_path, seed=3, targets="last")
    assert request.title == "constant (label=anger, targets=last) on sample, seed 3"
    assert isinstance(request.build(), Constant)


def test_the_record_of_a_run_that_starts(sample: Dataset, tmp_path: Path) -> None:
    record = new_record(RunRequest(Constant, ConstantConfig(label="no emotion"), sample, tmp_path, targets="last"))
    assert (record.status, record.dataset_fingerprint) == ("running", sample.fingerprint)
    assert record.command == (
        'erc-bench run --system constant --dataset sample --seed 0 --set "label=no emotion" --targets last'
    )
    assert record.floor
    assert record.versions["python"]


def test_only_what_learns_and_embeds_can_be_run_with_a_withheld_label(sample: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must learn and have embeddings"):
        check_withheld(RunRequest(Prior, NoConfig(), sample, tmp_path, withheld="fear"))
    raw = system_class("raw-encoder")
    with pytest.raises(UsageError, match="envy"):
        check_withheld(RunRequest(raw, raw.Config(), sample, tmp_path, withheld="envy"))
    check_withheld(RunRequest(raw, raw.Config(), sample, tmp_path, withheld="fear"))
