"""Rows of the protocol `triplet`: every metric space with its controls, never ranked (`docs/triplet-protocol.md`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.protocols.triplet import (
    PROTOCOL,
    TRIPLETS_FILE,
    TripletCounts,
    constant_counts,
    gold_positions,
    noise_counts,
    run_counts,
    triplet_scores,
)
from erc_bench.records.groups import RunGroup, check_run, source_of, titles
from erc_bench.records.record import EMBEDDINGS_FILE
from erc_bench.scoring import metrics
from erc_bench.scoring.catalogue import HALF_TIES, METRICS, MICRO_F1, TIE_RATE, headline
from erc_bench.scoring.metric import Metric

SUBSET = "all"
RANKING = MICRO_F1
DEGENERATE_TIE_RATE = 0.5
DEGENERATE = "degenerate"
CONTROL_SOURCE = "computed by the protocol"


def triplet_section(groups: Sequence[RunGroup], dataset: Dataset) -> Section | None:
    """The section of the protocol: runs that embed, then the controls; None if no run embeds.

    `scores` of a row are means over all resamplings of all seeds, `deviation` their standard deviation; there is no
    interval, since resamplings of one model say nothing of other dialogues or other models. Beside each metric stands
    its value with ties counted half (`micro_f1_half_ties` and so on), and `tie_rate`, a share. Rows of controls have
    `floor` set; a row where most triplets are ties carries the flag "degenerate".

    Raises
    ------
    DataMissingError, DataCorruptError
        A run that was made on other data, or whose files were altered.
    """
    mine = [group for group in groups if group.record.dataset == dataset.name and _embeds(group)]
    if not mine:
        return None
    rows = []
    for title, group in zip(titles(mine), mine, strict=True):
        for run in group.runs:
            check_run(run, dataset)
        rows.append(_run_row(title, group, dataset))
    gold = gold_positions(dataset)
    noise, constant = noise_counts(gold, dataset.labels), constant_counts(gold, dataset.labels)
    rows.append(_row("Gaussian noise", [noise], dataset, system="", summary="Control: vectors without information"))
    rows.append(_row("constant vector", [constant], dataset, system="", summary="Control: every triplet is a tie"))
    rows.sort(
        key=lambda row: (
            row.floor,
            DEGENERATE in row.flags,
            RANKING.best_first(row.scores[RANKING.name].value),
            row.title,
        )
    )
    return Section(dataset.name, PROTOCOL, SUBSET, len(dataset.test), len(gold), tuple(rows), metrics=columns())


def columns() -> tuple[Metric, ...]:
    """What stands in the tables: scores as published, with ties counted half, and the share of ties."""
    published = headline(RANKING)
    return (*published, *map(HALF_TIES.of, published), TIE_RATE)


def _embeds(group: RunGroup) -> bool:
    record = group.record
    if record.withheld is not None or record.targets != "all":
        return False
    return all(any((run.folder / name).is_file() for name in (TRIPLETS_FILE, EMBEDDINGS_FILE)) for run in group.runs)


def _run_row(title: str, group: RunGroup, dataset: Dataset) -> Row:
    record = group.record
    return _row(
        title,
        [run_counts(run.folder, dataset) for run in group.runs],
        dataset,
        system=record.system,
        summary=record.summary,
        group=group,
    )


def _row(
    title: str,
    counts: Sequence[TripletCounts],
    dataset: Dataset,
    *,
    system: str,
    summary: str,
    group: RunGroup | None = None,
) -> Row:
    labels = dataset.labels
    values: dict[str, Score] = {}
    published = [triplet_scores(found, labels) for found in counts]
    for name in METRICS:
        values[name] = _score(np.concatenate([scores[name] for scores in published]))
    half = [triplet_scores(found, labels, "half") for found in counts]
    for metric in headline(RANKING):
        values[HALF_TIES.of(metric).name] = _score(np.concatenate([scores[metric.name] for scores in half]))
    tie_rate = float(np.mean([found.tie_rate for found in counts]))
    values[TIE_RATE.name] = Score(tie_rate)
    confusion = np.asarray(sum(found.confusions().sum(axis=0) for found in counts), np.int64)
    record = group.record if group else None
    return Row(
        title=title,
        dataset=dataset.name,
        protocol=PROTOCOL,
        subset=SUBSET,
        evidence=record.evidence if record else "measured",
        source=source_of([run.record for run in group.runs]) if group else CONTROL_SOURCE,
        system=system,
        summary=summary,
        reference=record.reference if record else "",
        seeds=len(group.runs) if group else None,
        scores=values,
        per_label=metrics.mean_per_label(np.concatenate([found.confusions() for found in counts]), labels),
        confusion=confusion,
        context=(record.context or "") if record else "",
        context_tested=bool(record and record.context_check and record.context_check.tested),
        floor=record.floor if record else True,
        parameters=record.parameters if record else None,
        flags=(DEGENERATE,) if tie_rate > DEGENERATE_TIE_RATE else (),
        notes=_notes(counts, dataset),
        commands=tuple(run.record.command for run in group.runs) if group else (),
    )


def _notes(counts: Sequence[TripletCounts], dataset: Dataset) -> tuple[str, ...]:
    utterances = sum(map(len, dataset.test))
    resamplings = sum(len(found.correct) for found in counts)
    notes = [f"mean ± standard deviation over {resamplings} resamplings of random triplets"]
    fewest = min(found.vectors for found in counts)
    if fewest < utterances:
        notes.append(f"{utterances - fewest} of {utterances} test utterances have no vector and are never drawn")
    return tuple(notes)


def _score(values: NDArray[np.float64]) -> Score:
    return Score(float(values.mean()), deviation=float(values.std(ddof=1)) if len(values) > 1 else None)
