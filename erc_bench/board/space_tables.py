"""The tables of metric spaces: triplets with their controls, and few-shot labels. Neither is ranked."""

from __future__ import annotations

from erc_bench.board.rows import Board
from erc_bench.board.triplet_rows import columns as triplet_columns
from erc_bench.board.words import MISSING
from erc_bench.protocols import few_shot, triplet
from erc_bench.protocols.rows import Row, Score
from erc_bench.scoring.catalogue import CORRECTED, MACRO_F1, WITHHELD_F1
from erc_bench.scoring.metric import PERCENT, Metric

EXAMPLES = "examples"


def triplet_cells(board: Board) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Column names and cells: scores as published and with ties counted half, and the share of ties."""
    metrics = triplet_columns()
    columns = ("system", *(metric.words for metric in metrics), "seeds", "context", "flags")
    rows = [
        (
            _title(row),
            *(_spread(metric, row.scores.get(metric.name)) for metric in metrics),
            f"{row.seeds}" if row.seeds else MISSING,
            row.context or MISSING,
            "; ".join(row.flags) or MISSING,
        )
        for row in board.rows(triplet.PROTOCOL)
    ]
    return columns, rows


def few_shot_cells(board: Board) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Column names and cells: F1 of the withheld label by its number of examples, mean (two readings) and each emotion."""
    emotions = board.labels.emotions
    columns = (
        EXAMPLES,
        "system",
        "withheld F1",
        "withheld F1, corrected",
        *(f"F1 of {label}" for label in emotions),
        MACRO_F1.words,
        "flags",
    )
    rows = [
        (
            section.subset.split()[0],
            _title(row),
            _bounds(row.scores.get(WITHHELD_F1.name)),
            _bounds(row.scores.get(CORRECTED.of(WITHHELD_F1).name)),
            *(PERCENT.text(row.per_label.get(label, {}).get("f1")) for label in emotions),
            _bounds(row.scores.get(MACRO_F1.name)),
            "; ".join(row.flags) or MISSING,
        )
        for section in board.sections
        if section.protocol == few_shot.PROTOCOL
        for row in section.rows
    ]
    return columns, rows


def _title(row: Row) -> str:
    return f"{row.title} (control)" if row.floor else row.title


def _spread(metric: Metric, score: Score | None) -> str:
    if score is None:
        return MISSING
    value = metric.text(score.value)
    return value if score.deviation is None else f"{value} ± {metric.text(score.deviation)}"


def _bounds(score: Score | None) -> str:
    if score is None:
        return MISSING
    value = PERCENT.text(score.value)
    if score.low is None or score.high is None:
        return value
    return f"{value} [{PERCENT.text(score.low)}, {PERCENT.text(score.high)}]"
