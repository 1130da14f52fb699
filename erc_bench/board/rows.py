"""Rows of the board, computed from run records: every number comes from predictions and gold labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet, Split
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.protocols.views import SUBSETS, View, dialogue_confusions, view
from erc_bench.records.answers import AnswerReader, Codes
from erc_bench.records.groups import RunGroup, source_of, titles
from erc_bench.records.record import Run
from erc_bench.scoring import metrics
from erc_bench.scoring.bootstrap import Estimate, Interval, resample_weights
from erc_bench.scoring.catalogue import METRICS, MICRO_F1, headline, ranking_metric
from erc_bench.scoring.kept import kept_estimates
from erc_bench.scoring.metric import Metric
from erc_bench.scoring.significance import ranks


@dataclass(frozen=True, slots=True)
class Board:
    """All that the boards show of one dataset, in every format.

    `sizes` maps each split to its numbers of dialogues and utterances. `sections` are in the order of protocols,
    and `all` before `unseen`; `published` rows are in the order of their source, and never ranked. `ranking` is the
    metric that ranks the measured rows.
    """

    dataset: str
    fingerprint: str
    sizes: Mapping[Split, tuple[int, int]]
    labels: LabelSet
    sections: tuple[Section, ...]
    published: tuple[Row, ...] = ()
    ranking: Metric = MICRO_F1

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.sections and not self.published

    def protocols(self) -> tuple[str, ...]:
        """The protocols that have measured rows, in order."""
        return tuple(dict.fromkeys(section.protocol for section in self.sections))

    def section(self, protocol: str, subset: str = "all") -> Section | None:
        """The section of one protocol and subset, None if there is none."""
        return next((found for found in self.sections if (found.protocol, found.subset) == (protocol, subset)), None)

    def rows(self, protocol: str, subset: str = "all") -> tuple[Row, ...]:
        """The rows of one protocol and subset, best first."""
        section = self.section(protocol, subset)
        return section.rows if section else ()


def sections(
    groups: Sequence[RunGroup],
    dataset: Dataset,
    protocols: Sequence[str],
    progress: Progress | None = None,
    ranking: Metric | None = None,
) -> list[Section]:
    """The measured sections of one dataset: a row a group, ranked, for each protocol and subset that has rows.

    Rows are ranked by `ranking`, by default the metric of the dataset.

    Raises
    ------
    DataMissingError
        A complete run without its predictions.
    DataCorruptError
        A run made on other data, whose predictions were altered, or that cannot be scored.
    """
    mine = [group for group in groups if group.record.dataset == dataset.name and group.record.withheld is None]
    named = list(zip(titles(mine), mine, strict=True))
    runs = [run for group in mine for run in group.runs]
    reader, answers = AnswerReader(dataset), {}
    with (progress or SilentProgress()).task(f"Reading runs on {dataset.name}", total=len(runs), unit="runs") as task:
        for run in runs:
            answers[run.folder] = reader.of_run(run)
            task.advance()
    found = []
    for protocol in protocols:
        applicable = [pair for pair in named if protocol == "last-turn" or pair[1].record.targets == "all"]
        for subset in SUBSETS if applicable else ():
            part = view(dataset, protocol, subset)
            confusions = [
                [_confusions(dataset, part, run, answers[run.folder]) for run in group.runs] for _, group in applicable
            ]
            found.append(_section(dataset, part, applicable, confusions, ranking or ranking_metric(dataset)))
    return found


def _confusions(dataset: Dataset, part: View, run: Run, answers: Codes) -> NDArray[np.int64]:
    try:
        return dialogue_confusions(part, answers, dataset.labels)
    except DataError as error:
        raise DataCorruptError(f"the complete run in {run.folder} cannot be scored: {error}") from None


def _section(
    dataset: Dataset,
    part: View,
    groups: Sequence[tuple[str, RunGroup]],
    confusions: Sequence[Sequence[NDArray[np.int64]]],
    ranking: Metric,
) -> Section:
    weights = resample_weights(len(part.dialogues))
    estimated = kept_estimates(confusions, dataset.labels, weights)
    places = ranks(estimated, ranking)
    columns = headline(ranking)
    rows = [
        _row(dataset.labels, part, group, found, [run.sum(axis=0) for run in runs], place, columns)
        for group, found, runs, place in zip(groups, estimated, confusions, places, strict=True)
    ]
    order = sorted(
        range(len(rows)), key=lambda i: (ranking.best_first(rows[i].scores[ranking.name].value), rows[i].title)
    )
    return Section(
        dataset.name,
        part.protocol,
        part.subset,
        len(part.dialogues),
        len(part),
        tuple(rows[i] for i in order),
        {rows[i].title: estimated[i] for i in order},
        columns,
    )


def _row(
    labels: LabelSet,
    part: View,
    named: tuple[str, RunGroup],
    found: Estimate,
    by_seed: Sequence[NDArray[np.int64]],
    place: str,
    columns: Sequence[Metric],
) -> Row:
    title, group = named
    record = group.record
    records = [run.record for run in group.runs]
    values = {name: _score(found, name) for name in METRICS}
    confusion = np.sum(by_seed, axis=0)
    folded: dict[str, float] = {}
    if labels.neutral is not None and confusion[:, -1].any():
        as_neutral = metrics.scores(metrics.unusable_as_neutral(np.stack(by_seed), labels), labels)
        folded = {metric.name: float(as_neutral[metric.name].mean()) for metric in columns}
    missing = metrics.without_support(confusion, labels)
    return Row(
        title=title,
        dataset=record.dataset,
        protocol=part.protocol,
        subset=part.subset,
        evidence=record.evidence,
        source=source_of(records),
        rank=place,
        system=record.system,
        summary=record.summary,
        reference=record.reference,
        seeds=len(records),
        scores=values,
        unusable_as_neutral=folded,
        per_label=metrics.mean_per_label(np.stack(by_seed), labels),
        confusion=confusion,
        without_support=missing,
        context=record.context or "",
        context_tested=bool(record.context_check and record.context_check.tested),
        floor=record.floor,
        parameters=record.parameters,
        train_seconds=_mean([r.timings.get("train") for r in records]),
        utterances_per_second=_mean([r.utterances_per_second for r in records]),
        notes=tuple(dict.fromkeys(note for r in records for note in r.notes)),
        commands=tuple(r.command for r in records),
    )


def _score(found: Estimate, name: str) -> Score:
    interval: Interval = found.interval(name)
    deviation = None if found.deviation is None else float(found.deviation[name])
    return Score(float(found.score[name]), interval.low, interval.high, deviation)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
