"""What a protocol gives: rows with their scores, in sections. The board ranks and formats them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.contract.registry import system_class
from erc_bench.errors import ErcBenchError
from erc_bench.records.groups import source_of
from erc_bench.records.record import RunRecord
from erc_bench.scoring import metrics
from erc_bench.scoring.bootstrap import Estimate
from erc_bench.scoring.calibration import Reliability
from erc_bench.scoring.catalogue import METRICS, headline
from erc_bench.scoring.metric import Metric

DIALOGUES, EPISODES = "dialogues", "episodes"
CONTROL_SOURCE = "computed by the protocol"


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of a row: mean over seeds, 95% interval, standard deviation over seeds (None with one seed).

    Where scores are means over resamplings of several seeds, `deviation` is over all of them, and `apart` has its parts:
    the standard deviation over the resamplings of one seed, and over the means of seeds.
    """

    value: float
    low: float | None = None
    high: float | None = None
    deviation: float | None = None
    apart: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Sureness:
    """How well a row knew when it was right: `bins` of all seeds where scores are probabilities, and the mean `risk` of its
    surest answers at coverages of 1% to 100% (`erc_bench.scoring.calibration`).
    """

    bins: Reliability | None
    risk: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the board, measured or published.

    `rank` is empty for what is not ranked: floors, published rows, and rows that `[[unranked]]` names. `above_floors` says
    whether a ranked row was shown to be better than every floor (None: there is none). `scores` maps names of metrics
    (`erc_bench.scoring.catalogue`) to their score; published rows have only what their source reports. `weighted` has
    `precision` and `recall` over the emotions, each label weighted by its support. `confusion` sums the seeds, (labels,
    labels + 1); `shares` has what part of each gold label got each answer, of the same shape, a mean over seeds and
    resamplings. `unusable_as_neutral` maps metrics to the score with unusable answers read as neutral, empty if there are
    none.
    `decision` says how labels were chosen among scores: `calibrated` (an offset of the neutral label, chosen on
    validation), `argmax`, or `none` where no scores were compared.
    `drawn` is what the intervals of the scores are over: dialogues, or episodes, which say nothing of other dialogues.
    `trained_on` is another corpus that the row was trained on. `reference` is the publication that a row stands for.
    `flags` are short warnings that belong beside the number
    (`erc_bench.board.published.FLAGS` explains those of published rows); `checked` says where the number of a published
    row was read. `sureness` is there where predictions have scores.
    """

    title: str
    dataset: str
    protocol: str
    subset: str
    evidence: str
    source: str
    rank: str = ""
    above_floors: bool | None = None
    system: str = ""
    summary: str = ""
    reference: str = ""
    seeds: int | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    unusable_as_neutral: dict[str, float] = field(default_factory=dict)
    per_label: dict[str, dict[str, float]] = field(default_factory=dict)
    weighted: dict[str, Score] = field(default_factory=dict)
    confusion: NDArray[np.int64] | None = None
    shares: NDArray[np.float64] | None = None
    without_support: tuple[str, ...] = ()
    context: str = ""
    context_tested: bool = False
    decision: str = ""
    drawn: str = DIALOGUES
    floor: bool = False
    trained_on: str = ""
    parameters: int | None = None
    train_seconds: float | None = None
    utterances_per_second: float | None = None
    flags: tuple[str, ...] = ()
    checked: str = ""
    notes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    sureness: Sureness | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that is not ranked: a score of the row, or (without a metric) the F1 of one label."""

    heading: str
    metric: Metric | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a section that is not ranked is laid out as a table.

    `columns` stand beside the name of the row, then come `facts` among `seeds`, `context` and `flags`. Sections of one
    protocol share a table; `subset` is the heading and the cell of a first column that tells them apart.
    """

    columns: tuple[Column, ...]
    facts: tuple[str, ...] = ("seeds", "context", "flags")
    subset: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A phenomenon on a section (`erc_bench.protocols.phenomena`): its groups, and the scores of each row, by its title.

    `supports` and `dialogues` are how many utterances each group has, in how many dialogues.
    """

    phenomenon: str
    meaning: str
    metric: Metric
    groups: tuple[str, ...]
    supports: tuple[int, ...]
    dialogues: tuple[int, ...]
    scores: Mapping[str, tuple[Score, ...]]


@dataclass(frozen=True, slots=True)
class Section:
    """One protocol and subset of a dataset: its rows, and what they were computed on.

    Rows with `estimates`, by title, are ordered by the board, and ranked where `ranked`; without any they stay in the order
    of the protocol, in a table of its `layout`. `metrics` are the columns that scores have on the page, the one that orders
    the rows first. `breakdowns` are its rows by phenomenon.
    """

    dataset: str
    protocol: str
    subset: str
    dialogues: int
    utterances: int
    rows: tuple[Row, ...]
    estimates: dict[str, Estimate] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = field(default_factory=headline)
    layout: Layout | None = None
    ranked: bool = True
    breakdowns: tuple[Breakdown, ...] = ()

    @property
    def drawn(self) -> tuple[Metric, ...]:
        """The columns that pictures show: those that every protocol has."""
        return tuple(metric for metric in self.metrics if metric.name in METRICS)


def row_of_runs(title: str, records: Sequence[RunRecord], protocol: str, subset: str) -> Row:
    """A row with all that the records of its runs say, seeds in order, and no scores yet."""
    first = records[0]
    return Row(
        title=title,
        dataset=first.dataset,
        protocol=protocol,
        subset=subset,
        evidence=first.evidence,
        source=source_of(records),
        system=first.system,
        summary=first.summary,
        reference=first.reference,
        seeds=len({record.seed for record in records}),
        context=first.context or "",
        decision=_decision(first),
        context_tested=bool(first.context_check and first.context_check.tested),
        floor=first.floor,
        trained_on=first.trained_on_name or "",
        parameters=first.parameters,
        commands=tuple(record.command for record in records),
    )


def _decision(record: RunRecord) -> str:
    if record.evidence != "measured":
        return ""
    try:
        return system_class(record.system).decision_of(record.config)
    except ErcBenchError:  # a system that is not installed here: its record says it, or nothing does
        return str(record.config.get("decision", ""))


def control_row(title: str, summary: str, dataset: str, protocol: str, subset: str) -> Row:
    """A row that the protocol computes without any run, to read the others against."""
    return Row(title, dataset, protocol, subset, "measured", CONTROL_SOURCE, summary=summary, floor=True)


def with_confusions(row: Row, confusions: NDArray[np.int64], labels: LabelSet) -> Row:
    """The row with what follows from confusion counts (N, K, K + 1) of its seeds and resamplings, scores excepted."""
    weighted = metrics.weighted_over_emotions(confusions, labels)
    return replace(
        row,
        per_label=metrics.mean_per_label(confusions, labels),
        weighted={name: spread_over(values) for name, values in weighted.items()},
        confusion=np.asarray(confusions.sum(axis=0), np.int64),
        shares=metrics.mean_shares(confusions),
    )


def spread_over(values: NDArray[np.float64]) -> Score:
    """Mean and standard deviation of values (N,), without an interval."""
    return Score(float(values.mean()), deviation=float(values.std(ddof=1)) if len(values) > 1 else None)
