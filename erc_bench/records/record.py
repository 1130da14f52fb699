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

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from erc_bench.contract.domain import Targets
from erc_bench.contract.system import Context
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.files import write_atomically

SCHEMA_VERSION = 1
RUN_FILE = "run.json"
EMBEDDINGS_FILE = "embeddings.npz"
MODEL_FOLDER = "model"

Status = Literal["running", "complete", "failed"]
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
