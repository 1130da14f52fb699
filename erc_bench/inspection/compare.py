"""Two rows against each other: the comparison behind the ranks of the board, spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from erc_bench.contract.domain import Dataset
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.protocols.views import PROTOCOLS, SUBSETS, dialogue_confusions, view
from erc_bench.records.answers import AnswerReader
from erc_bench.records.groups import RunGroup, group_runs, titles
from erc_bench.records.record import RUN_FILE, Run, find_runs, read_record
from erc_bench.scoring.bootstrap import Estimate, estimates, resample_weights
from erc_bench.scoring.catalogue import METRICS, ranking_metric
from erc_bench.scoring.significance import ALPHA, Comparison, compare


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two rows: its title and the runs behind it."""

    title: str
    group: RunGroup


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows under one protocol, subset and metric, and how they compare (A minus B)."""

    a: Side
    b: Side
    protocol: str
    subset: str
    estimates: tuple[Estimate, Estimate]
    comparison: Comparison

    @property
    def dataset(self) -> str:
        """The name of the dataset that both are on."""
        return self.a.group.record.dataset

    @property
    def different(self) -> bool:
        """Whether the test tells the two apart."""
        return self.comparison.p_value <= ALPHA


def find_sides(results: Path, names: tuple[str, str], dataset: str | None = None) -> tuple[Side, Side]:
    """The rows that two names mean: the title of a row on the board, or the folder of a run.

    Raises
    ------
    UnknownNameError
        No complete row of that title.
    UsageError
        Rows of different datasets, or a title that several datasets have while `dataset` is None.
    """
    groups = group_runs(find_runs(results)) if not all(map(_is_run, names)) else []
    named = list(zip(titles(groups), groups, strict=True))
    first, second = (_candidates(name, named, dataset) for name in names)
    shared = [(a, b) for a in first for b in second if a.group.record.dataset == b.group.record.dataset]
    if not shared:
        datasets = [sorted({side.group.record.dataset for side in sides}) for sides in (first, second)]
        raise UsageError(
            f"two rows must be on the same dataset to be compared, got {names[0]} on {', '.join(datasets[0])} and {names[1]} "
            f"on {', '.join(datasets[1])}."
        )
    if len(shared) > 1:
        raise UsageError(
            "both rows exist on the datasets "
            f"{', '.join(sorted({a.group.record.dataset for a, _ in shared}))}: name one with --dataset."
        )
    return shared[0]


def _is_run(name: str) -> bool:
    return (Path(name) / RUN_FILE).is_file()


def _candidates(name: str, named: Sequence[tuple[str, RunGroup]], dataset: str | None) -> list[Side]:
    if _is_run(name):
        record = read_record(Path(name))
        if record.status != "complete":
            raise UsageError(f"a run must be complete to be compared, got status {record.status!r} in {name}.")
        return [Side(f"{record.title}, seed {record.seed}", RunGroup((Run(Path(name), record),)))]
    known = [(title, group) for title, group in named if dataset in (None, group.record.dataset)]
    found = [Side(title, group) for title, group in known if title == name]
    if not found:
        raise UnknownNameError(
            "a row",
            name,
            {title for title, _ in known},
            advice="Rows are named as on the board; a run folder will do, too. Published rows cannot be compared: "
            "a test needs their predictions.",
        )
    return found


def default_protocol(a: Side, b: Side) -> str:
    """`utterance`, or `last-turn` where one of the rows labelled nothing else."""
    return "last-turn" if "last" in (a.group.record.targets, b.group.record.targets) else "utterance"


def compare_sides(
    a: Side, b: Side, dataset: Dataset, *, protocol: str, subset: str = "all", metric: str | None = None
) -> Pair:
    """Test A against B on the same resamples of dialogues, by default on the metric that ranks the dataset.

    Raises
    ------
    UnknownNameError
        No metric, protocol or subset of that name.
    UsageError
        The protocol asks for utterances that a row did not label.
    DataCorruptError
        A run made on other data, or whose predictions were altered.
    """
    chosen = metric or ranking_metric(dataset).name
    for kind, name, known in (
        ("metric", chosen, METRICS),
        ("protocol", protocol, PROTOCOLS),
        ("subset", subset, SUBSETS),
    ):
        if name not in known:
            raise UnknownNameError(f"a {kind}", name, known)
    for side in (a, b):
        if protocol != "last-turn" and side.group.record.targets == "last":
            raise UsageError(
                f"the protocol {protocol} needs every test utterance, but {side.title} labelled last turns only. "
                "Use --protocol last-turn."
            )
    part = view(dataset, protocol, subset)
    weights = resample_weights(len(part.dialogues))
    reader = AnswerReader(dataset)
    confusions = [
        [dialogue_confusions(part, reader.of_run(run), dataset.labels) for run in side.group.runs] for side in (a, b)
    ]
    one, other = estimates(confusions, dataset.labels, weights)
    return Pair(a, b, protocol, subset, (one, other), compare(one, other, METRICS[chosen]))
