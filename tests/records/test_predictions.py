from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from erc_bench.contract.domain import Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, DataMissingError, SystemFailedError
from erc_bench.records.predictions import (
    PACKED_FILE,
    PREDICTIONS_FILE,
    packed,
    predictions_bytes,
    predictions_path,
    predictions_sha256,
    published_bytes,
    read_predictions,
    salvage_predictions,
)


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
        ('{"dialogue":"d","turn":"0","label":"fear"}\n', "jsonl:1: turn must be a whole number from 0 on, got '0'"),
        ('{"dialogue":"d","turn":-1,"label":"fear"}\n', "turn must be a whole number"),
        ('{"dialogue":"d","turn":true,"label":"fear"}\n', "turn must be a whole number"),
        ('{"dialogue":null,"turn":0,"label":"fear"}\n', "dialogue must be a text, got None"),
        ('{"dialogue":"d","turn":0,"label":["fear"]}\n', r"label must be a text or null, got \['fear'\]"),
        ('{"dialogue":"d","turn":0,"label":"fear","raw":1}\n', "raw must be a text, got 1"),
        ('{"dialogue":"d","turn":0,"label":"fear","scores":{"fear":NaN}}\n', "scores must be an object with finite"),
        ('{"dialogue":"d","turn":0,"label":"fear","scores":{"fear":1e999}}\n', "scores must be an object with finite"),
        ('{"dialogue":"d","turn":0,"label":"fear","scores":{"fear":"1"}}\n', "scores must be an object with finite"),
        ('{"dialogue":"d","turn":0,"label":"fear","scores":[1,2]}\n', "scores must be an object with finite"),
        ('{"dialogue":"d","turn":0,"label":"fear","usage":{"tokens":1' + "0" * 400 + "}}\n", "usage must be an object"),
        ('{"dialogue":"d","turn":0,"label":"fear","usage":7}\n', "usage must be an object"),
        ('{"dialogue":"d","turn":0,"label":"fear"}\n[]\n', "predictions.jsonl:2 must be a JSON object"),
        ("nonsense\n", "predictions.jsonl:1 must be a JSON object"),
        ("[" * 100_000 + "\n", "predictions.jsonl:1 must be a JSON object, .* nested"),
        (b'{"dialogue":"d","turn":0,"label":"fear"}\n{"dialogue":"\xff"}\n', "predictions.jsonl:2 .*utf-8"),
    ],
)
@pytest.mark.parametrize("name", [PREDICTIONS_FILE, PACKED_FILE])
def test_bad_predictions_are_refused(lines: str | bytes, message: str, name: str, tmp_path: Path) -> None:
    data = lines if isinstance(lines, bytes) else lines.encode()
    (tmp_path / name).write_bytes(packed(data) if name == PACKED_FILE else data)
    with pytest.raises(DataCorruptError, match=message.replace("jsonl:", rf"{name.removeprefix('predictions.')}:")):
        read_predictions(tmp_path)


def test_a_score_that_is_no_finite_number_is_not_written() -> None:
    with pytest.raises(SystemFailedError, match=r"scores must be an object with finite numbers, .* for 'd', turn 0"):
        predictions_bytes([Prediction("d", 0, "fear", {"fear": float("nan")})])


def test_halves_of_surrogate_pairs_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / PREDICTIONS_FILE
    path.write_bytes(predictions_bytes([Prediction("d", 0, None, raw="\ud800!"), Prediction("d", 1, None, raw="!")]))
    assert [prediction.raw for prediction in read_predictions(tmp_path).values()] == ["\ufffd!", "!"]
    path.write_bytes(b'{"dialogue":"d","turn":0,"label":null,"raw":"\\udc00 \\ud83d\\ude00"}\n')
    assert read_predictions(tmp_path)[Target("d", 0)].raw == "\ufffd \N{GRINNING FACE}"


SCORED = [
    Prediction("d", 0, "fear", {"fear": 0.98765, "anger": 0.000012345}, "raw words"),
    Prediction("d", 1, None),
    Prediction("d", 2, "anger", {"fear": 0.1, "anger": 0.9}),
    Prediction("e", 0, "anger", {"anger": -1234.5}),
    Prediction("e", 1, "anger", {}),
]


def test_published_scores_are_rounded_and_named_once(tmp_path: Path) -> None:
    lines = published_bytes(SCORED, scores=True)
    assert [json.loads(line).get("scores") for line in lines.splitlines()] == [
        {"fear": 0.988, "anger": 1.23e-05},
        None,
        [0.1, 0.9],
        {"anger": -1230.0},
        {},
    ]
    (tmp_path / PACKED_FILE).write_bytes(packed(lines))
    found = list(read_predictions(tmp_path).values())
    assert [prediction.scores for prediction in found] == [
        {"fear": 0.988, "anger": 1.23e-05},
        None,
        {"fear": 0.1, "anger": 0.9},
        {"anger": -1230.0},
        {},
    ]
    assert published_bytes(found, scores=True) == lines
    assert b"scores" not in published_bytes(SCORED, scores=False)


def test_compressed_lines_have_the_sha256_of_the_lines(tmp_path: Path) -> None:
    lines = published_bytes(SCORED, scores=True)
    for name, data in (
        ("plain", {PREDICTIONS_FILE: lines}),
        ("packed", {PACKED_FILE: packed(lines)}),
        ("other-zlib", {PACKED_FILE: gzip.compress(lines, 1)}),
        ("both", {PREDICTIONS_FILE: lines, PACKED_FILE: b"cut short"}),
    ):
        (tmp_path / name).mkdir()
        for file, content in data.items():
            (tmp_path / name / file).write_bytes(content)
        assert predictions_sha256(tmp_path / name) == hashlib.sha256(lines).hexdigest()


def test_packed_files_tell_no_time_and_no_name() -> None:
    assert packed(b"x")[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255])
    assert gzip.decompress(packed(b"x" * 1000)) == b"x" * 1000


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"PK" + data, lambda data: data[:20] + b"~~~~"]
)
def test_damaged_gzip_files_are_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / PACKED_FILE
    path.write_bytes(damage(packed(published_bytes(SCORED, scores=True))))
    for read in (read_predictions, predictions_sha256):
        with pytest.raises(DataCorruptError, match=r"predictions\.jsonl\.gz must be a whole gzip file"):
            read(tmp_path)


def test_missing_predictions_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"must hold predictions\.jsonl or predictions\.jsonl\.gz, got none"):
        predictions_path(tmp_path)


@pytest.mark.parametrize("torn", [b'{"dialogue":"d","tu', b'{"dialogue":"d","turn":1,"label":null}', b"\x00\x00\n"])
def test_salvage_keeps_whole_lines_only(torn: bytes, tmp_path: Path) -> None:
    whole = b'{"dialogue":"d","turn":0,"label":"fear"}\n'
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(whole + torn)
    assert list(salvage_predictions(tmp_path)) == [Target("d", 0)]
    assert path.read_bytes() == whole
