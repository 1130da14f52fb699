"""Boards as CSV, and the same rows as values for `--json`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from erc_bench.board.model import Board
from erc_bench.board.words import p_in_files
from erc_bench.protocols.rows import DIALOGUES, Row, Score, Section
from erc_bench.scoring.catalogue import AURC, CORRECTED, ECE, METRICS, WITHHELD_F1, find_metric
from erc_bench.scoring.metric import PERCENT, Metric
from erc_bench.shown import cell

WITH_INTERVAL = ("micro_f1", "macro_f1", "mcc")
FIRST_COLUMNS = (
    *("rank", "system", "dataset", "protocol", "subset", "seeds"),
    *(f"{metric}{end}" for metric in WITH_INTERVAL for end in ("", "_low", "_high")),
    *("unusable_rate", "context", "parameters", "train_seconds", "utterances_per_second", "evidence", "source"),
)
LATER_COLUMNS = ("above_floors", "decision")
LAST_COLUMNS = (ECE.name, AURC.name)
# Of rows whose intervals are over drawn episodes: these never stand where others have intervals over dialogues.
WITHHELD = (WITHHELD_F1, CORRECTED.of(WITHHELD_F1))
EPISODE_COLUMNS = (
    *(f"{metric.name}{end}" for metric in WITHHELD for end in ("", "_episodes_low", "_episodes_high")),
    *(f"{name}_episodes{end}" for name in ("micro_f1", "macro_f1") for end in ("_low", "_high")),
)
TIME_DECIMALS = 4


def columns() -> tuple[str, ...]:
    """The columns of the CSV: the first ones in their published order, later ones, every other metric with its limits,
    sureness, and what has intervals over episodes.
    """
    others = (f"{name}{end}" for name in METRICS if name not in FIRST_COLUMNS for end in ("", "_low", "_high"))
    return (*FIRST_COLUMNS, *LATER_COLUMNS, *others, *LAST_COLUMNS, *EPISODE_COLUMNS)


def label_columns(boards: Sequence[Board]) -> tuple[str, ...]:
    """The F1 of single labels (percent), `f1_of_anger`: one column for each that the table of a protocol has on a board.

    In rows of the protocol few-shot it is the F1 of that emotion in the runs that never saw it; other rows have none.
    """
    shown = (label for board in boards for section in board.sections for label in _labels(section))
    return tuple(dict.fromkeys(f"f1_of_{label}" for label in shown))


def _labels(section: Section) -> list[str]:
    return [] if section.layout is None else [column.label for column in section.layout.columns if column.label]


def _of_labels(board: Board) -> Iterator[dict[str, Any]]:
    """What each row of a board has in `label_columns`, in the order of `all_rows`."""
    for section in board.sections:
        for row in section.rows:
            f1 = {label: row.per_label.get(label, {}).get("f1") for label in _labels(section)}
            yield {f"f1_of_{label}": _rounded(value, PERCENT.file_decimals) for label, value in f1.items()}
    yield from ({} for _ in board.published)


def render_csv(boards: Sequence[Board]) -> str:
    """The boards as CSV with `columns()` and then `label_columns`; a value that a row does not have is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, (*columns(), *label_columns(boards)), restval="", lineterminator="\n")
    writer.writeheader()
    of_labels = (found for board in boards for found in _of_labels(board))
    for row, labels in zip(all_rows(boards), of_labels, strict=True):
        found = values(row) | labels
        writer.writerow({name: "" if value is None else cell(value) for name, value in found.items()})
    return file.getvalue()


CONTRAST_COLUMNS = (
    *("dataset", "family", "question", "a", "b", "protocol", "subset", "metric", "difference", "low", "high"),
    *("p_value", "p_corrected", "written", "missing"),
)


def render_contrasts(boards: Sequence[Board]) -> str:
    """The planned contrasts of the boards as CSV; the answer of one that was not run yet is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, CONTRAST_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for contrast in contrast_values(boards):
        writer.writerow({name: "" if value is None else value for name, value in contrast.items()})
    return file.getvalue()


def contrast_values(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Every planned contrast by `CONTRAST_COLUMNS`: A minus B in the unit of the metric, p-values as shares."""
    found = []
    for tested in (each for board in boards for each in board.contrasts):
        asked, answer, metric = tested.contrast, tested.comparison, tested.metric
        values: dict[str, Any] = {name: getattr(asked, name) for name in CONTRAST_COLUMNS[:7]} | {"metric": metric.name}
        values |= dict.fromkeys(CONTRAST_COLUMNS[8:14]) | {"missing": "; ".join(tested.missing) or None}
        if answer is not None and tested.corrected is not None:
            values |= {
                "difference": metric.rounded(answer.difference),
                "low": metric.rounded(answer.interval.low),
                "high": metric.rounded(answer.interval.high),
                "p_value": p_in_files(answer.p_value),
                "p_corrected": p_in_files(tested.corrected),
                "written": tested.written,
            }
        found.append(values)
    return found


def all_rows(boards: Sequence[Board]) -> Iterator[Row]:
    """Rows in the order of the files: dataset by dataset, measured sections first, then published rows."""
    for board in boards:
        for section in board.sections:
            yield from section.rows
        yield from board.published


def values(row: Row) -> dict[str, Any]:
    """A row by `columns()`: F1 in percent, MCC in -1..1, the unusable rate as a share, times in seconds."""
    found: dict[str, Any] = {
        "rank": row.rank or None,
        "system": row.title,
        "dataset": row.dataset,
        "protocol": row.protocol,
        "subset": row.subset,
        "seeds": row.seeds,
        "context": row.context or None,
        "parameters": row.parameters,
        "train_seconds": _rounded(row.train_seconds, TIME_DECIMALS),
        "utterances_per_second": _rounded(row.utterances_per_second, TIME_DECIMALS),
        "evidence": row.evidence,
        "source": "; ".join([row.source, *(f"flag: {flag}" for flag in row.flags), *_checked(row)]),
        "decision": row.decision or None,
        "above_floors": None if row.above_floors is None else "yes" if row.above_floors else "no",
    }
    found |= dict.fromkeys(name for name in columns() if name not in found)
    for metric in (*METRICS.values(), ECE, AURC, *WITHHELD):
        found |= _with_limits(metric, row.scores.get(metric.name), row.drawn)
    return {name: found[name] for name in columns()}


def _checked(row: Row) -> list[str]:
    return [f"checked: {row.checked}"] if row.checked else []


def every_value(row: Row) -> dict[str, Any]:
    """`values`, and every score of the row with its interval, those that only some protocols have included."""
    found = values(row)
    for name, score in row.scores.items():
        found |= _with_limits(find_metric(name), score, row.drawn)
    return found


def _with_limits(metric: Metric, score: Score | None, drawn: str) -> dict[str, float | None]:
    name = metric.name if drawn == DIALOGUES else f"{metric.name}_{drawn}"
    return {
        metric.name: metric.rounded(score.value if score else None),
        f"{name}_low": metric.rounded(score.low if score else None),
        f"{name}_high": metric.rounded(score.high if score else None),
    }


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals) + 0.0  # -0.0 and 0.0 are one number
