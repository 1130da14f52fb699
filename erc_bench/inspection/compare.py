"""Two rows against each other: the comparison behind the ranks of the board, spelled out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from erc_bench.contract.domain import Dataset
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.protocols.breakdown import groups_of
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.phenomena import Phenomenon, find_phenomenon
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.registry import protocols
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ALL, find_subset
from erc_bench.records.groups import NamedGroup
from erc_bench.records.select import is_run_folder, only_row, rows_named
from erc_bench.scoring.bootstrap import Estimate
from erc_bench.scoring.catalogue import METRICS, ranking_metric
from erc_bench.scoring.kept import kept_estimates
from erc_bench.scoring.metric import Metric
from erc_bench.scoring.metrics import row_margins
from erc_bench.scoring.resampling import resample_weights
from erc_bench.scoring.significance import ALPHA, Comparison, compare, holm


@dataclass(frozen=True, slots=True)
class Part:
    """Two rows on the utterances of one group of a phenomenon: `support` of them, in `dialogues` dialogues.

    `p_corrected` is Holm's over the groups.
    """

    group: str
    support: int
    dialogues: int
    estimates: tuple[Estimate, Estimate]
    comparison: Comparison
    p_corrected: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows under one protocol, subset and metric, and how they compare (A minus B), on the whole and by `parts`."""

    a: NamedGroup
    b: NamedGroup
    protocol: str
    subset: str
    estimates: tuple[Estimate, Estimate]
    comparison: Comparison
    by: str | None = None
    parts: tuple[Part, ...] = ()

    @property
    def dataset(self) -> str:
        """The name of the dataset that both are on."""
        return self.a.group.record.dataset

    @property
    def different(self) -> bool:
        """Whether the test tells the two apart."""
        return self.comparison.p_value <= ALPHA


def find_sides(results: Path, names: tuple[str, str], dataset: str | None = None) -> tuple[NamedGroup, NamedGroup]:
    """The rows that two names mean (see `erc_bench.records.select`), on one dataset.

    Raises
    ------
    UnknownNameError
        No complete row of that name.
    UsageError
        Rows of different datasets, names that several datasets have while `dataset` is None, or several rows of a name.
    """
    sides = [rows_named(results, name, dataset=dataset) for name in names]
    first, second = ({row.group.record.dataset for row in rows} for rows in sides)
    shared = first & second
    if not shared:
        raise UsageError(
            f"two rows must be on the same dataset to be compared, got {names[0]} on {', '.join(sorted(first))} and {names[1]} "
            f"on {', '.join(sorted(second))}."
        )
    if len(shared) > 1:
        raise UsageError(f"both rows exist on the datasets {', '.join(sorted(shared))}: name one with --dataset.")
    a, b = (
        _titled(name, only_row(name, [row for row in rows if row.group.record.dataset in shared]))
        for name, rows in zip(names, sides, strict=True)
    )
    return a, b


def _titled(name: str, row: NamedGroup) -> NamedGroup:
    """A single run says which seed it is."""
    return NamedGroup(f"{row.title}, seed {row.group.record.seed}", row.group) if is_run_folder(name) else row


def compared_protocols() -> dict[str, Protocol]:
    """The protocols whose rows can be tested against each other: those that resample dialogues."""
    return {name: protocol for name, protocol in protocols().items() if protocol.ranked}


def default_protocol(a: NamedGroup, b: NamedGroup) -> str:
    """The first protocol that covers both rows: `utterance`, unless one of them labelled less than it asks for.

    Raises
    ------
    UsageError
        There is none.
    """
    for name, protocol in compared_protocols().items():
        if protocol.covers(a.group) and protocol.covers(b.group):
            return name
    raise UsageError(f"two rows must share a protocol that resamples dialogues, got {a.title} and {b.title}.")


def compare_sides(
    a: NamedGroup,
    b: NamedGroup,
    dataset: Dataset,
    *,
    protocol: str,
    subset: str = ALL.name,
    metric: str | None = None,
    by: str | None = None,
) -> Pair:
    """Test A against B on the same resamples of dialogues, by default on the metric that ranks the dataset.

    With `by`, the name of a phenomenon, also on the utterances of each of its groups.

    Raises
    ------
    UnknownNameError
        No metric, protocol, subset or phenomenon of that name.
    UsageError
        The protocol asks for utterances that a row did not label, or does not apply to the dataset; or the phenomenon tells
        no utterances apart.
    DataCorruptError
        A run made on other data, or whose predictions were altered.
    """
    chosen, known = metric or ranking_metric(dataset).name, compared_protocols()
    for kind, name, names in (("metric", chosen, METRICS), ("protocol", protocol, known)):
        if name not in names:
            raise UnknownNameError(f"a {kind}", name, names)
    subset = find_subset(subset).name
    phenomenon = None if by is None else find_phenomenon(by, dataset)
    one, other = _estimates((a, b), dataset, known, protocol, subset)
    parts = () if phenomenon is None else _parts(phenomenon, (a, b), dataset, known[protocol], subset, METRICS[chosen])
    return Pair(a, b, protocol, subset, (one, other), compare(one, other, METRICS[chosen]), by, parts)


def _parts(
    phenomenon: Phenomenon,
    sides: tuple[NamedGroup, NamedGroup],
    dataset: Dataset,
    protocol: Protocol,
    subset: str,
    metric: Metric,
) -> tuple[Part, ...]:
    if not (isinstance(protocol, LabelProtocol) and protocol.by_phenomenon):
        raise UsageError(
            f"a protocol must score utterances to be told apart by {phenomenon.name}, got {protocol.name}."
        )
    view, runs = protocol.view(dataset, find_subset(subset)), DatasetRuns(dataset, sides)
    weights = resample_weights(len(view.dialogues))
    groups, found = groups_of(phenomenon, dataset, view, metric), []
    for group in groups:
        part = group.view(view)
        columns = [row_margins([group.counts(run) for run in runs.confusions(part, side.group)]) for side in sides]
        one, other = kept_estimates(columns, group.labels, weights)
        found.append((one, other, compare(one, other, group.metric)))
    corrected = holm([comparison.p_value for *_, comparison in found])
    return tuple(
        Part(group.name, group.support, group.dialogues, (one, other), comparison, float(p))
        for group, (one, other, comparison), p in zip(groups, found, corrected, strict=True)
    )


def _estimates(
    sides: tuple[NamedGroup, NamedGroup], dataset: Dataset, known: dict[str, Protocol], protocol: str, subset: str
) -> tuple[Estimate, Estimate]:
    chosen = known[protocol]
    if not chosen.applies_to(dataset):
        raise chosen.unfit(dataset)
    for side in sides:
        if not chosen.covers(side.group):
            covering = [name for name, other in known.items() if other.covers(side.group)]
            advice = f" Use --protocol {covering[0]}." if covering else ""
            raise UsageError(f"the protocol {protocol} needs more than {side.title} labelled.{advice}")
    # Two folders may hold runs of one title.
    runs = DatasetRuns(dataset, [NamedGroup(name, side.group) for name, side in zip("AB", sides, strict=True)])
    for section in chosen.sections(runs, (subset,)):
        if section.estimates.keys() >= {"A", "B"}:
            return section.estimates["A"], section.estimates["B"]
    first, second = (side.title for side in sides)
    raise UsageError(
        f"two rows must be scored on the same utterances to be compared under the protocol {protocol}, got {first} and "
        f"{second}."
    )
