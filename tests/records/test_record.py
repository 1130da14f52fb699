from __future__ import annotations

import json
from pathlib import Path

import pytest

from erc_bench.contract.domain import Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.records.predictions import predictions_bytes, read_predictions, salvage_predictions
from erc_bench.records.record import RunRecord, find_runs, read_record, run_folder, write_record


def record(**changes: object) -> RunRecord:
    values: dict[str, object] = {
        "status": "complete",
        "system": "toy",
        "config_hash": "0123456789ab",
        "seed": 0,
        "targets": "all",
        "dataset": "sample",
        "dataset_fingerprint": "f" * 64,
    }
    return RunRecord.model_validate(values | changes)


def test_record_round_trip(tmp_path: Path) -> None:
    written = record(settings={"fine_tune": True}, timings={"train": 1.5})
    write_record(tmp_path, written)
    assert read_record(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"], "no temporary file may stay"


def test_title_shows_what_differs_from_the_defaults() -> None:
    assert record().title == "toy"
    assert record(settings={"fine_tune": True, "epochs": 3}, targets="last").title == (
        "toy (fine_tune=true, epochs=3, targets=last)"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "must be a run record"),
        (json.dumps(record().model_dump() | {"seed": "x"}), "seed: "),
        (json.dumps(record().model_dump() | {"schema_version": 99}), "schema_version of .* must be at most 1, got 99"),
        (json.dumps(record().model_dump() | {"surprise": 1}), "surprise: "),
    ],
)
def test_bad_records_are_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataCorruptError, match=message):
        read_record(tmp_path)


def test_missing_record_and_missing_results(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"must hold run\.json"):
        read_record(tmp_path)
    with pytest.raises(DataMissingError, match="the results folder must exist"):
        list(find_runs(tmp_path / "nowhere"))


def test_find_runs_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for system in ("b", "a"):
        written = record(system=system)
        folder = run_folder(tmp_path, written)
        folder.mkdir(parents=True)
        write_record(folder, written)
    assert [run.record.system for run in find_runs(tmp_path)] == ["a", "b"]


def test_prediction_lines_leave_out_what_is_not_given(tmp_path: Path) -> None:
    predictions = [
        Prediction("test-00000", 0, "fear", {"fear": 0.123456789, "anger": 0.0}),
        Prediction("test-00000", 1, None, raw="no idea – « none »\n", usage={"prompt_tokens": 12}),
    ]
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(predictions_bytes(predictions))
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert first == '{"dialogue":"test-00000","turn":0,"label":"fear","scores":{"fear":0.123457,"anger":0.0}}'
    assert json.loads(second) == {
        "dialogue": "test-00000",
        "turn": 1,
        "label": None,
        "raw": "no idea – « none »\n",
        "usage": {"prompt_tokens": 12},
    }
    found = read_predictions(tmp_path)
    assert found[Target("test-00000", 1)] == predictions[1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"dialogue":"d","turn":0,"label":"fear"}\n' * 2, "every target must stand once"),
        ('{"dialogue":"d","turn":"0","label":"fear"}\n', "must give dialogue, turn and label"),
        ("nonsense\n", "predictions.jsonl:1 must be a JSON object"),
    ],
)
def test_bad_predictions_are_refused(lines: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text(lines)
    with pytest.raises(DataCorruptError, match=message):
        read_predictions(tmp_path)


@pytest.mark.parametrize("torn", [b'{"dialogue":"d","tu', b'{"dialogue":"d","turn":1,"label":null}', b"\x00\x00\n"])
def test_salvage_keeps_whole_lines_only(torn: bytes, tmp_path: Path) -> None:
    whole = b'{"dialogue":"d","turn":0,"label":"fear"}\n'
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(whole + torn)
    assert list(salvage_predictions(tmp_path)) == [Target("d", 0)]
    assert path.read_bytes() == whole
