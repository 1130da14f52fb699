"""Rows of the protocol `few-shot`: how well a label is recognised that training never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench import metrics
from erc_bench.board.rows import Row, RunGroup, Score, Section, check_run
from erc_bench.domain import Dataset
from erc_bench.few_shot import PROTOCOL, SHOTS, FewShotCounts, chance_confusion, run_counts
from erc_bench.records import RunRecord
from erc_bench.triplet import gold_positions

CHANCE = "chance: one of all labels at random"
CORRECTED = "_corrected"
# Two-sided 95% quantile of the normal distribution: there are at least 50 episodes in every mean.
QUANTILE_95 = 1.959964


@dataclass(frozen=True, eq=False)
class _Evidence:
    """One run and its episodes."""

    record: RunRecord
    counts: FewShotCounts


def few_shot_sections(groups: Sequence[RunGroup], dataset: Dataset) -> list[Section]:
    """One section for each number of examples ("1 example", "5 examples", …): a row a system, and chance.

    `per_label` of a row has, for each label that was withheld in turn, the `f1` (percent) that the label reached in
    the runs that never saw it, with `low` and `high` (95% interval of the mean over episodes), its `support`, and
    `macro_f1` and `micro_f1` over all emotions in those runs. `scores` has `withheld_f1`, `macro_f1` and `micro_f1`,
    each the mean over the withheld labels with its 95% interval. Beside each of these numbers stands the one from
    distances corrected for the number of examples (`withheld_f1_corrected` and so on; see `erc_bench.few_shot`). A row
    that lacks some of the emotions is flagged.
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
                *sorted(found, key=lambda row: (-row.scores["withheld_f1"].value, row.title)),
                _chance_row(shot, dataset),
            ),
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
            found.setdefault(title, []).append(_Evidence(run.record, run_counts(run.folder, dataset)))
    return found


def _row(title: str, evidence: Sequence[_Evidence], shot: int, dataset: Dataset) -> Row:
    record = evidence[0].record
    episodes: dict[str, dict[str, NDArray[np.float64]]] = {}
    confusions: dict[str, NDArray[np.int64]] = {}
    for label in dataset.labels.emotions:
        of_label = [one.counts.confusions[shot] for one in evidence if one.counts.withheld == label]
        if of_label:
            corrected = [one.counts.corrected[shot] for one in evidence if one.counts.withheld == label]
            confusions[label] = np.concatenate(of_label)
            episodes[label] = _values(confusions[label], label, dataset)
            again = _values(np.concatenate(corrected), label, dataset)
            episodes[label] |= {f"{name}{CORRECTED}": values for name, values in again.items()}
    missing = [label for label in dataset.labels.emotions if label not in episodes]
    return Row(
        title=title,
        dataset=dataset.name,
        protocol=PROTOCOL,
        subset=_subset(shot),
        evidence=record.evidence,
        source=record.command,
        system=record.system,
        summary=record.summary,
        reference=record.reference,
        seeds=len({one.record.seed for one in evidence}),
        scores={name: _mean_of_labels([values[name] for values in episodes.values()]) for name in _NAMES},
        per_label={label: _of_label(values, confusions[label], label, dataset) for label, values in episodes.items()},
        context=record.context or "",
        floor=record.floor,
        parameters=record.parameters,
        flags=(f"without {', '.join(missing)}",) if missing else (),
        notes=(f"{min(len(values['micro_f1']) for values in episodes.values())} episodes or more for each label",),
        commands=tuple(one.record.command for one in evidence),
    )


_NAMES = tuple(f"{name}{reading}" for reading in ("", CORRECTED) for name in ("withheld_f1", "macro_f1", "micro_f1"))


def _values(confusions: NDArray[np.int64], label: str, dataset: Dataset) -> dict[str, NDArray[np.float64]]:
    found = metrics.scores(confusions, dataset.labels)
    f1 = metrics.per_label(confusions, dataset.labels)["f1"][..., dataset.labels.index(label)]
    return {"withheld_f1": f1, "macro_f1": found["macro_f1"], "micro_f1": found["micro_f1"]}


def _of_label(
    values: Mapping[str, NDArray[np.float64]], confusions: NDArray[np.int64], label: str, dataset: Dataset
) -> dict[str, float]:
    f1 = _mean_of_labels([values["withheld_f1"]])
    position = dataset.labels.index(label)
    return {
        "f1": f1.value,
        "low": f1.value if f1.low is None else f1.low,
        "high": f1.value if f1.high is None else f1.high,
        "macro_f1": float(values["macro_f1"].mean()),
        "micro_f1": float(values["micro_f1"].mean()),
        "f1_corrected": float(values[f"withheld_f1{CORRECTED}"].mean()),
        "support": float(confusions[0, position].sum()),
    }


def _mean_of_labels(values: Sequence[NDArray[np.float64]]) -> Score:
    """The mean over labels of the mean over episodes; the interval treats episodes as drawn and labels as given."""
    mean = float(np.mean([each.mean() for each in values]))
    if any(len(each) < 2 for each in values):
        return Score(mean)
    variance = sum(each.var(ddof=1) / len(each) for each in values) / len(values) ** 2
    margin = QUANTILE_95 * float(np.sqrt(variance))
    return Score(mean, mean - margin, mean + margin)


def _chance_row(shot: int, dataset: Dataset) -> Row:
    labels = dataset.labels
    confusion = chance_confusion(gold_positions(dataset), labels)
    found, by_label = metrics.scores(confusion, labels), metrics.per_label(confusion, labels)
    per_label = {
        label: {
            "f1": float(by_label["f1"][labels.index(label)]),
            "support": float(by_label["support"][labels.index(label)]),
        }
        for label in labels.emotions
    }
    return Row(
        title=CHANCE,
        dataset=dataset.name,
        protocol=PROTOCOL,
        subset=_subset(shot),
        evidence="measured",
        source="computed by the protocol",
        summary="Expected scores of an answer drawn uniformly from all labels",
        scores={
            "withheld_f1": Score(float(np.mean([values["f1"] for values in per_label.values()]))),
            "macro_f1": Score(float(found["macro_f1"])),
            "micro_f1": Score(float(found["micro_f1"])),
        },
        per_label=per_label,
        floor=True,
    )
