from __future__ import annotations

from pathlib import Path

import pytest

import erc_bench
from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataMissingError, UnknownNameError


def test_datasets_say_what_they_are_without_being_read() -> None:
    found = erc_bench.datasets()
    assert {"dailydialog", "sample"} <= found.keys()
    facts = found["dailydialog"].facts
    assert facts is not None
    assert facts.splits["test"].utterances == 7740


def test_a_dataset_is_read_by_name(sample: Dataset) -> None:
    assert erc_bench.load_dataset("sample") == sample


def test_folders_may_be_text(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="nothing-here"):
        erc_bench.load_dataset("dailydialog", data_dir=f"{tmp_path}/nothing-here")


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="sample"):
        erc_bench.load_dataset("sampel")


def test_an_audit_takes_a_name_or_a_dataset(sample: Dataset) -> None:
    assert erc_bench.audit("sample") == erc_bench.audit(sample)
