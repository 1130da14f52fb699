"""Boards as Markdown (GitHub's flavour, also readable as plain text)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from erc_bench.board import text
from erc_bench.board.by_phenomenon import phenomena_legend, phenomena_table, shown_section
from erc_bench.board.model import Board
from erc_bench.board.sureness import sure_section, sureness_table, without_scores
from erc_bench.board.words import protocol_meaning, subset_meaning
from erc_bench.scoring.calibration import BINS
from erc_bench.shown import visible

# What Markdown would read as code, emphasis, a table border, HTML, an entity, or a link or its definition.
SPECIAL = re.compile(r"[\\`*<|~]|&(?=#?\w+;)|\](?=[(\[:])|(?<!\w)_|_(?!\w)")


def render_markdown(boards: Sequence[Board]) -> str:
    """The boards as one Markdown document: for each dataset a table a protocol, then the published results."""
    blocks = ["# Leaderboard"]
    for board in boards:
        blocks += _board(board)
    return "\n\n".join(blocks) + "\n"


def escaped(value: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(lambda match: f"\\{match.group()}", visible(" ".join(value.split())))


def _board(board: Board) -> Iterator[str]:
    yield f"## {escaped(board.dataset)}"
    introduction = escaped(text.provenance(board))
    if board.sections:
        introduction += f" {escaped(text.method(board))} More: [{text.DOCUMENTATION}](../{text.DOCUMENTATION})."
    yield introduction
    for protocol in board.protocols():
        yield f"### {escaped(board.dataset)}: {protocol}"
        yield f"{protocol_meaning(protocol)} {text.scope(board, protocol)}".lstrip()
        yield markdown_table(text.measured_table(board, protocol))
        notes = list(text.notes(board, protocol))
        if notes:
            yield "\n".join(["Notes:", "", *(f"- {escaped(note)}" for note in notes)])
        for section, table in text.tables_apart(board, protocol):
            yield f"### {escaped(board.dataset)}: {protocol}, {section.subset}"
            yield f"{subset_meaning(section.subset)} {text.size(section)}."
            yield markdown_table(table)
    if board.contrasts:
        yield f"### {escaped(board.dataset)}: planned contrasts"
        yield text.contrast_method()
        yield markdown_table(text.contrast_table(board.contrasts))
    if told := shown_section(board):
        yield f"### {escaped(board.dataset)}: {told.protocol}, by phenomenon"
        yield (
            f"{told.breakdowns[0].metric.heading} on the utterances of each group (their number in brackets), with 95% "
            "intervals. Groups have label frequencies of their own: compare rows within a group."
        )
        yield markdown_table(phenomena_table(told))
        yield "\n".join(f"- {name}: {escaped(meaning)}" for name, meaning in phenomena_legend(told))
    if sure := sure_section(board):
        yield f"### {escaped(board.dataset)}: {sure.protocol}, how sure"
        yield (
            f"Calibration error: of the confidence in each answer, in {BINS} bins of equal width, for scores that are "
            "probabilities. Risk: the share of wrong answers among the surest, and its mean over all coverages. No scores in "
            f"the predictions: {escaped(', '.join(without_scores(sure)) or 'of none')}."
        )
        yield markdown_table(sureness_table(sure))
    if board.published:
        yield f"### {escaped(board.dataset)}: published results"
        yield (
            "Copied from the source named on each row: not measured here, not ranked, and no more comparable with measured "
            "rows than their flags say. A flag that is missing promises nothing: not every paper could be read."
        )
        yield markdown_table(text.published_table(board))
        legend = list(text.flag_legend(board.published))
        if legend:
            yield "\n".join(["Flags:", "", *(f"- {escaped(flag)}: {escaped(note)}." for flag, note in legend)])
        checks = list(text.checked_legend(board.published))
        if checks:
            yield "\n".join(["Checked:", "", *(f"- {escaped(how)}: {escaped(note)}." for how, note in checks)])


def markdown_table(table: text.TextTable) -> str:
    """A table in Markdown; what its cells hold is shown as it is."""
    lines = [
        _line(escaped(column) for column in table.columns),
        _line("---:" if right else "---" for right in table.numeric),
        *(_line(escaped(cell) for cell in row) for row in table.rows),
    ]
    return "\n".join(lines)


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
