"""The board across corpora as Markdown and as CSV, and the pairs that were tested as values for `--json`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from erc_bench.board import across_text as text
from erc_bench.board.across import AcrossBoard, AcrossPair
from erc_bench.board.formats.markdown import escaped, markdown_table
from erc_bench.board.text import DOCUMENTATION
from erc_bench.board.words import p_in_files
from erc_bench.shown import cell


def render_markdown(board: AcrossBoard) -> str:
    """The board as one Markdown document: the table of systems, then what holds on every corpus."""
    blocks = [
        "# Across corpora",
        escaped(text.LEAD),
        f"## {escaped(text.title(board))}",
        f"{escaped(text.provenance(board))} {escaped(text.method(board))} More: [{DOCUMENTATION}](../{DOCUMENTATION}).",
        markdown_table(text.systems_table(board)),
        f"## {escaped(text.holding(board))}",
        escaped(text.claim(board)),
    ]
    lines = [f"- {escaped(line)}" for line in text.holding_lines(board)]
    return "\n\n".join([*blocks, *(["\n".join(lines)] if lines else [])]) + "\n"


def render_csv(board: AcrossBoard) -> str:
    """The board as CSV with exactly the columns of the board, a line a system; a value that it does not have is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, board.columns(), lineterminator="\n")
    writer.writeheader()
    for row in board.records():
        better = {"better_on_all_than": "; ".join(row["better_on_all_than"])}
        writer.writerow({name: "" if value is None else cell(value) for name, value in (row | better).items()})
    return file.getvalue()


def pair_records(board: AcrossBoard) -> Iterator[dict[str, Any]]:
    """Every pair that was tested, with its difference on each corpus."""
    yield from (_pair(board, pair) for pair in board.pairs)


def _pair(board: AcrossBoard, pair: AcrossPair) -> dict[str, Any]:
    return {
        "a": pair.a,
        "b": pair.b,
        "p_value": p_in_files(pair.p_value),
        "p_value_corrected": p_in_files(pair.corrected),
        "holds_on_all": pair.holds,
        "better": pair.better if pair.holds else None,
        "corpora": {
            corpus.name: {
                "metric": corpus.metric.name,
                "difference": corpus.metric.rounded(found.difference),
                "low": corpus.metric.rounded(found.interval.low),
                "high": corpus.metric.rounded(found.interval.high),
                "p_value": p_in_files(found.p_value),
            }
            for corpus, found in zip(board.corpora, pair.comparisons, strict=True)
        },
    }
