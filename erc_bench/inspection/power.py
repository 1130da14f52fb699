"""How many dialogues and seeds a claim about two rows needs: the plan of an experiment, from the records of earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.registry import find_protocol
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ALL, find_subset
from erc_bench.records.groups import NamedGroup, group_runs
from erc_bench.records.record import survey_runs
from erc_bench.records.select import row_named, rows_named
from erc_bench.scoring.catalogue import METRICS, ranking_metric
from erc_bench.scoring.limits import Measured, measured
from erc_bench.scoring.metric import Margins, Metric
from erc_bench.scoring.metrics import margins
from erc_bench.scoring.power import Variances, variances

SEEDS = (3, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes to show that two rows such as A and B differ by an effect, at 5%, in 80% of cases.

    `difference` is what was measured (A minus B), on `dialogues` and with `seeds` of each row: there `detectable` is the smallest
    effect that suffices, and `power` the share of cases (0..1) in which the effect asked for is found. `dialogues_needed` is for
    the seeds there are (the fewer of two rows that have several), `seeds_needed` for the dialogues there are; None where no
    number suffices, or where both rows have one seed, which stands for one trained system. `by_seeds` has the dialogues needed
    with other numbers of seeds.
    """

    a: str
    b: str
    difference: float
    dialogues: int
    seeds: tuple[int, int]
    variances: Variances
    detectable: float
    power: float
    dialogues_needed: int | None
    seeds_needed: int | None
    by_seeds: dict[int, int | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The needs of pairs of rows for one effect, in the unit of the metric."""

    dataset: str
    protocol: str
    subset: str
    metric: Metric
    effect: float
    needs: tuple[Need, ...]


def measured_rows(
    dataset: Dataset, rows: Sequence[NamedGroup], protocol: LabelProtocol, subset: str, metric: Metric
) -> dict[str, Measured]:
    """How the score of each row varies, by its title, the best first.

    Raises
    ------
    UsageError
        A row that the protocol does not cover.
    """
    runs = DatasetRuns(dataset, rows)
    for named in rows:
        if not protocol.covers(named.group):
            raise UsageError(f"the protocol {protocol.name} needs more than {named.title} labelled.")
    view = protocol.view(dataset, find_subset(subset))
    found = {}
    for named in rows:
        columns = np.stack([margins(run) for run in runs.confusions(view, named.group)], axis=1)
        total = columns.sum(axis=0)
        whole, without = Margins.of(total, dataset.labels), Margins.of(total - columns, dataset.labels)
        found[named.title] = measured(metric, whole, without)
    return dict(sorted(found.items(), key=lambda row: (metric.best_first(row[1].value), row[0])))


def plan(
    dataset: Dataset,
    results: Path,
    effect: float,
    *,
    names: Sequence[str] = (),
    protocol: str = "utterance",
    subset: str = ALL.name,
    metric: str | None = None,
) -> Plan:
    """What an effect needs: for the best row against every other that is no floor, one row against these, or two rows.

    Raises
    ------
    UsageError
        An effect that is not above 0, a protocol that does not score labels, or only one row.
    UnknownNameError
        No such row, metric, protocol or subset.
    """
    chosen = metric or ranking_metric(dataset).name
    if chosen not in METRICS:
        raise UnknownNameError("a metric", chosen, METRICS)
    first, last = METRICS[chosen].limits
    if not 0 < effect <= last - first:
        raise UsageError(f"an effect must be above 0 and at most {last - first:g}, got {effect:g}.")
    scoring = find_protocol(protocol)
    if not isinstance(scoring, LabelProtocol):
        raise UsageError(f"a protocol must score labels of utterances to be planned for, got {protocol}.")
    sides = [row_named(results, name, dataset=dataset.name) for name in names]
    rows = measured_rows(dataset, _distinct(sides, results, dataset, scoring), scoring, subset, METRICS[chosen])
    a, *named = [side.title for side in sides] or list(rows)[:1]
    others = named or [title for title in rows if title != a]
    if not others or a in named:
        raise UsageError(f"two different rows must be there to be told apart, got {a} alone.")
    needs = tuple(_need(a, rows[a], b, rows[b], effect) for b in others)
    return Plan(dataset.name, protocol, find_subset(subset).name, METRICS[chosen], effect, needs)


def dataset_of(results: Path, names: Sequence[str] = (), dataset: str | None = None) -> str:
    """The dataset asked for, or else the one that the rows named, or all complete runs, are on.

    Raises
    ------
    UsageError
        There are several.
    DataMissingError
        There is no complete run.
    """
    if dataset is not None:
        return dataset
    if names:
        found = [{row.group.record.dataset for row in rows_named(results, name)} for name in names]
        shared = set.intersection(*found)
    else:
        shared = {group.record.dataset for group in group_runs(survey_runs(results).runs)}
    if len(shared) > 1:
        raise UsageError(f"the rows must be on one dataset, got {', '.join(sorted(shared))}: name one with --dataset.")
    if not shared:
        raise DataMissingError(f"{results} must hold complete runs on one dataset of all rows named, got none.")
    return shared.pop()


def _distinct(
    sides: Sequence[NamedGroup], results: Path, dataset: Dataset, protocol: LabelProtocol
) -> list[NamedGroup]:
    """The rows named; with fewer than two of them also every other that is no floor."""
    found = {side.title: side for side in sides}
    if len(sides) < 2:
        every = DatasetRuns.of(dataset, group_runs(survey_runs(results).runs)).rows
        others = (row for row in every if protocol.covers(row.group) and not row.group.record.floor)
        found = {row.title: row for row in others} | found
    if not found:
        raise DataMissingError(
            f"{results} must hold complete runs on {dataset.name} that are no floors, got none. Make some, for example: "
            f"erc-bench run --system tfidf-logreg --dataset {dataset.name}"
        )
    return list(found.values())


def _need(a: str, one: Measured, b: str, other: Measured, effect: float) -> Need:
    found = variances(one, other)
    seeds = (len(one.by_seed), len(other.by_seed))
    dialogues, fewer = found.dialogues, min((count for count in seeds if count > 1), default=1)
    return Need(
        a,
        b,
        one.value - other.value,
        dialogues,
        seeds,
        found,
        found.detectable(dialogues, fewer),
        found.power(effect, dialogues, fewer),
        found.dialogues_needed(effect, fewer),
        found.seeds_needed(effect, dialogues),
        {} if found.between is None else {count: found.dialogues_needed(effect, count) for count in SEEDS},
    )
