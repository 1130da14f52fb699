"""What a sweep would do: which runs are there, which are to be made, and how long that may take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from erc_bench.data.registry import dataset_name
from erc_bench.errors import DataError
from erc_bench.records.record import RUN_FILE, RunRecord, read_record
from erc_bench.running.plan import PlannedRun

State = Literal["complete", "begun", "failed", "to make"]


@dataclass(frozen=True, slots=True)
class Preview:
    """A planned run: what is there of it, and the seconds it may take (None: no earlier run tells)."""

    run: PlannedRun
    state: State
    seconds: float | None


def preview(
    runs: Sequence[PlannedRun], results: Path, data_dir: Path | None = None, *, earlier: Path | None = None
) -> list[Preview]:
    """Look up each run among the records below a results folder.

    The expected time is the median of the complete runs of the same system and dataset with the same settings, else with
    any settings and the same targets, there and below `earlier`. A run that is complete takes none.
    """
    records = _records(results)
    known = {(r.dataset, r.system, r.config_hash, r.seed): r for r in records}
    if earlier is not None and earlier.resolve() != results.resolve():
        records += _records(earlier)
    times = _Times([record for record in records if record.status == "complete" and record.timings])
    found = []
    for planned in runs:
        config_hash = planned.config_hash(data_dir)
        other = None if planned.train_on is None else dataset_name(planned.train_on)
        run = replace(planned, dataset=dataset_name(planned.dataset), train_on=other)
        record = known.get((run.dataset, run.system.info.name, config_hash, run.seed))
        state: State = "to make"
        if record is not None:
            state = "begun" if record.status == "running" else record.status
        found.append(Preview(run, state, 0.0 if state == "complete" else times.of(run, config_hash)))
    return found


def _records(results: Path) -> list[RunRecord]:
    found = []
    for path in sorted(results.glob(f"*/*/*/seed-*/{RUN_FILE}")):
        try:
            found.append(read_record(path.parent))
        except DataError:
            continue  # what is damaged tells nothing here; the run itself will say so
    return found


class _Times:
    def __init__(self, records: Sequence[RunRecord]) -> None:
        self._records = records

    def of(self, run: PlannedRun, config_hash: str) -> float | None:
        same = [r for r in self._records if (r.dataset, r.system) == (run.dataset, run.system.info.name)]
        exact = [r for r in same if r.config_hash == config_hash]
        near = [r for r in same if (r.targets, r.trained_on_name) == (run.targets, run.train_on)]
        seconds = [sum(record.timings.values()) for record in exact or near]
        return statistics.median(seconds) if seconds else None


def in_words(seconds: float) -> str:
    """A length of time: `40 s`, `12 min`, `3 h 20 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
