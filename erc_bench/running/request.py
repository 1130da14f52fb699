"""What is asked for: one run of a system on a dataset with a seed, and the record that it starts with."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erc_bench.contract.config import changed_settings, config_hash, recorded
from erc_bench.contract.domain import Dataset, Targets
from erc_bench.contract.system import Runtime, System
from erc_bench.errors import UsageError
from erc_bench.records import provenance
from erc_bench.records.record import Run, RunRecord, run_title
from erc_bench.running.source_code import code_of
from erc_bench.running.withholding import check_label


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run to make: a system with its settings on a dataset with a seed."""

    system: type[System[Any]]
    config: Any
    dataset: Dataset
    results: Path
    seed: int = 0
    targets: Targets = "all"
    runtime: Runtime = field(default_factory=Runtime)
    overwrite: bool = False
    withheld: str | None = None

    @property
    def title(self) -> str:
        """The run in a few words, for messages."""
        name, changed = self.system.info.name, changed_settings(self.config)
        return f"{run_title(name, changed, self.targets, self.withheld)} on {self.dataset.name}, seed {self.seed}"

    def build(self, runtime: Runtime | None = None) -> System[Any]:
        """The system, untrained."""
        return self.system(self.config, labels=self.dataset.labels, runtime=runtime or self.runtime)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A complete run, and whether this call had to do anything for it."""

    run: Run
    already_complete: bool


def check_withheld(request: RunRequest) -> None:
    """Refuse a withheld label that the dataset lacks, or a system that has no use for one.

    Raises
    ------
    UsageError
        The label is no emotion of the dataset, or the system does not learn or has no embeddings.
    """
    if request.withheld is None:
        return
    check_label(request.withheld, request.dataset.labels)
    system = request.build()
    if not (system.embeds and system.trains):
        raise UsageError(
            f"a system must learn and have embeddings to be run with a withheld label, got {request.system.info.name}. "
            "`erc-bench systems show NAME` says what a system has."
        )


def new_record(request: RunRequest) -> RunRecord:
    """The record of a run that starts now."""
    info = request.system.info
    settings = changed_settings(request.config)
    return RunRecord(
        status="running",
        system=info.name,
        summary=info.summary,
        reference=info.reference,
        licence=info.licence,
        floor=info.floor,
        config=recorded(request.config),
        settings=settings,
        config_hash=config_hash(request.config, targets=request.targets, withheld=request.withheld),
        seed=request.seed,
        targets=request.targets,
        withheld=request.withheld,
        dataset=request.dataset.name,
        dataset_fingerprint=request.dataset.fingerprint,
        versions=provenance.versions(),
        git=provenance.git_state(),
        code=code_of(request.system),
        command=_command(info.name, request, settings),
        started=now(),
    )


def _command(name: str, request: RunRequest, settings: Mapping[str, Any]) -> str:
    parts = ["erc-bench", "run", "--system", name, "--dataset", request.dataset.name, "--seed", str(request.seed)]
    for name_of_field, value in settings.items():
        parts += ["--set", f"{name_of_field}={value}"]
    if request.targets != "all":
        parts += ["--targets", request.targets]
    if request.withheld is not None:
        parts += ["--withhold", request.withheld]
    return " ".join(f'"{part}"' if " " in part else part for part in parts)


def now() -> str:
    """The time, as records keep it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
