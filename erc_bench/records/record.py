"""Run records: what a run leaves on disk, and how it is read back.

RESULTS/DATASET/SYSTEM/CONFIGHASH/seed-N/
    run.json            what ran, on what, how long (`RunRecord`); replaced atomically
    predictions.jsonl   one object a line; the only source of every score (published copies: predictions.jsonl.gz)
    model/              what `System.save` wrote
    embeddings.npz      utterance embeddings of the test split, for systems that embed
    triplets.json       outcomes of the protocol triplet, derived from them and small enough to commit
    few_shot.json       outcomes of the protocol few-shot, for runs with a label withheld
    seen.json           test utterances that stand in the training corpus, for runs trained on another corpus
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from erc_bench.contract.config import repeated_settings, shown_settings
from erc_bench.contract.domain import Targets
from erc_bench.contract.registry import own_config
from erc_bench.contract.system import Context
from erc_bench.errors import DataCorruptError, DataError, DataMissingError, StorageError
from erc_bench.files import parse_json, storage_errors, utf8, write_atomically

# 1: the first. 2: predictions may be compressed, and a reader keeps fields that it does not know.
SCHEMA_VERSION = 2
RUN_FILE = "run.json"
EMBEDDINGS_FILE = "embeddings.npz"
MODEL_FOLDER = "model"

Status = Literal["running", "complete", "failed"]
Evidence = Literal["measured", "predictions"]
# What becomes the name of a folder: no separators, no control characters, not only dots.
FolderName = Annotated[
    str, Field(max_length=200, pattern=r"^[^/\\\x00-\x1f\x7f-\x9f]*[^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*$")
]
Count = Annotated[int, Field(ge=0, lt=2**63)]


class ContextCheck(BaseModel):
    """The outcome of withholding what a system says it does not read."""

    model_config = ConfigDict(extra="allow")

    tested: bool
    targets: Count = 0
    reason: str = ""


class TrainedOn(BaseModel):
    """The corpus that a system was trained on where it is not the one it was tested on.

    `labels` maps labels of that corpus to those of the test corpus: all that the system knows.
    `left_out` are training utterances whose label has no counterpart, by label.
    """

    model_config = ConfigDict(extra="allow")

    dataset: FolderName
    fingerprint: str
    labels: dict[str, str]
    labels_sha256: str
    left_out: dict[str, Count] = Field(default_factory=dict)


class RunRecord(BaseModel):
    """The content of run.json. Scores are a claim that `erc-bench verify` recomputes; the board never reads them.

    Fields that this version does not know are kept and copied, and mean nothing to it.
    """

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    schema_version: int = SCHEMA_VERSION
    status: Status
    evidence: Evidence = "measured"
    system: FolderName
    summary: str = ""
    reference: str = ""
    licence: str = ""
    floor: bool = False
    config: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict, description="what differs from the defaults")
    config_hash: FolderName
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    targets: Targets
    withheld: str | None = Field(default=None, description="the label whose gold labels training did not see")
    trained_on: TrainedOn | None = Field(default=None, description="another corpus than the one below, if it was")
    train_subset: str = Field(default="all", description="the part of the training and validation split that was used")
    dataset: FolderName
    dataset_fingerprint: str
    context: Context | None = None
    context_check: ContextCheck | None = None
    parameters: Count | None = None
    timings: dict[str, float] = Field(default_factory=dict, description="seconds by phase")
    utterances_per_second: float | None = None
    peak_memory_mb: float | None = None
    usage: dict[str, float] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    measurements: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, float] = Field(default_factory=dict)
    predictions: Count = 0
    predictions_sha256: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    code: dict[str, str] = Field(default_factory=dict, description="distribution and SHA-256 of the system's modules")
    git: dict[str, Any] = Field(default_factory=dict)
    hardware: dict[str, Any] = Field(default_factory=dict)
    command: str = ""
    started: str = ""
    finished: str = ""
    error: str | None = None

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that its title shows (`shown_settings`); of other packages those that differed at the time."""
        config = own_config(self.system)
        return (
            self.settings if config is None or not self.config else shown_settings(config, self.config, self.settings)
        )

    @property
    def command_today(self) -> str:
        """The command with the settings that it left to defaults which are others today, or on another machine."""
        config = own_config(self.system)
        if config is None or not self.config:
            return self.command
        repeated = repeated_settings(config, self.config, self.settings)
        added = [f"{name}={value}" for name, value in repeated.items() if name not in self.settings]
        quoted = [f'"{setting}"' if " " in setting else setting for setting in added]
        seed = f"--seed {self.seed}"
        return self.command.replace(seed, " ".join([seed, *(f"--set {setting}" for setting in quoted)]), 1)

    @property
    def title(self) -> str:
        """System name with the settings that differ from its defaults, as boards show it."""
        return run_title(
            self.system, self.changed, self.targets, self.withheld, self.trained_on_name, self.train_subset
        )

    @property
    def ordinary(self) -> bool:
        """Whether it was trained, if at all, on all labels of the corpus that it is tested on."""
        return self.withheld is None and self.trained_on is None

    @property
    def shared_labels(self) -> tuple[str, ...] | None:
        """The labels of its dataset that the other corpus that it was trained on has too; None if there is none."""
        return tuple(self.trained_on.labels.values()) if self.trained_on else None

    @property
    def trained_on_name(self) -> str | None:
        """The name of the other corpus that it was trained on, if it was."""
        return self.trained_on.dataset if self.trained_on else None


