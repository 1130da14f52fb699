"""The tables of metric spaces: triplets with their controls, and few-shot labels. Neither is ranked."""

from __future__ import annotations

from erc_bench.board.rows import Board
from erc_bench.board.triplet_rows import HALF_TIES
from erc_bench.board.words import MISSING, score_text
from erc_bench.protocols import few_shot, triplet
from erc_bench.protocols.rows import HEADLINE, Row, Score

EXAMPLES = "examples"


def triplet_cells(board: Board) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Column names and cells: scores as published and with ties counted half, and the share of ties."""
    half = [f"{metric}{HALF_TIES}" for metric in HEADLINE]
    columns = ("system", *HEADLINE, *half, "ties", "seeds", "context", "flags")
    rows = [
        (
            _title(row),
            *(_spread(metric, row.scores.get(metric)) for metric in (*HEADLINE, *half)),
            _spread("tie_rate", row.scores.get("tie_rate")),
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
        "macro F1",
        "flags",
    )
    rows = [
        (
            section.subset.split()[0],
            _title(row),
            _bounds(row.scores.get("withheld_f1")),
            _bounds(row.scores.get("withheld_f1_corrected")),
            *(score_text("f1", row.per_label.get(label, {}).get("f1")) for label in emotions),
            _bounds(row.scores.get("macro_f1")),
            "; ".join(row.flags) or MISSING,
        )
        for section in board.sections
        if section.protocol == few_shot.PROTOCOL
        for row in section.rows
    ]
    return columns, rows


def _title(row: Row) -> str:
    return f"{row.title} (control)" if row.floor else row.title


def _spread(metric: str, score: Score | None) -> str:
    if score is None:
        return MISSING
    value = score_text(metric, score.value)
    return value if score.deviation is None else f"{value} ± {score_text(metric, score.deviation)}"


def _bounds(score: Score | None) -> str:
    if score is None:
        return MISSING
    value = score_text("f1", score.value)
    if score.low is None or score.high is None:
        return value
    return f"{value} [{score_text('f1', score.low)}, {score_text('f1', score.high)}]"
