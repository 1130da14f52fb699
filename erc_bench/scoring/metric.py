"""What a metric is: how a score follows from counts, and how it is bounded, named and written.

The metrics themselves are the entries of `erc_bench.scoring.catalogue`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Unit:
    """A kind of number: its `limits`, its decimals on boards and in files, and how a reader sees it.

    `shown_as` is what a value is multiplied by before a reader sees it, `sign` what follows it. A reader sees what files
    hold, rounded once more: whoever rounds a number of a file gets that of the board.
    """

    name: str
    limits: tuple[float, float]
    decimals: int
    file_decimals: int
    shown_as: float = 1
    sign: str = ""

    def text(self, value: float | None) -> str:
        """A value as boards write it; a dash for none, and for what is not finite."""
        if value is None or not math.isfinite(value):
            return MISSING
        held = round(value, self.file_decimals)
        return f"{self.shown_as * held:.{self.decimals}f}{self.sign}".replace("-", "−")


PERCENT = Unit("percent", (0, 100), 2, 6)
CORRELATION = Unit("-1 to 1", (-1, 1), 3, 8)
SHARE = Unit("share", (0, 1), 1, 8, 100, "%")


@dataclass(frozen=True, eq=False)
class Margins:
    """What metrics are computed from: `hits` (..., K), `gold` (..., K) and `predicted` (..., K + 1), float64 counts.

    The last column of `predicted` counts unusable answers. `emotions` selects the labels that are not neutral, as in
    `gold[..., emotions]`. Runs on the same utterances may share one `gold`, whose shape then broadcasts to theirs.
    Sums that several metrics need are computed once.
    """

    hits: NDArray[np.float64]
    gold: NDArray[np.float64]
    predicted: NDArray[np.float64]
    emotions: list[int] | slice

    @classmethod
    def of(cls, columns: NDArray[Any], labels: LabelSet) -> Margins:
        """From columns (..., 3K + 1) as `erc_bench.scoring.metrics.margins` gives them."""
        size = len(labels)
        values = columns.astype(np.float64)
        return cls(values[..., :size], values[..., size : 2 * size], values[..., 2 * size :], cls.positions(labels))

    @staticmethod
    def positions(labels: LabelSet) -> list[int] | slice:
        """Where the emotions of a label set are: a slice, which copies nothing, where they stand together."""
        found = [labels.index(name) for name in labels.emotions]
        together = bool(found) and found == list(range(found[0], found[-1] + 1))
        return slice(found[0], found[-1] + 1) if together else found

    @cached_property
    def total(self) -> NDArray[np.float64]:
        """Utterances, shape (...)."""
        return np.asarray(self.gold.sum(axis=-1))

    @cached_property
    def correct(self) -> NDArray[np.float64]:
        """Right answers, shape (...)."""
        return np.asarray(self.hits.sum(axis=-1))

    @cached_property
    def agreement_by_chance(self) -> NDArray[np.float64]:
        """Sum over labels of gold times predicted counts, shape (...)."""
        return np.asarray((self.gold * self.predicted[..., :-1]).sum(axis=-1))

    @cached_property
    def f1(self) -> NDArray[np.float64]:
        """F1 of every label in percent, shape (..., K)."""
        return 100 * ratio(2 * self.hits, self.gold + self.predicted[..., :-1])

    @cached_property
    def f1_sizes(self) -> NDArray[np.float64]:
        """What the hits of every label are a share of in its F1, shape (..., K); 0 for one never predicted: its F1 is 0."""
        predicted = self.predicted[..., :-1]
        return np.where(predicted > 0, (self.gold + predicted) / 2, 0)


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quotient that is 0 without a denominator, as in scikit-learn."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator > 0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A score.

    Parameters
    ----------
    name
        Identifier in records, files and options: lower-case letters, digits and underscores.
    words
        Its name in running text: "micro F1".
    over
        Which labels it runs over, for readers: "the emotions", "all labels".
    of
        Its values, float64 (...), from `Margins`, within `unit.limits`. None for a score that a protocol computes from
        more than counts.
    unit
        What kind of number it is.
    higher_is_better
        False where the smallest value is the best.
    beside
        Names of the metrics that stand beside it on a board that it ranks.
    headline
        Whether it stands on every board, after those.
    parts
        For a mean of ratios: these, float64 (..., J), within `unit.limits`, and how many answers each is a share of; 0 of
        those where it cannot be another. Its interval then counts that rare ones are badly known.
    pooled
        Whether it depends on the emotions only through the sums of their counts, as a micro mean does: resamples then count
        these sums alone, which is faster.
    """

    name: str
    words: str
    over: str
    of: Callable[[Margins], NDArray[np.float64]] | None
    unit: Unit = PERCENT
    higher_is_better: bool = True
    beside: tuple[str, ...] = ("micro_f1", "macro_f1")
    headline: bool = False
    parts: Callable[[Margins], tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None
    pooled: bool = False

    @property
    def heading(self) -> str:
        """Its name at the head of a column."""
        return self.words[:1].upper() + self.words[1:]

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest possible value."""
        return self.unit.limits

    def text(self, value: float | None) -> str:
        """A value as boards write it."""
        return self.unit.text(value)

    def rounded(self, value: float | None) -> float | None:
        """A value as CSV and JSON hold it."""
        return None if value is None else round(value, self.unit.file_decimals) + 0.0  # -0.0 and 0.0 are one number

    def best_first(self, value: float) -> float:
        """A key that sorts the best value first."""
        return -value if self.higher_is_better else value


@dataclass(frozen=True, slots=True)
class Reading:
    """A second way to read the evidence of a protocol: its metrics derive from those of the first way."""

    suffix: str
    words: str

    def of(self, metric: Metric) -> Metric:
        """The metric under this reading."""
        return replace(metric, name=f"{metric.name}_{self.suffix}", words=f"{metric.words}, {self.words}")
