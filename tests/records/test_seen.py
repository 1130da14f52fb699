from __future__ import annotations

import json
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset, Target
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.records.seen import SEEN_FILE, read_seen, write_seen


def test_what_is_written_is_read(tmp_path: Path, mini: Dataset) -> None:
    seen = {Target("test-00003", 2), Target("test-00003", 0), Target("test-00001", 1)}
    write_seen(tmp_path, mini, "f" * 64, seen)
    assert read_seen(tmp_path, mini, "f" * 64) == seen
    content = json.loads((tmp_path / SEEN_FILE).read_text())
    assert content["utterances"] == {"test-00001": [1], "test-00003": [0, 2]}


def test_a_file_that_is_not_there(tmp_path: Path, mini: Dataset) -> None:
    with pytest.raises(DataMissingError, match=f"must hold {SEEN_FILE}, got none"):
        read_seen(tmp_path, mini, "f" * 64)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"utterances": {"test-00000": [99]}}, "must name test utterances of mini"),
        ({"trained_on": "0" * 64}, "must be of the corpora that run.json names"),
        ({"utterances": [1]}, "must list seen utterances"),
    ],
)
def test_a_file_that_was_altered(tmp_path: Path, mini: Dataset, fields: dict[str, object], message: str) -> None:
    write_seen(tmp_path, mini, "f" * 64, ())
    content = json.loads((tmp_path / SEEN_FILE).read_text())
    (tmp_path / SEEN_FILE).write_text(json.dumps(content | fields))
    with pytest.raises(DataCorruptError, match=message):
        read_seen(tmp_path, mini, "f" * 64)
