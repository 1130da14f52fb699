"""Runs that share a row: the seeds of one configuration, what the row is called, and whether its files are whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError
from erc_bench.records.predictions import predictions_path, predictions_sha256
from erc_bench.records.record import Run, RunRecord, run_title


@dataclass(frozen=True, slots=True)
class RunGroup:
    """The seeds of one configuration of one system: they share a row."""

    runs: tuple[Run, ...]

    @property
    def record(self) -> RunRecord:
        """The record of the first seed: what it says of the system holds for all."""
        return self.runs[0].record


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """Runs that share a row, and what the row is called."""

    title: str
    group: RunGroup


def group_runs(runs: Iterable[Run]) -> list[RunGroup]:
    """Complete runs grouped by dataset, system, configuration and evidence, seeds in order."""
    groups: dict[tuple[str, str, str, str], list[Run]] = {}
    for run in runs:
        record = run.record
        if record.status == "complete":
            key = (record.dataset, record.system, record.config_hash, record.evidence)
            groups.setdefault(key, []).append(run)
    return [RunGroup(tuple(sorted(group, key=lambda run: run.record.seed))) for _, group in sorted(groups.items())]


def titles(groups: Sequence[RunGroup]) -> list[str]:
    """One title a group, in order. Groups of a dataset that would share one also show the settings in which they differ.

    A setting that is younger than a run stands in no title of that run. Where settings do not tell groups apart, the hash
    of their configuration does.
    """
    alike: dict[tuple[str, str], list[RunGroup]] = {}
    for group in groups:
        alike.setdefault((group.record.dataset, group.record.title), []).append(group)
    found = {(dataset, title): _told_apart(members) for (dataset, title), members in alike.items()}
    return [found[group.record.dataset, group.record.title].pop(0) for group in groups]


def _told_apart(groups: Sequence[RunGroup]) -> list[str]:
    records = [group.record for group in groups]
    names = dict.fromkeys(name for record in records for name in record.config)
    values = {name: {json.dumps(record.config.get(name)) for record in records} for name in names}
    differing = [name for name in names if len(values[name]) > 1]
    shown = []
    for record in records:
        extra = {name: record.config[name] for name in differing if name in record.config}
        shown.append(
            run_title(
                record.system,
                record.changed | extra,
                record.targets,
                record.withheld,
                record.trained_on_name,
                record.train_subset,
            )
        )
    count = Counter(shown)
    return [
        name if count[name] == 1 else f"{name} [{record.config_hash}]"
        for name, record in zip(shown, records, strict=True)
    ]


def named_groups(groups: Sequence[RunGroup]) -> list[NamedGroup]:
    """Groups with their titles, in order."""
    return [NamedGroup(title, group) for title, group in zip(titles(groups), groups, strict=True)]


def without_twins(groups: Sequence[RunGroup]) -> tuple[list[RunGroup], list[tuple[RunGroup, RunGroup]]]:
    """The groups without those that labelled last turns only while the same configuration labelled all with these seeds.

    The second is every group that was left out, with the one that stands for it: one system, and no second candidate.
    """
    whole = {_configuration(group.record): group for group in groups if group.record.targets == "all"}
    pairs = [
        (group, whole[_configuration(group.record)])
        for group in groups
        if group.record.targets != "all"
        and _configuration(group.record) in whole
        and _seeds(group) <= _seeds(whole[_configuration(group.record)])
    ]
    left_out = [id(group) for group, _ in pairs]
    return [group for group in groups if id(group) not in left_out], pairs


def _configuration(record: RunRecord) -> str:
    training = (record.withheld, record.trained_on_name, record.train_subset)
    known = (record.dataset, record.system, record.settings, *training, record.evidence)
    return json.dumps(known, sort_keys=True, default=str)


def _seeds(group: RunGroup) -> set[int]:
    return {run.record.seed for run in group.runs}


def check_run(run: Run, dataset: Dataset) -> None:
    """Refuse a run made on other data, or whose predictions are not those it finished with.

    Raises
    ------
    DataMissingError
        The run has no predictions.
    DataCorruptError
        Another fingerprint, or another SHA-256 of the predictions, than the record says.
    """
    check_dataset(run, dataset)
    check_predictions(run, predictions_sha256(run.folder))


def check_dataset(run: Run, dataset: Dataset) -> None:
    """Refuse a run made on other data (`DataCorruptError`)."""
    record = run.record
    if record.dataset_fingerprint != dataset.fingerprint:
        raise DataCorruptError(
            f"{run.folder} must have been made on {dataset.name} with fingerprint {dataset.fingerprint[:12]}…, got "
            f"{record.dataset_fingerprint[:12]}…. Remove that run or make it again."
        )


def check_predictions(run: Run, found: str) -> None:
    """Refuse a run whose predictions have another SHA-256 (hex) than its record says (`DataCorruptError`)."""
    recorded = run.record.predictions_sha256
    if found != recorded:
        raise DataCorruptError(
            f"{predictions_path(run.folder)} must have SHA-256 {recorded[:12]}… as its run.json says, "
            f"got {found[:12]}…: it was altered. Restore it, or make the run again with --overwrite."
        )


def source_of(records: Sequence[RunRecord]) -> str:
    """Where a row comes from: the command that makes its runs again, or the citation given for scored predictions.

    `records` are those of one configuration, seeds in order.
    """
    first = records[0]
    if first.evidence == "predictions":
        return first.reference or first.command
    stretches: list[list[RunRecord]] = []
    for record in records:
        if stretches and _goes_on(stretches[-1][-1], record):
            stretches[-1].append(record)
        else:
            stretches.append([record])
    return "; ".join(dict.fromkeys(map(_command_of, stretches)))


def _goes_on(one: RunRecord, other: RunRecord) -> bool:
    """Whether another run is the next seed by the same command."""
    return other.seed == one.seed + 1 and _seeded(other, f"--seed {one.seed}") == one.command_today


def _seeded(record: RunRecord, seeds: str) -> str:
    return record.command_today.replace(f"--seed {record.seed}", seeds, 1)


def _command_of(stretch: Sequence[RunRecord]) -> str:
    first, last = stretch[0], stretch[-1]
    return first.command_today if first is last else _seeded(first, f"--seeds {first.seed}-{last.seed}")
