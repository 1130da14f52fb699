"""Numbers for the tables of the paper, measured from run records and the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet
from erc_bench.paper.published import Counterpart
from erc_bench.protocols import triplet
from erc_bench.protocols.views import dialogue_confusions, view
from erc_bench.records.answers import AnswerReader
from erc_bench.records.groups import RunGroup, check_run, group_runs, titles
from erc_bench.records.record import EMBEDDINGS_FILE, Run
from erc_bench.scoring import metrics
from erc_bench.scoring.bootstrap import Weights, estimate, resample_weights

Protocol = Literal["utterance", "emotional utterances", "last-turn", "triplet"]
HEADLINE = ("macro_f1", "micro_f1", "mcc")
TIES_WORTH_SAYING = 0.01


@dataclass(frozen=True, slots=True)
class Value:
    """A measured number: `low` and `high` of its 95% interval, or its standard deviation, where there is one."""

    value: float
    low: float | None = None
    high: float | None = None
    deviation: float | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """What one row measured under one protocol.

    `values` has `macro_f1`, `micro_f1` (percent), `mcc`, and `precision` and `recall`: means over the emotions weighted
    by support, which is what Table 5 prints. `per_label` has precision, recall, f1 (percent) and support by label, `shares`
    (K, K + 1) what part of each gold label got each answer: both are means over seeds and resamplings.
    """

    title: str
    measured_by: str
    values: dict[str, Value]
    per_label: dict[str, dict[str, float]]
    shares: NDArray[np.float64]
    command: str = ""


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """The seeds of one configuration, and the title of its row."""

    title: str
    group: RunGroup

    @property
    def measured_by(self) -> str:
        """Title and seeds: `sentemocontext, 10 seeds`."""
        count = len(self.group.runs)
        return f"{self.title}, {count} seeds" if count > 1 else f"{self.title}, seed {self.group.record.seed}"


def weighted_over_emotions(confusion: NDArray[np.int64], labels: LabelSet) -> dict[str, float]:
    """Precision and recall (percent) over the emotions, each label weighted by its support."""
    by_label = metrics.per_label(confusion, labels)
    emotions = [labels.index(name) for name in labels.emotions]
    weights = by_label["support"][emotions]
    total = max(float(weights.sum()), 1.0)
    return {name: float((by_label[name][emotions] * weights).sum()) / total for name in ("precision", "recall")}


def mean_shares(confusions: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rows of matrices (N, K, K + 1) as shares, averaged over matrices: (K, K + 1)."""
    return np.asarray((confusions / confusions.sum(axis=-1, keepdims=True).clip(min=1)).mean(axis=0))


def of_matrix(confusion: NDArray[np.int64], labels: LabelSet) -> dict[str, Value]:
    """All values of a confusion matrix (K, K + 1), without a spread."""
    found = metrics.scores(confusion, labels)
    return {name: Value(float(found[name])) for name in HEADLINE} | {
        name: Value(value) for name, value in weighted_over_emotions(confusion, labels).items()
    }


