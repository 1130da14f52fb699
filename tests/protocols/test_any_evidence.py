"""Whatever stands in the files that protocols keep of a run: it is refused with the name of the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError
from erc_bench.protocols.few_shot import evidence as few_shot
from erc_bench.protocols.triplet import evidence as triplet

many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TRIPLETS: dict[str, Any] = {
    "schema_version": 1,
    "derived_from": "embeddings.npz",
    "embeddings_sha256": "0" * 64,
    "dataset_fingerprint": "0" * 64,
    "labels": ["anger"],
    "seed": 0,
    "tie": 0.0001,
    "vectors": 1,
    **{name: [[[1]]] for name in ("correct", "ties", "wrong")},
}
EPISODES: dict[str, Any] = {
    "schema_version": 1,
    "dataset_fingerprint": "0" * 64,
    "labels": ["anger"],
    "withheld": "anger",
    "seed": 0,
    "episodes": 1,
    "confusions": {"1": [[[1]]]},
    "corrected": {"1": [[[1]]]},
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**30, -(10**400)]) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def altered(valid: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Any bytes, valid ones cut and changed, and valid fields with one value replaced by any other."""
    data = json.dumps(valid).encode()

    def change(place: int, length: int, piece: bytes) -> bytes:
        return data[:place] + piece + data[place + length :]

    def replace(name: str, value: object) -> bytes:
        return json.dumps(valid | {name: value}).encode()

    pieces = st.builds(change, st.integers(0, len(data)), st.integers(0, 40), st.binary(max_size=8))
    return st.binary(max_size=100) | pieces | st.builds(replace, st.sampled_from(sorted(valid)), values)


def refusal(folder: Path, dataset: Dataset, name: str) -> str:
    try:
        if name == triplet.TRIPLETS_FILE:
            triplet.run_counts(folder, dataset)
        else:
            few_shot.run_counts(folder, dataset, "anger")
    except DataCorruptError as error:
        return str(error)
    return ""


@many
@given(data=altered(TRIPLETS))
@example(data=json.dumps(TRIPLETS | {"correct": [[[10**30]]]}).encode())
@example(data=b"[" * 100_000)
def test_outcomes_of_triplets(data: bytes, mini: Dataset, tmp_path: Path) -> None:
    path = tmp_path / triplet.TRIPLETS_FILE
    path.write_bytes(data)
    assert str(path) in refusal(tmp_path, mini, path.name)


@many
@given(data=altered(EPISODES))
@example(data=json.dumps(EPISODES | {"confusions": {"1": [[[-(10**30)]]]}}).encode())
@example(data=b"[" * 100_000)
def test_counts_of_episodes(data: bytes, mini: Dataset, tmp_path: Path) -> None:
    path = tmp_path / few_shot.FEW_SHOT_FILE
    path.write_bytes(data)
    assert str(path) in refusal(tmp_path, mini, path.name)
