"""Boards as CSV, and the same rows as values for `--json`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from erc_bench.board.rows import Board
from erc_bench.protocols.rows import HEADLINE, Row
from erc_bench.scoring.metrics import METRICS

COLUMNS = (
    *("rank", "system", "dataset", "protocol", "subset", "seeds"),
    *(f"{metric}{end}" for metric in HEADLINE for end in ("", "_low", "_high")),
    *("unusable_rate", "context", "parameters", "train_seconds", "utterances_per_second", "evidence", "source"),
)
DECIMALS = {"micro_f1": 4, "macro_f1": 4, "mcc": 6, "unusable_rate": 6}
TIME_DECIMALS = 1


def render_csv(boards: Sequence[Board]) -> str:
    """The boards as CSV with exactly `COLUMNS`; a value that a row does not have is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in all_rows(boards):
        writer.writerow({name: "" if value is None else value for name, value in values(row).items()})
    return file.getvalue()


def all_rows(boards: Sequence[Board]) -> Iterator[Row]:
    """Rows in the order of the files: dataset by dataset, measured sections first, then published rows."""
    for board in boards:
        for section in board.sections:
            yield from section.rows
        yield from board.published


def values(row: Row) -> dict[str, Any]:
    """A row by `COLUMNS`: F1 in percent, MCC in -1..1, the unusable rate as a share, times in seconds."""
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
        "source": "; ".join([row.source, *(f"flag: {flag}" for flag in row.flags)]),
    }
    for metric, decimals in DECIMALS.items():
        score = row.scores.get(metric)
        found[metric] = score and _rounded(score.value, decimals)
        if metric in HEADLINE:
            found[f"{metric}_low"] = score and _rounded(score.low, decimals)
            found[f"{metric}_high"] = score and _rounded(score.high, decimals)
    return {name: found[name] for name in COLUMNS}


def every_value(row: Row) -> dict[str, Any]:
    """`values`, and the scores that only some protocols have, such as `withheld_f1`, with their intervals."""
    found = values(row)
    for name, score in row.scores.items():
        if name not in METRICS:
            decimals = DECIMALS["micro_f1"] if "f1" in name else DECIMALS["mcc"]
            found[name] = _rounded(score.value, decimals)
            found[f"{name}_low"] = _rounded(score.low, decimals)
            found[f"{name}_high"] = _rounded(score.high, decimals)
    return found


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals) + 0.0  # -0.0 and 0.0 are one number
