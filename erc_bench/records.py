"""Run records: what a run leaves on disk, and how it is read back.

RESULTS/DATASET/SYSTEM/CONFIGHASH/seed-N/
    run.json            what ran, on what, how long (`RunRecord`); replaced atomically
    predictions.jsonl   one object a line; the only source of every score
    model/              what `System.save` wrote
    embeddings.npz      utterance embeddings of the test split, for systems that embed
    triplets.json       outcomes of the protocol triplet, derived from them and small enough to commit
    few_shot.json       outcomes of the protocol few-shot, for runs with a label withheld
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jsonlines
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from erc_bench.domain import Target
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.system import Context, Prediction

SCHEMA_VERSION = 1
RUN_FILE = "run.json"
PREDICTIONS_FILE = "predictions.jsonl"
EMBEDDINGS_FILE = "embeddings.npz"
MODEL_FOLDER = "model"
SCORE_DECIMALS = 6

Status = Literal["running", "complete", "failed"]
Targets = Literal["all", "last"]
Evidence = Literal["measured", "predictions"]


class ContextCheck(BaseModel):
    """The outcome of withholding what a system says it does not read."""

    model_config = ConfigDict(extra="forbid")

    tested: bool
    targets: int = 0
    reason: str = ""


class RunRecord(BaseModel):
    """The content of run.json. Scores are a claim that `erc-bench verify` recomputes; the board never reads them."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA_VERSION
    status: Status
    evidence: Evidence = "measured"
    system: str
    summary: str = ""
    reference: str = ""
    licence: str = ""
    floor: bool = False
    config: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict, description="what differs from the defaults")
    config_hash: str
    seed: int
    targets: Targets
    withheld: str | None = Field(default=None, description="the label whose gold labels training did not see")
    dataset: str
    dataset_fingerprint: str
    context: Context | None = None
    context_check: ContextCheck | None = None
    parameters: int | None = None
    timings: dict[str, float] = Field(default_factory=dict, description="seconds by phase")
    utterances_per_second: float | None = None
    peak_memory_mb: float | None = None
    usage: dict[str, float] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    measurements: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, float] = Field(default_factory=dict)
    predictions: int = 0
    predictions_sha256: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    git: dict[str, Any] = Field(default_factory=dict)
    hardware: dict[str, Any] = Field(default_factory=dict)
    command: str = ""
    started: str = ""
    finished: str = ""
    error: str | None = None

    @property
    def title(self) -> str:
        """System name with the settings that differ from its defaults, as boards show it."""
        settings = [f"{name}={_shown(value)}" for name, value in self.settings.items()]
        if self.targets == "last":
            settings.append("targets=last")
        if self.withheld is not None:
            settings.append(f"without {self.withheld}")
        return f"{self.system} ({', '.join(settings)})" if settings else self.system


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder and its record."""

    folder: Path
    record: RunRecord


def run_folder(results: Path, record: RunRecord) -> Path:
    """Where a run lives below the results folder."""
    return results / record.dataset / record.system / record.config_hash / f"seed-{record.seed}"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step: a reader sees the old content or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json."""
    text = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_atomically(folder / RUN_FILE, f"{text}\n".encode())


def read_record(folder: Path) -> RunRecord:
    """Read run.json.

    Raises
    ------
    DataMissingError
        The folder holds no run.json.
    DataCorruptError
        It is not JSON, not of this schema, or of a newer schema version.
    """
    path = folder / RUN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataMissingError(f"a run folder must hold {RUN_FILE}, got none in {folder}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataCorruptError(
            f"{path} must be JSON, got {error}. Restore it, or run again with --overwrite."
        ) from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataCorruptError(
            f"schema_version of {path} must be at most {SCHEMA_VERSION}, got {version}: a newer erc-bench wrote it. Upgrade."
        )
    try:
        return RunRecord.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise DataCorruptError(f"{path} must be a run record, got: {problems}.") from None


def find_runs(results: Path) -> Iterator[Run]:
    """Every run below a results folder, whatever its status, in the order of their paths."""
    if not results.is_dir():
        raise DataMissingError(
            f"the results folder must exist, got {results}. Make a run first, for example: "
            "erc-bench run --system sentemocontext --dataset sample"
        )
    for path in sorted(results.glob(f"*/*/*/seed-*/{RUN_FILE}")):
        yield Run(path.parent, read_record(path.parent))


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


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
