"""How many dialogues and seeds a difference needs to be found, from what was measured of two rows.

The variance of the difference of two means over `s` seeds each, on `n` dialogues, has three sources: what all seeds of a row do
on dialogues, what one seed does on dialogues beyond that, and how good a seed is on the whole:

    variance(n, s) = (shared + (own_a + own_b) / s) / n + (between_a + between_b) / s

The smallest difference that a two-sided test at 5% finds in 80% of cases is (t.975 + t.80) times its root.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from erc_bench.scoring.limits import Measured, degrees_of_freedom, student_quantile
from erc_bench.scoring.significance import ALPHA, POWER

MOST_DIALOGUES = 10_000_000
MOST_SEEDS = 1_000


@dataclass(frozen=True, slots=True)
class Variances:
    """Variances of the difference of two rows, in the squared unit of the metric.

    `shared` and `own` (of one seed of each row) are those of one dialogue, so that `n` dialogues have an `n`-th; `between` is the
    variance of one seed of each row, whatever the dialogues. A row of one seed stands for one trained system, whose seeds have no
    variance; `between` is None where both rows are. `dialogues` were measured, of which in effect `freedom` carry the
    difference.
    """

    shared: float
    own: tuple[float, float]
    between: tuple[float, float] | None
    dialogues: int
    freedom: float

    def error(self, dialogues: int, seeds: int) -> float:
        """Standard error of the difference on that many dialogues, with that many seeds of each row that has several."""
        return math.sqrt(sum(self._terms(dialogues, seeds)))

    def _terms(self, dialogues: int, seeds: int) -> tuple[float, ...]:
        on_dialogues = (self.shared + sum(self.own) / seeds) / dialogues
        return (on_dialogues, *(each / seeds for each in self.between or ()))

    def _freedom(self, dialogues: int, seeds: int) -> float:
        first, *others = self._terms(dialogues, seeds)
        spread = first**2 / (self.freedom * dialogues / self.dialogues)
        for own, between, part in zip(self.own, self.between or (), others, strict=False):
            if part > 0:
                spread += part**2 / ((seeds - 1) * (between / (between + own / dialogues)) ** 2)
        return sum((first, *others)) ** 2 / spread if spread > 0 else math.inf

    def detectable(self, dialogues: int, seeds: int) -> float:
        """The smallest true difference found in 80% of test sets; infinite with one seed, where their spread matters."""
        if self.between is not None and seeds < 2:
            return math.inf
        freedom = self._freedom(dialogues, seeds)
        quantiles = student_quantile(1 - ALPHA / 2, freedom) + student_quantile(POWER, freedom)
        return quantiles * self.error(dialogues, seeds)

    def power(self, effect: float, dialogues: int, seeds: int) -> float:
        """Share of test sets on which a true difference is found, 0..1."""
        from scipy.special import stdtr

        error, freedom = self.error(dialogues, seeds), min(self._freedom(dialogues, seeds), 1e9)
        if error == 0:
            return float(effect > 0)
        return float(stdtr(freedom, effect / error - student_quantile(1 - ALPHA / 2, freedom)))

    def dialogues_needed(self, effect: float, seeds: int) -> int | None:
        """The fewest dialogues on which a difference is found in 80% of cases; None where no number suffices."""
        return _fewest(lambda count: self.detectable(count, seeds) <= effect, 2, MOST_DIALOGUES)

    def seeds_needed(self, effect: float, dialogues: int) -> int | None:
        """The fewest seeds of each row that has several; None where no number suffices, or both rows have one seed."""
        if self.between is None:
            return None
        return _fewest(lambda count: self.detectable(dialogues, count) <= effect, 2, MOST_SEEDS)


def _fewest(suffices: Callable[[int], bool], low: int, most: int) -> int | None:
    """The fewest that suffice: about where they first do, and not whether the most would.

    The more dialogues, the more the few seeds decide, and the fewer degrees of freedom there are.
    """
    high = low
    while not suffices(high):
        if high == most:
            return None
        low, high = high + 1, min(most, high + max(1, high // 8))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle + 1, high)
    return low


def variances(a: Measured, b: Measured) -> Variances:
    """What two rows on the same dialogues say of the difference of such rows."""
    dialogues = len(a.influences)
    moved = a.influences - b.influences
    own = tuple(dialogues * row.within_seeds for row in (a, b))
    counts = [len(row.by_seed) for row in (a, b)]
    total = dialogues * float((moved**2).sum())
    shared = total - sum(each / count for each, count in zip(own, counts, strict=True))
    return Variances(
        max(0.0, shared),
        (own[0], own[1]),
        (a.between_seeds, b.between_seeds) if max(counts) > 1 else None,
        dialogues,
        degrees_of_freedom(moved),
    )
