"""What a protocol gives: rows with their scores, in sections. The board ranks and formats them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from erc_bench.scoring.bootstrap import Estimate
from erc_bench.scoring.catalogue import METRICS, headline
from erc_bench.scoring.metric import Metric


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of a row: mean over seeds, 95% interval, standard deviation over seeds (None with one seed)."""

    value: float
    low: float | None = None
    high: float | None = None
    deviation: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the board, measured or published.

    `rank` is empty for what is not ranked. `scores` maps names of metrics (`erc_bench.scoring.catalogue`) to their
    score; published rows have only what their source reports. `confusion` sums the seeds, (labels, labels + 1).
    `unusable_as_neutral` maps metrics to the score with unusable answers read as neutral, empty if there are none.
    `reference` is the publication that a row stands for. `flags` are short warnings that belong beside the number
    (`erc_bench.board.published.FLAGS` explains those of published rows).
    """

    title: str
    dataset: str
    protocol: str
    subset: str
    evidence: str
    source: str
    rank: str = ""
    system: str = ""
    summary: str = ""
    reference: str = ""
    seeds: int | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    unusable_as_neutral: dict[str, float] = field(default_factory=dict)
    per_label: dict[str, dict[str, float]] = field(default_factory=dict)
    confusion: NDArray[np.int64] | None = None
    without_support: tuple[str, ...] = ()
    context: str = ""
    context_tested: bool = False
    floor: bool = False
    parameters: int | None = None
    train_seconds: float | None = None
    utterances_per_second: float | None = None
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One protocol and subset of a dataset: its rows, best first, and what they were computed on.

    `metrics` are the columns of its tables, the one that orders the rows first.
    """

    dataset: str
    protocol: str
    subset: str
    dialogues: int
    utterances: int
    rows: tuple[Row, ...]
    estimates: dict[str, Estimate] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = field(default_factory=headline)

    @property
    def drawn(self) -> tuple[Metric, ...]:
        """The columns that pictures show: those that every protocol has."""
        return tuple(metric for metric in self.metrics if metric.name in METRICS)
