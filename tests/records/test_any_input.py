"""Whatever bytes stand in a file of results: it is read, or refused with its name and, where it has lines, the line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError
from erc_bench.records.predictions import (
    PACKED_FILE,
    PREDICTIONS_FILE,
    packed,
    predictions_bytes,
    predictions_sha256,
    published_bytes,
    read_predictions,
    salvage_predictions,
)
from erc_bench.records.record import RUN_FILE, RunRecord, read_record, write_record
from erc_bench.running.import_predictions import read_predictions_file

many = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
RECORD = RunRecord(
    status="complete",
    system="toy",
    config={"c": 1.5, "name": "x"},
    config_hash="0123456789ab",
    seed=0,
    targets="all",
    dataset="sample",
    dataset_fingerprint="f" * 64,
    scores={"mcc": 0.5},
).model_dump(mode="json")
PREDICTIONS = [
    Prediction("d", 0, "fear", {"fear": 0.5, "anger": 0.25}, "Fear, I guess – é", {"tokens": 3}),
    Prediction("d", 1, None),
    Prediction("e", 0, "anger", {"fear": 0.1, "anger": 0.9}),
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(2**70), 1e308])
    | st.floats()
    | st.text()
    | st.text("\ud800\udbff\udc00a", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def mutated(valid: bytes) -> st.SearchStrategy[bytes]:
    """Valid bytes with a piece cut out, doubled or replaced by any others."""

    def change(place: int, length: int, piece: bytes) -> bytes:
        return valid[:place] + piece + valid[place + length :]

    return st.builds(change, st.integers(0, len(valid)), st.integers(0, 40), st.binary(max_size=8))


def refusal(read: Callable[[], object]) -> str:
    """Why data was refused, nothing if it was read."""
    try:
        read()
    except DataCorruptError as error:
        return str(error)
    return ""


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


records = (
    st.binary(max_size=200)
    | mutated(as_json(RECORD))
    | st.builds(
        lambda name, value: as_json(RECORD | {name: value}),
        st.sampled_from([*RECORD, "room"]),
        values,
    )
)


@many
@given(data=records)
@example(data=b"[" * 100_000)
@example(data=b'{"a":' * 100_000)
@example(data=as_json(RECORD | {"settings": {"c": float("inf")}}))
def test_run_records(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / RUN_FILE
    path.write_bytes(data)
    if problem := refusal(lambda: read_record(tmp_path)):
        assert str(path) in problem
        assert len(problem) < 2000 + len(str(path))
        return
    found = read_record(tmp_path)
    write_record(tmp_path, found)
    assert read_record(tmp_path) == found.model_copy(update={"schema_version": 2})


lines = (
    st.binary(max_size=200)
    | mutated(predictions_bytes(PREDICTIONS))
    | mutated(published_bytes(PREDICTIONS, scores=True))
    | st.builds(
        lambda name, value: as_json({"dialogue": "d", "turn": 0, "label": "fear", name: value}),
        st.sampled_from(["dialogue", "turn", "label", "scores", "raw", "usage", "room"]),
        values,
    )
)


@many
@given(data=lines)
@example(data=b'{"dialogue":"d","turn":0,"label":"fear","raw":"\xff"}')
@example(data=b"[" * 100_000)
def test_predictions(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / PREDICTIONS_FILE
    path.write_bytes(data)
    if problem := refusal(lambda: read_predictions(tmp_path)):
        assert re.match(rf"{re.escape(str(path))}:[1-9]", problem)
    else:
        found = read_predictions(tmp_path)
        path.write_bytes(predictions_bytes(found.values()))
        assert read_predictions(tmp_path).keys() == found.keys()
    path.unlink()


@many
@given(data=lines)
def test_what_a_killed_run_left(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / PREDICTIONS_FILE
    path.write_bytes(data)
    found = salvage_predictions(tmp_path)
    kept = path.read_bytes()
    assert data.startswith(kept)
    assert salvage_predictions(tmp_path) == found
    assert path.read_bytes() == kept
    path.unlink()


@many
@given(data=st.binary(max_size=200) | mutated(packed(predictions_bytes(PREDICTIONS))) | lines.map(packed))
def test_compressed_predictions(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / PACKED_FILE
    path.write_bytes(data)
    for problem in (refusal(lambda: read_predictions(tmp_path)), refusal(lambda: predictions_sha256(tmp_path))):
        assert str(path) in problem or not problem


@pytest.fixture
def valid(mini: Dataset) -> Callable[[str], bytes]:
    """A file of right answers to all of the test split."""
    gold = [(dialogue.id, turn, u.label) for dialogue in mini.test for turn, u in enumerate(dialogue.utterances)]

    def content(suffix: str) -> bytes:
        if suffix == ".csv":
            return "\n".join(["dialogue,turn,label", *(f"{d},{t},{label}" for d, t, label in gold)]).encode()
        return b"".join(as_json({"dialogue": d, "turn": t, "label": label}) + b"\n" for d, t, label in gold)

    return content


@many
@given(data=st.data(), suffix=st.sampled_from([".jsonl", ".csv"]))
def test_predictions_made_elsewhere(
    data: st.DataObject, suffix: str, valid: Callable[[str], bytes], mini: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / f"answers{suffix}"
    path.write_bytes(data.draw(mutated(valid(suffix)) | st.binary(max_size=200) | lines))
    if problem := refusal(lambda: read_predictions_file(path, mini)):
        assert problem.startswith(str(path))
        assert "\n- line " in problem or "must have a prediction, got none" in problem
    else:
        found = read_predictions_file(path, mini)
        assert len(predictions_bytes(found).splitlines()) == sum(map(len, mini.test))
