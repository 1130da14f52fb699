"""What is asked for: one run of a system on a dataset with a seed, and the record that it starts with."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erc_bench.contract.config import changed_settings, config_hash, recorded, transfer_identity
from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Targets
from erc_bench.contract.system import Runtime, System
from erc_bench.data.transfer import LabelMap, label_map
from erc_bench.errors import UsageError
from erc_bench.records import provenance
from erc_bench.records.record import Run, RunRecord, TrainedOn, run_title
from erc_bench.records.storage import Bucket
from erc_bench.running.source_code import code_of
from erc_bench.running.train_subset import ALL, described, kept_of, known_subset
from erc_bench.running.withholding import check_label, withhold


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run to make: a system with its settings on a dataset with a seed.

    Its record goes below `results`; with a bucket that is the bucket's copy, and the complete run is sent.
    """

    system: type[System[Any]]
    config: Any
    dataset: Dataset
    results: Path
    seed: int = 0
    targets: Targets = "all"
    runtime: Runtime = field(default_factory=Runtime)
    overwrite: bool = False
    withheld: str | None = None
    train_on: Dataset | None = None
    train_subset: str = ALL
    bucket: Bucket | None = None

    @property
    def label_map(self) -> LabelMap | None:
        """How the labels of the other corpus that it is trained on read in those of the dataset, if there is one."""
        return None if self.train_on is None else label_map(self.train_on, self.dataset)

    @property
    def labels(self) -> LabelSet:
        """The labels that the system knows."""
        mapped = self.label_map
        return self.dataset.labels if mapped is None else mapped.labels

    def training(self) -> tuple[tuple[Dialogue, ...], tuple[Dialogue, ...]]:
        """What the system is trained and calibrated on, in the labels that it knows."""
        source, mapped = self.train_on or self.dataset, self.label_map
        train, validation = (kept_of(source, split, self.train_subset) for split in ("train", "validation"))
        if mapped is not None:
            train, validation = mapped.relabelled(train), mapped.relabelled(validation)
        if self.withheld is not None:
            train, validation = withhold(train, self.withheld), withhold(validation, self.withheld)
        return train, validation

    def said_of_training(self) -> list[str]:
        """Notes for the record and the board."""
        return [] if self.train_subset == ALL else [described(self.dataset, self.train_subset)]

    @property
    def title(self) -> str:
        """The run in a few words, for messages."""
        name, changed = self.system.info.name, changed_settings(self.config)
        other = self.train_on.name if self.train_on else None
        titled = run_title(name, changed, self.targets, self.withheld, other, self.train_subset)
        return f"{titled} on {self.dataset.name}, seed {self.seed}"

    def build(self, runtime: Runtime | None = None) -> System[Any]:
        """The system, untrained."""
        return self.system(self.config, labels=self.labels, runtime=runtime or self.runtime)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A complete run, and whether this call had to do anything for it."""

    run: Run
    already_complete: bool


def check_train_subset(request: RunRequest) -> None:
    """Refuse a training subset that does not exist, of another corpus, or for a system that learns nothing.

    Raises
    ------
    UsageError
        As said.
    """
    if known_subset(request.train_subset) == ALL:
        return
    if request.train_on is not None:
        raise UsageError("--train-subset must be given without --train-on: it leaves out twins within one corpus.")
    if not request.build().trains:
        raise UsageError(
            f"a system must learn to be trained on a subset, got {request.system.info.name} with nothing to learn. Leave "
            "--train-subset out."
        )


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


def check_transfer(request: RunRequest) -> None:
    """Refuse to train on another corpus what learns nothing, or together with what asks for other runs.

    Raises
    ------
    UsageError
        The system does not learn, the corpora do not share two labels, or a label is withheld or only last turns labelled.
    """
    if request.train_on is None:
        return
    if request.withheld is not None or request.targets != "all":
        raise UsageError(
            "--train-on must be given without --withhold and --targets last: its runs label all utterances."
        )
    if not request.build().trains:
        raise UsageError(
            f"a system must learn to be trained on another corpus, got {request.system.info.name} with nothing to learn. "
            "Its ordinary run stands beside the others: leave --train-on out."
        )


def _trained_on(request: RunRequest) -> TrainedOn | None:
    other, mapped = request.train_on, request.label_map
    if other is None or mapped is None:
        return None
    return TrainedOn(
        dataset=other.name,
        fingerprint=other.fingerprint,
        labels=dict(mapped.pairs),
        labels_sha256=mapped.sha256,
        left_out=mapped.left_out(other.train),
    )


def new_record(request: RunRequest) -> RunRecord:
    """The record of a run that starts now."""
    info = request.system.info
    settings, trained_on = changed_settings(request.config), _trained_on(request)
    other = transfer_identity(trained_on.dataset, trained_on.labels_sha256) if trained_on else None
    return RunRecord(
        status="running",
        system=info.name,
        summary=info.summary,
        reference=info.reference,
        licence=info.licence,
        floor=info.floor,
        config=recorded(request.config),
        settings=settings,
        config_hash=config_hash(
            request.config,
            targets=request.targets,
            withheld=request.withheld,
            trained_on=other,
            train_subset=request.train_subset,
        ),
        seed=request.seed,
        targets=request.targets,
        withheld=request.withheld,
        trained_on=trained_on,
        train_subset=request.train_subset,
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
    if request.train_on is not None:
        parts += ["--train-on", request.train_on.name]
    if request.train_subset != ALL:
        parts += ["--train-subset", request.train_subset]
    return " ".join(f'"{part}"' if " " in part else part for part in parts)


def now() -> str:
    """The time, as records keep it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
