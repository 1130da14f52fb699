"""The predictions of a run, the only source of every score: one object a line.

A run writes `predictions.jsonl`; `erc-bench export` publishes `predictions.jsonl.gz`: the same lines without what a model
wrote, with scores of three significant digits, which are a list where their names are those of the last line that had
any. The SHA-256 that a record states is that of the lines, since other versions of zlib compress the same lines to
other bytes. A folder with both files (an export that was cut short) is read from the former.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from erc_bench.contract.domain import Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, DataMissingError, SystemFailedError
from erc_bench.files import parse_json, storage_error, utf8

PREDICTIONS_FILE = "predictions.jsonl"
PACKED_FILE = f"{PREDICTIONS_FILE}.gz"
SCORE_DECIMALS = 6
PUBLISHED_DIGITS = 3
MAX_SHOWN = 80


def prediction_line(prediction: Prediction) -> bytes:
    """One line of predictions.jsonl; fields that a system does not give are left out.

    Raises
    ------
    SystemFailedError
        A field that could not be read back, for example a score that is not a finite number.
    """
    fields = _label_fields(prediction)
    if prediction.raw is not None:
        fields["raw"] = prediction.raw
    if prediction.scores is not None:
        fields["scores"] = {name: round(float(value), SCORE_DECIMALS) for name, value in prediction.scores.items()}
    if prediction.usage is not None:
        fields["usage"] = dict(prediction.usage)
    if problem := _problem(fields):
        raise SystemFailedError(f"{problem}, in the prediction for {prediction.dialogue!r}, turn {prediction.turn!r}.")
    return _line(fields)


def _label_fields(prediction: Prediction) -> dict[str, Any]:
    return {"dialogue": prediction.dialogue, "turn": prediction.turn, "label": prediction.label}


def _line(fields: Mapping[str, Any]) -> bytes:
    return utf8(json.dumps(fields, ensure_ascii=False, separators=(",", ":"))) + b"\n"


def predictions_bytes(predictions: Iterable[Prediction]) -> bytes:
    """A whole predictions.jsonl."""
    return b"".join(prediction_line(prediction) for prediction in predictions)


def published_bytes(predictions: Iterable[Prediction], *, scores: bool) -> bytes:
    """The lines of a predictions.jsonl.gz: labels, and scores where wanted and given."""
    lines = []
    names: list[str] = []
    for prediction in predictions:
        fields = _label_fields(prediction)
        if scores and prediction.scores is not None:
            rounded = {name: float(f"{value:.{PUBLISHED_DIGITS}g}") for name, value in prediction.scores.items()}
            fields["scores"] = list(rounded.values()) if rounded and list(rounded) == names else rounded
            names = list(rounded)
        lines.append(_line(fields))
    return b"".join(lines)


def packed(lines: bytes) -> bytes:
    """The content of predictions.jsonl.gz, which tells neither when nor under which name it was made."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(lines)
    return buffer.getvalue()


def predictions_path(folder: Path) -> Path:
    """The file that holds the predictions of a run.

    Raises
    ------
    DataMissingError
        The folder holds none.
    """
    for name in (PREDICTIONS_FILE, PACKED_FILE):
        if (folder / name).is_file():
            return folder / name
    raise DataMissingError(
        f"the folder of a run must hold {PREDICTIONS_FILE} or {PACKED_FILE}, got none in {folder}. Restore it, or make the "
        "run again with --overwrite."
    )


@contextmanager
def opened_predictions(path: Path) -> Iterator[BinaryIO]:
    """The lines of a file of predictions, compressed or not.

    Raises
    ------
    DataCorruptError
        The file is compressed, and damaged.
    """
    try:
        with path.open("rb") as file:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.suffix == ".gz" else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataCorruptError(f"{path} must be a whole gzip file, got {error}. Restore it.") from None
    except OSError as error:
        raise storage_error(error, path) from error