class Measurements:
    """What a results folder holds for one dataset, scored on demand and once."""

    def __init__(self, dataset: Dataset, runs: Iterable[Run]) -> None:
        self.dataset = dataset
        groups = [
            found
            for found in group_runs(runs)
            if found.record.dataset == dataset.name and found.record.withheld is None
        ]
        self.rows = tuple(NamedGroup(title, group) for title, group in zip(titles(groups), groups, strict=True))
        self._reader = AnswerReader(dataset)
        self._scored: dict[tuple[str, Protocol], Scored] = {}
        for row in self.rows:
            for run in row.group.runs:
                check_run(run, dataset)

    def counterpart(self, wanted: Counterpart) -> NamedGroup | None:
        """The row that fits a configuration best."""
        fits = [(fit, row) for row in self.rows if (fit := wanted.fit(row.group.record)) is not None]
        return min(fits, key=lambda pair: pair[0])[1] if fits else None

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
        found = [scored for row in self.rows if (scored := self.score(row, protocol)) is not None]
        return sorted(found, key=lambda scored: (-scored.values["micro_f1"].value, scored.title))

    def score(self, row: NamedGroup | None, protocol: Protocol) -> Scored | None:
        """A row under a protocol; None where it has no row, or nothing that the protocol could score."""
        if row is None or not self._covers(row, protocol):
            return None
        key = (row.title, protocol)
        if key not in self._scored:
            found = self._triplets(row) if protocol == "triplet" else self._predictions(row, protocol)
            self._scored[key] = replace(found, command=row.group.record.command)
        return self._scored[key]

    @staticmethod
    def _covers(row: NamedGroup, protocol: Protocol) -> bool:
        if protocol == "triplet":
            names = (EMBEDDINGS_FILE, triplet.TRIPLETS_FILE)
            return all(any((run.folder / name).is_file() for name in names) for run in row.group.runs)
        return protocol == "last-turn" or row.group.record.targets == "all"

    @cached_property
    def _weights(self) -> Weights:
        return resample_weights(len([dialogue for dialogue in self.dataset.test if len(dialogue)]))

    def _predictions(self, row: NamedGroup, protocol: Protocol) -> Scored:
        labels = self.dataset.labels
        part = view(self.dataset, "last-turn" if protocol == "last-turn" else "utterance")
        runs = [dialogue_confusions(part, self._reader.of_run(run), labels) for run in row.group.runs]
        if protocol == "emotional utterances" and labels.neutral_index is not None:
            for confusions in runs:
                confusions[:, labels.neutral_index] = 0
        found = estimate(runs, labels, self._weights)
        values = {
            name: Value(
                found.score[name],
                *found.interval(name),
                deviation=found.deviation[name] if found.deviation is not None else None,
            )
            for name in HEADLINE
        }
        sums = np.stack([confusions.sum(axis=0) for confusions in runs])
        weighted = [weighted_over_emotions(confusion, labels) for confusion in sums]
        for name in ("precision", "recall"):
            values[name] = _spread([scores[name] for scores in weighted])
        return Scored(row.title, row.measured_by, values, metrics.mean_per_label(sums, labels), mean_shares(sums))

    def _triplets(self, row: NamedGroup) -> Scored:
        counts = [triplet.run_counts(run.folder, self.dataset) for run in row.group.runs]
        tied = sum(count.tie_rate for count in counts) / len(counts)
        ties = f", {tied:.0%} of its triplets tie" if tied >= TIES_WORTH_SAYING else ""
        return self._of_triplets(row.title, f"{row.measured_by}{ties}", counts)

    def _of_triplets(
        self, title: str, measured_by: str, counts: Sequence[triplet.TripletCounts], ties: triplet.Ties = "published"
    ) -> Scored:
        labels = self.dataset.labels
        confusions = np.concatenate([count.confusions(ties) for count in counts])
        by_resampling = metrics.scores(confusions, labels)
        weighted = [weighted_over_emotions(confusion, labels) for confusion in confusions]
        values = {name: _spread(by_resampling[name].tolist()) for name in HEADLINE}
        values |= {name: _spread([scores[name] for scores in weighted]) for name in ("precision", "recall")}
        per_label = metrics.mean_per_label(confusions, labels)
        if ties == "half":  # counted in halves
            for found in per_label.values():
                found["support"] /= 2
        return Scored(title, measured_by, values, per_label, mean_shares(confusions))

    def controls(self) -> list[Scored]:
        """The controls of the protocol triplet that need no system: noise, and one vector for every utterance."""
        if not triplet.applies_to(self.dataset):
            return []
        labels, gold = self.dataset.labels, triplet.gold_positions(self.dataset)
        noise = triplet.noise_counts(gold, labels)
        constant = triplet.constant_counts(gold, labels)
        repeated = f"control, {len(noise.correct)} draws"
        once = f"control, {len(constant.correct)} resamplings"
        return [
            self._of_triplets("Gaussian noise", repeated, [noise]),
            self._of_triplets(
                "one vector for all (degenerate: every triplet ties, ties count as right)", once, [constant]
            ),
            self._of_triplets(
                "one vector for all (degenerate: every triplet ties, ties count half)", once, [constant], "half"
            ),
        ]

    def constant(self, label: str, protocol: Literal["utterance", "last-turn"]) -> dict[str, Value]:
        """What answering one label everywhere scores."""
        gold = view(self.dataset, protocol).gold
        return of_matrix(metrics.confusion_counts(gold, [label] * len(gold), self.dataset.labels), self.dataset.labels)


def _spread(numbers: Sequence[float]) -> Value:
    values = np.array(numbers)
    return Value(float(values.mean()), deviation=float(values.std(ddof=1)) if len(values) > 1 else None)