def run_title(
    system: str,
    changed: Mapping[str, Any],
    targets: Targets,
    withheld: str | None,
    trained_on: str | None = None,
    train_subset: str = "all",
) -> str:
    """A system's name with what differs from its defaults, as records and boards show it."""
    settings = [f"{name}={_shown(value)}" for name, value in changed.items()]
    if targets == "last":
        settings.append("targets=last")
    if withheld is not None:
        settings.append(f"without {withheld}")
    if trained_on is not None:
        settings.append(f"trained on {trained_on}")
    if train_subset != "all":
        settings.append(f"train_subset={train_subset}")
    return f"{system} ({', '.join(settings)})" if settings else system


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder and its record."""

    folder: Path
    record: RunRecord


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """What lies below a results folder, in the order of paths: runs, and folders of runs that cannot be read."""

    runs: tuple[Run, ...]
    problems: dict[Path, DataError]


def run_folder(results: Path, record: RunRecord) -> Path:
    """Where a run lives below the results folder."""
    return place_of(results, record.dataset, record.system, record.config_hash, record.seed)


def place_of(results: Path, dataset: str, system: str, config_hash: str, seed: int) -> Path:
    """The folder of a run by what it is known by."""
    return results / dataset / system / config_hash / f"seed-{seed}"


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json, in the present schema version; a number that is not finite is written as null."""
    content = _without_nan(record.model_dump(mode="json") | {"schema_version": SCHEMA_VERSION})
    write_atomically(folder / RUN_FILE, utf8(json.dumps(content, indent=2, ensure_ascii=False)) + b"\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_record(folder: Path) -> RunRecord:
    """Read run.json, of this or an earlier schema version.

    Raises
    ------
    DataMissingError
        The folder holds no run.json.
    DataCorruptError
        It is not JSON, not a run record, or of a newer schema version.
    """
    path = folder / RUN_FILE
    try:
        with storage_errors(path):
            content = parse_json(path.read_bytes())
    except StorageError:
        if path.exists():
            raise
        raise DataMissingError(f"a run folder must hold {RUN_FILE}, got none in {folder}.") from None
    except ValueError as error:
        raise DataCorruptError(
            f"{path} must be JSON, got {error}. Restore it, or run again with --overwrite."
        ) from None
    if not isinstance(content, dict):
        raise DataCorruptError(f"{path} must be a run record, got {repr(content)[:80]}. Restore it.")
    version = content.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DataCorruptError(
            f"schema_version of {path} must be a whole number from 1 to {SCHEMA_VERSION}, got {repr(version)[:80]}. Restore it."
        )
    if version > SCHEMA_VERSION:
        raise DataCorruptError(
            f"schema_version of {path} must be at most {SCHEMA_VERSION}, got {version}: a newer erc-bench wrote it. Upgrade."
        )
    try:
        return RunRecord.model_validate(_without_nan(content), strict=True)
    except ValidationError as error:
        problems = "; ".join(f"{_place(e['loc'])}: {e['msg']}" for e in error.errors()[:5])
        raise DataCorruptError(f"{path} must be a run record, got: {problems}. Restore it.") from None


def _place(names: tuple[str | int, ...]) -> str:
    text = ".".join(map(str, names))[:80]
    return text if text.isprintable() else repr(text)


def survey_runs(results: Path) -> FoundRuns:
    """Every run below a results folder, whatever its status; one that cannot be read hides no other.

    Raises
    ------
    DataMissingError
        There is no such folder.
    """
    if not results.is_dir():
        raise DataMissingError(
            f"the results folder must exist, got {results}. Make a run first, for example: "
            "erc-bench run --system sentemocontext --dataset sample"
        )
    runs, problems = [], {}
    for path in sorted(results.glob(f"*/*/*/seed-*/{RUN_FILE}")):
        try:
            runs.append(Run(path.parent, read_record(path.parent)))
        except DataError as error:
            problems[path.parent] = error
    return FoundRuns(tuple(runs), problems)


def find_runs(results: Path) -> Iterator[Run]:
    """Every run below a results folder, in the order of their paths.

    Raises
    ------
    DataError
        There is no such folder, or one of the runs cannot be read.
    """
    found = survey_runs(results)
    for problem in found.problems.values():
        raise problem
    return iter(found.runs)