def predictions_sha256(folder: Path) -> str:
    """SHA-256 (hex) of the lines of predictions of a run, compressed or not.

    Raises
    ------
    DataMissingError
        The folder holds no predictions.
    DataCorruptError
        They are compressed, and damaged.
    """
    with opened_predictions(predictions_path(folder)) as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def read_predictions(folder: Path) -> dict[Target, Prediction]:
    """Read the predictions of a complete run.

    Raises
    ------
    DataMissingError
        The folder holds none.
    DataCorruptError
        A line is not a prediction, or a target stands twice.
    """
    path = predictions_path(folder)
    found: dict[Target, Prediction] = {}
    for number, prediction in enumerate(iterate_predictions(path), start=1):
        if prediction.target in found:
            raise DataCorruptError(f"{path}:{number}: every target must stand once, got {prediction.target} twice.")
        found[prediction.target] = prediction
    return found


def iterate_predictions(path: Path) -> Iterator[Prediction]:
    """The predictions of a file one by one, which may name a target twice.

    Raises
    ------
    DataCorruptError
        A line is not a prediction.
    """
    names: tuple[str, ...] = ()
    with opened_predictions(path) as file:
        for number, line in enumerate(file, start=1):
            prediction = _parse(line, f"{path}:{number}", names)
            names = names if prediction.scores is None else tuple(prediction.scores)
            yield prediction


def _parse(line: bytes, where: str, names: tuple[str, ...] = ()) -> Prediction:
    """`names` are those of the scores where the line gives a list of them."""
    try:
        fields = parse_json(line)
    except ValueError as error:
        raise DataCorruptError(f"{where} must be a JSON object, got {_shown(line)} ({error}).") from None
    if not isinstance(fields, dict):
        raise DataCorruptError(f"{where} must be a JSON object, got {_shown(fields)}.")
    scores = fields.get("scores")
    if isinstance(scores, list) and len(scores) == len(names):
        fields["scores"] = dict(zip(names, scores, strict=True))
    if problem := _problem(fields):
        raise DataCorruptError(f"{where}: {problem}.")
    optional = map(fields.get, ("label", "scores", "raw", "usage"))
    return Prediction(fields["dialogue"], fields["turn"], *optional)


def _problem(fields: Mapping[str, Any]) -> str | None:
    """What makes fields no prediction."""
    dialogue, turn, label, raw = map(fields.get, ("dialogue", "turn", "label", "raw"))
    if not isinstance(dialogue, str):
        return f"dialogue must be a text, got {_shown(dialogue)}"
    if not isinstance(turn, int) or isinstance(turn, bool) or turn < 0:
        return f"turn must be a whole number from 0 on, got {_shown(turn)}"
    if not isinstance(label, str | None):
        return f"label must be a text or null, got {_shown(label)}"
    if not isinstance(raw, str | None):
        return f"raw must be a text, got {_shown(raw)}"
    for name in ("scores", "usage"):
        values = fields.get(name)
        if values is not None and not (isinstance(values, dict) and all(map(is_finite_number, values.values()))):
            return f"{name} must be an object with finite numbers, got {_shown(values)}"
    return None


def is_finite_number(value: object) -> bool:
    """Whether a value from JSON is a number that a score may be."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def salvage_predictions(folder: Path) -> dict[Target, Prediction]:
    """What a killed run had written: every whole line, and the file cut after the last of them."""
    path = folder / PREDICTIONS_FILE
    if not path.is_file():
        return {}
    data = path.read_bytes()
    found: dict[Target, Prediction] = {}
    kept = 0
    for line in data.splitlines(keepends=True):
        try:
            prediction = _parse(line, str(path))
        except DataCorruptError:
            break
        if not line.endswith(b"\n"):
            break
        found[prediction.target] = prediction
        kept += len(line)
    if kept < len(data):
        with path.open("r+b") as file:
            file.truncate(kept)
    return found
