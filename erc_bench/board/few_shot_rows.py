"""Rows of the protocol `few-shot`: how well a label is recognised that training never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset
from erc_bench.protocols.few_shot import EPISODES, PROTOCOL, SHOTS, FewShotCounts, chance_confusion, run_counts
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.protocols.triplet import gold_positions
from erc_bench.records.groups import RunGroup, check_run, source_of
from erc_bench.records.record import RunRecord
from erc_bench.scoring import metrics
from erc_bench.scoring.catalogue import CORRECTED, MACRO_F1, MICRO_F1, WITHHELD_F1

CHANCE = "chance: one of all labels at random"
# Scores of a row, under both readings; the tables of all boards show the first, and the macro F1.
SCORES = (WITHHELD_F1, MACRO_F1, MICRO_F1)
COLUMNS = (WITHHELD_F1, CORRECTED.of(WITHHELD_F1), MICRO_F1, MACRO_F1)
# Two-sided 95% quantile of the normal distribution: there are at least 50 episodes in every mean.
QUANTILE_95 = 1.959964


@dataclass(frozen=True, eq=False)
class _Evidence:
    """One run and its episodes."""

    record: RunRecord
    counts: FewShotCounts


def few_shot_sections(groups: Sequence[RunGroup], dataset: Dataset) -> list[Section]:
    """One section for each number of examples ("1 example", "5 examples", …): a row a system, and chance.

    `per_label` of a row has, for each label that was withheld in turn, the `precision`, `recall` and `f1` (percent)
    that the label reached in the runs that never saw it, with `low` and `high` (95% interval of the F1), its
    `support`, and `macro_f1` and `micro_f1` over all emotions, the withheld one included, in those runs. `scores` has
    `withheld_f1`, `macro_f1` and `micro_f1`, each the mean over the withheld labels with its 95% interval. Beside each
    of these stands the one from distances corrected for the number of examples (`withheld_f1_corrected` and so on; see
    `erc_bench.protocols.few_shot`). A row that lacks some of the emotions is flagged.

    Intervals are of the mean over episodes: normal, cut at 0 and 100. What varies in them is the examples drawn; test
    set and models stay. The seeds of a label share the draws of examples, so that an episode counts once, with the
    mean of its seeds.
    """
    rows: dict[int, list[Row]] = {shot: [] for shot in SHOTS}
    for title, evidence in _by_title(groups, dataset).items():
        for shot in SHOTS:
            held = [one for one in evidence if shot in one.counts.confusions]
            if held:
                rows[shot].append(_row(title, held, shot, dataset))
    utterances = sum(map(len, dataset.test))
    return [
        Section(
            dataset.name,
            PROTOCOL,
            _subset(shot),
            len(dataset.test),
            utterances,
            (
                *sorted(found, key=lambda row: (-row.scores[WITHHELD_F1.name].value, row.title)),
                _chance_row(shot, dataset),
            ),
            metrics=COLUMNS,
        )
        for shot, found in rows.items()
        if found
    ]


def _subset(shot: int) -> str:
    return f"{shot} example{'s' if shot > 1 else ''}"


def _by_title(groups: Sequence[RunGroup], dataset: Dataset) -> dict[str, list[_Evidence]]:
    """Runs with a withheld label, by the title that their system and settings would have without it."""
    found: dict[str, list[_Evidence]] = {}
    for group in groups:
        record = group.record
        if record.dataset != dataset.name or record.withheld is None:
            continue
        title = record.model_copy(update={"withheld": None}).title
        for run in group.runs:
            check_run(run, dataset)
            found.setdefault(title, []).append(_Evidence(run.record, run_counts(run.folder, dataset, record.withheld)))
    return found


def _row(title: str, evidence: Sequence[_Evidence], shot: int, dataset: Dataset) -> Row:
    record = evidence[0].record
    by_label = {
        label: sorted((one for one in evidence if one.counts.withheld == label), key=lambda one: one.record.seed)
        for label in dataset.labels.emotions
    }
    missing = [label for label, held in by_label.items() if not held]
    by_label = {label: held for label, held in by_label.items() if held}
    episodes = {label: _values(held, shot, label, dataset) for label, held in by_label.items()}
    return Row(
        title=title,
        dataset=dataset.name,
        protocol=PROTOCOL,
        subset=_subset(shot),
        evidence=record.evidence,
        source=_source({label: [one.record for one in held] for label, held in by_label.items()}),
        system=record.system,
        summary=record.summary,
        reference=record.reference,
        seeds=len({one.record.seed for one in evidence}),
        scores={
            metric.name: _mean_of_labels([values[metric.name] for values in episodes.values()])
            for metric in (*SCORES, *map(CORRECTED.of, SCORES))
        },
        per_label={label: _of_label(values) for label, values in episodes.items()},
        context=record.context or "",
        context_tested=bool(record.context_check and record.context_check.tested),
        floor=record.floor,
        parameters=record.parameters,
        flags=(f"without {', '.join(missing)}",) if missing else (),
        notes=(_note([len(held) for held in by_label.values()]),),
        commands=tuple(one.record.command for one in evidence),
    )


def _source(records: Mapping[str, Sequence[RunRecord]]) -> str:
    """The command that makes the runs of all withheld labels again; several where seeds or settings differ."""
    commands = {label: source_of(seeds) for label, seeds in records.items()}
    options = {label: f' --withhold "{label}"' if " " in label else f" --withhold {label}" for label in records}
    plain = {command.removesuffix(options[label]) for label, command in commands.items()}
    if len(plain) == 1 and not any(option in command for command in plain for option in options.values()):
        return "".join([*plain, *options.values()])
    return "; ".join(commands.values())


def _note(seeds: Sequence[int]) -> str:
    note = f"{EPISODES} episodes for each withheld label"
    if max(seeds) == 1:
        return note
    count = f"{seeds[0]}" if len(set(seeds)) == 1 else f"{min(seeds)} to {max(seeds)}"
    return f"{note}, an episode is the mean of {count} seeds that share its examples"


def _values(evidence: Sequence[_Evidence], shot: int, label: str, dataset: Dataset) -> dict[str, NDArray[np.float64]]:
    """Scores of one withheld label, each float64 (episodes,), the mean over seeds."""
    found: dict[str, NDArray[np.float64]] = {}
    for reading in ("", f"_{CORRECTED.suffix}"):
        confusions = np.stack([(one.counts.corrected if reading else one.counts.confusions)[shot] for one in evidence])
        every = metrics.scores(confusions, dataset.labels)
        own = metrics.per_label(confusions, dataset.labels)
        values = {f"withheld_{name}": column[..., dataset.labels.index(label)] for name, column in own.items()}
        values |= {name: every[name] for name in every}
        found |= {f"{name}{reading}": each.mean(axis=0) for name, each in values.items()}
    return found


def _of_label(values: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    f1 = _mean_of_labels([values[WITHHELD_F1.name]])
    return {
        **{name: float(values[f"withheld_{name}"].mean()) for name in ("precision", "recall", "f1", "support")},
        "low": f1.value if f1.low is None else f1.low,
        "high": f1.value if f1.high is None else f1.high,
        "macro_f1": float(values["macro_f1"].mean()),
        "micro_f1": float(values["micro_f1"].mean()),
        "f1_corrected": float(values[CORRECTED.of(WITHHELD_F1).name].mean()),
    }


def _mean_of_labels(values: Sequence[NDArray[np.float64]]) -> Score:
    """The mean over labels of the mean over episodes (percent); episodes are drawn, labels given."""
    mean = float(np.mean([each.mean() for each in values]))
    variance = sum(each.var(ddof=1) / len(each) for each in values) / len(values) ** 2
    margin = QUANTILE_95 * float(np.sqrt(variance))
    return Score(mean, max(0.0, mean - margin), min(100.0, mean + margin))


def _chance_row(shot: int, dataset: Dataset) -> Row:
    labels = dataset.labels
    confusion = chance_confusion(gold_positions(dataset), labels)
    found, by_label = metrics.scores(confusion, labels), metrics.per_label(confusion, labels)
    per_label = {
        label: {name: float(values[labels.index(label)]) for name, values in by_label.items()}
        for label in labels.emotions
    }
    means = {WITHHELD_F1.name: float(np.mean([values["f1"] for values in per_label.values()]))}
    means |= {name: float(value) for name, value in found.items()}
    return Row(
        title=CHANCE,
        dataset=dataset.name,
        protocol=PROTOCOL,
        subset=_subset(shot),
        evidence="measured",
        source="computed by the protocol",
        summary="Expected scores of an answer drawn uniformly from all labels",
        # A guess knows no distances: both readings expect the same of it.
        scores={named.name: Score(means[metric.name]) for metric in SCORES for named in (metric, CORRECTED.of(metric))},
        per_label=per_label,
        floor=True,
    )
