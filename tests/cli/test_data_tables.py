from __future__ import annotations

import dataclasses

import pytest

from erc_bench.cli.data_tables import print_audit, print_verified, verified
from erc_bench.contract.domain import Dataset
from erc_bench.data.load import Inspection, inspect_dataset
from erc_bench.inspection.audit import audit
from erc_bench.progress import SilentProgress


def broken(inspection: Inspection) -> Inspection:
    """As if the test split could not be read, and one utterance of train were another."""
    measured = dict(inspection.measured)
    del measured["test"]
    measured["train"] = dataclasses.replace(measured["train"], utterances=1, fingerprint="0" * 64)
    return dataclasses.replace(inspection, measured=measured, problems=("test.jsonl: cut",), dataset=None)


def test_a_sound_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    inspection = inspect_dataset("sample")
    content = verified(inspection)
    assert content["ok"] is True
    assert content["fingerprint"] == content["expected_fingerprint"]
    assert content["splits"]["test"]["dialogues"] == content["expected"]["test"]["dialogues"]
    print_verified(inspection)
    printed = capsys.readouterr().out
    assert "complete and unaltered" in printed
    assert "differs" not in printed


def test_a_damaged_one_is_counted_as_far_as_it_could_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    inspection = broken(inspect_dataset("sample"))
    content = verified(inspection)
    assert (content["ok"], content["fingerprint"], content["splits"]["test"]) == (False, None, None)
    assert content["problems"] == ["test.jsonl: cut"]
    print_verified(inspection)
    printed = capsys.readouterr().out
    assert "1, not 697" in printed
    assert "differs" in printed
    assert "not readable" in printed
    assert "unaltered" not in printed


def test_an_audit_in_tables(sample: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    found = audit(sample, progress=SilentProgress())
    print_audit(found)
    printed = capsys.readouterr().out
    in_train = next(row for row in found.dialogues if (row.of, row.among) == ("test", "train"))
    line = next(line for line in printed.splitlines() if line.strip().startswith("test, in train"))
    assert line.split()[3:5] == [str(in_train.total), str(in_train.exact)]
    assert "Jaccard similarity" in printed
