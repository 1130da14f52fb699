"""What a results folder measured for the tables of the paper: rows as the board has them, found by configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet
from erc_bench.paper.published import Counterpart
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.rows import Row, Score
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ALL
from erc_bench.protocols.triplet.counts import NOISE_RESAMPLINGS, RESAMPLINGS
from erc_bench.protocols.triplet.protocol import CONSTANT, HALF, NOISE, TRIPLET
from erc_bench.records.groups import NamedGroup, group_runs, named_groups, without_twins
from erc_bench.records.record import Run
from erc_bench.scoring import metrics
from erc_bench.scoring.bootstrap import Estimate
from erc_bench.scoring.catalogue import MICRO_F1, TIE_RATE

HEADLINE = ("macro_f1", "micro_f1", "mcc")
TIES_WORTH_SAYING = 0.01
DEGENERATE = "one vector for all (degenerate: every triplet ties, ties count"


@dataclass(frozen=True, slots=True)
class Scored:
    """A row under one protocol, and what was measured: `sentemocontext, 10 seeds`."""

    row: Row
    measured_by: str

    @property
    def title(self) -> str:
        """What the row is called."""
        return self.row.title

    @property
    def values(self) -> dict[str, Score]:
        """Its scores, and `precision` and `recall`: means over the emotions weighted by support, as in Table 5."""
        return self.row.scores | self.row.weighted

    @property
    def shares(self) -> NDArray[np.float64]:
        """What part of each gold label got each answer, (K, K + 1)."""
        return np.zeros((0, 0)) if self.row.shares is None else self.row.shares


def measured_by(named: NamedGroup) -> str:
    """Title and seeds: `sentemocontext, 10 seeds`."""
    count = len(named.group.runs)
    return f"{named.title}, {count} seeds" if count > 1 else f"{named.title}, seed {named.group.record.seed}"


def _scored(named: NamedGroup, row: Row) -> Scored:
    tied = row.scores[TIE_RATE.name].value if TIE_RATE.name in row.scores else 0.0
    ties = f", {tied:.0%} of its triplets tie" if tied >= TIES_WORTH_SAYING else ""
    return Scored(row, f"{measured_by(named)}{ties}")


def of_matrix(confusion: NDArray[np.int64], labels: LabelSet) -> dict[str, Score]:
    """All values of a published or assumed confusion matrix (K, K + 1), without a spread."""
    found = metrics.scores(confusion, labels)
    weighted = metrics.weighted_over_emotions(confusion, labels)
    return {name: Score(float(found[name])) for name in HEADLINE} | {
        name: Score(float(value)) for name, value in weighted.items()
    }


class Measurements:
    """The rows of one dataset, scored by their protocols on demand and once."""

    def __init__(self, dataset: Dataset, runs: Iterable[Run]) -> None:
        self.dataset = dataset
        groups = [
            found
            for found in group_runs(runs)
            if found.record.dataset == dataset.name and found.record.ordinary and found.record.train_subset == "all"
        ]
        self.rows = tuple(named_groups(without_twins(groups)[0]))
        self._runs = DatasetRuns(dataset, self.rows)
        self._scored: dict[str, dict[str, Scored]] = {}
        self._estimates: dict[str, dict[str, Estimate]] = {}
        for named in self.rows:
            self._runs.check(named.group)

    def counterpart(self, wanted: Counterpart) -> NamedGroup | None:
        """The row that fits a configuration best; of several, the one whose system knew the most settings.

        A system that gains a setting has runs from before under the same title, which amount to another value of it.
        """
        fits = [(fit, row) for row in self.rows if (fit := wanted.fit(row.group.record)) is not None]
        return min(fits, key=lambda pair: (pair[0], -len(pair[1].group.record.config)))[1] if fits else None

    def standing_for(self, wanted: Counterpart, protocol: Protocol) -> tuple[Scored | None, str]:
        """What stands for a row of the paper, and the command that is still wanted.

        The command is empty where the wanted configuration itself was measured; it is there where nothing was, and
        where an alternative stands in.
        """
        row = self.counterpart(wanted)
        scored = self.score(row, protocol)
        fit = wanted.fit(row.group.record) if row else None
        return scored, "" if scored and fit and fit[0] == 0 else wanted.command(self.dataset.name)

    def named(self, system: str) -> NamedGroup | None:
        """The row of predictions made elsewhere that were scored under this name."""
        return next((row for row in self.rows if row.group.record.system == system), None)

    def under(self, protocol: Protocol) -> list[Scored]:
        """Every row that a protocol applies to, best micro F1 first."""
        found = self._under(protocol).values()
        return sorted(found, key=lambda scored: (-scored.values[MICRO_F1.name].value, scored.title))

    def estimates(self, protocol: Protocol) -> Mapping[str, Estimate]:
        """What comparisons of rows follow from, by title."""
        self._under(protocol)
        return self._estimates[protocol.name]

    def score(self, named: NamedGroup | None, protocol: Protocol) -> Scored | None:
        """The row of a group under a protocol; None without a group, or where the protocol has no row for it."""
        return self._under(protocol).get(named.title) if named else None

    def _under(self, protocol: Protocol) -> dict[str, Scored]:
        """The rows of the groups by title, as the board has them."""
        if protocol.name not in self._scored:
            sections = protocol.sections(self._runs, (ALL.name,)) if protocol.applies_to(self.dataset) else []
            self._estimates[protocol.name] = {title: e for s in sections for title, e in s.estimates.items()}
            by_title = {row.title: row for section in sections for row in section.rows}
            self._scored[protocol.name] = {
                named.title: _scored(named, by_title[named.title]) for named in self.rows if named.title in by_title
            }
        return self._scored[protocol.name]

    def controls(self) -> list[Scored]:
        """The controls of the protocol triplet that need no system: noise, and one vector for every utterance."""
        if not TRIPLET.applies_to(self.dataset):
            return []
        found = {row.title: row for row in TRIPLET.controls(self.dataset)}
        noise, constant = found[NOISE], found[CONSTANT]
        half = {name: constant.scores[tied.name] for name, tied in HALF.items()}
        return [
            Scored(noise, f"control, {NOISE_RESAMPLINGS} draws"),
            Scored(replace(constant, title=f"{DEGENERATE} as right)"), f"control, {RESAMPLINGS} resamplings"),
            Scored(replace(constant, title=f"{DEGENERATE} half)", scores=half), f"control, {RESAMPLINGS} resamplings"),
        ]

    def constant(self, label: str, protocol: LabelProtocol) -> dict[str, Score]:
        """What answering one label everywhere scores."""
        gold = protocol.view(self.dataset).gold
        return of_matrix(metrics.confusion_counts(gold, [label] * len(gold), self.dataset.labels), self.dataset.labels)
