"""predictions.jsonl: one object a line, the only source of every score."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonlines

from erc_bench.contract.domain import Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, DataMissingError

PREDICTIONS_FILE = "predictions.jsonl"
SCORE_DECIMALS = 6


def prediction_line(prediction: Prediction) -> bytes:
    """One line of predictions.jsonl; fields that a system does not give are left out."""
    fields: dict[str, Any] = {"dialogue": prediction.dialogue, "turn": prediction.turn, "label": prediction.label}
    if prediction.raw is not None:
        fields["raw"] = prediction.raw
    if prediction.scores is not None:
        fields["scores"] = {name: round(float(value), SCORE_DECIMALS) for name, value in prediction.scores.items()}
    if prediction.usage is not None:
        fields["usage"] = dict(prediction.usage)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def predictions_bytes(predictions: Iterable[Prediction]) -> bytes:
    """A whole predictions.jsonl."""
    return b"".join(prediction_line(prediction) for prediction in predictions)


def read_predictions(folder: Path) -> dict[Target, Prediction]:
    """Read a complete predictions.jsonl.

    Raises
    ------
    DataCorruptError
        A line is not a prediction, or a target stands twice.
    """
    path = folder / PREDICTIONS_FILE
    if not path.is_file():
        raise DataMissingError(f"a run folder must hold {PREDICTIONS_FILE}, got none in {folder}.")
    found: dict[Target, Prediction] = {}
    try:
        with jsonlines.open(path) as lines:
            for number, line in enumerate(lines.iter(type=dict), start=1):
                prediction = _parse(line, f"{path}:{number}")
                if prediction.target in found:
                    raise DataCorruptError(
                        f"{path}:{number}: every target must stand once, got {prediction.target} twice."
                    )
                found[prediction.target] = prediction
    except jsonlines.InvalidLineError as error:
        raise DataCorruptError(f"{path}:{error.lineno} must be a JSON object, got {error.line[:80]!r}.") from None
    return found


def _parse(line: Mapping[str, Any], where: str) -> Prediction:
    dialogue, turn, label = line.get("dialogue"), line.get("turn"), line.get("label")
    if not (isinstance(dialogue, str) and isinstance(turn, int) and (label is None or isinstance(label, str))):
        raise DataCorruptError(f"{where} must give dialogue, turn and label, got {dict(line)!r}.")
    return Prediction(dialogue, turn, label, line.get("scores"), line.get("raw"), line.get("usage"))


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
            prediction = _parse(json.loads(line), str(path))
        except (ValueError, AttributeError, DataCorruptError):
            break
        if not line.endswith(b"\n"):
            break
        found[prediction.target] = prediction
        kept += len(line)
    if kept < len(data):
        with path.open("r+b") as file:
            file.truncate(kept)
    return found
