r"""Boards as LaTeX tables for `\input`, set with booktabs, compiled by any engine.

Every character of a run record is escaped; what the default fonts of pdfLaTeX do not have is written as its code
point, so that no name can break a paper.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from erc_bench.board import text
from erc_bench.board.model import Board
from erc_bench.board.words import protocol_meaning, subset_meaning
from erc_bench.protocols.rows import Row

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "`": "{`}",
    "'": "{'}",
    "[": "{[}",
    "]": "{]}",
    "-": "{-}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "−": "$-$",
    "±": r"$\pm$",
    "✓": r"$\checkmark$",
    "…": r"\dots{}",
    "’": "'",
    "“": "``",
    "”": "''",
}
HEADER = r"""% Leaderboard of erc-bench. Preamble: \usepackage{booktabs,amssymb}
"""
SIZE = r"\footnotesize"
LEFT_OUT = ("decision", "parameters", "training", "utt/s", "evidence")
NAME_WIDTH = r"0.21\linewidth"
NOTE_WIDTH = r"0.95\linewidth"
QUESTION_WIDTH = r"0.36\linewidth"


def render_latex(boards: Sequence[Board]) -> str:
    """The boards as `table*` environments: for each protocol its measured rows, and those of subsets with a table of their own;
    then planned contrasts, and published results.
    """
    return HEADER + "\n".join(block for board in boards for block in _board(board))


def escaped(value: str) -> str:
    """A text that LaTeX sets as it is."""
    return "".join(map(_character, unicodedata.normalize("NFC", " ".join(value.split()))))


def _character(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character.isascii():
        return character if character.isprintable() else ""
    # The default fonts have letters with an accent of Latin-1; a character from beyond is named and not lost.
    decomposed = unicodedata.normalize("NFD", character)
    if ord(character) <= 0xFF and decomposed[0].isascii() and len(decomposed) > 1:
        return character
    return f"U+{ord(character):04X}"


def _board(board: Board) -> Iterator[str]:
    for protocol in board.protocols():
        yield _measured(board, protocol)
        yield from _apart(board, protocol)
    if board.contrasts:
        yield _contrasts(board)
    if board.published:
        yield _published(board)


def _measured(board: Board, protocol: str) -> str:
    caption = f"Measured results on {board.dataset}, protocol {protocol}. {text.scope(board, protocol)}"
    about = text.method(board) if text.is_ranked(board, protocol) else protocol_meaning(protocol)
    return _scores(
        text.measured_table(board, protocol),
        caption,
        f"tab:{_label(board.dataset)}-{_label(protocol)}",
        [about, *text.notes(board, protocol)],
    )


def _apart(board: Board, protocol: str) -> Iterator[str]:
    for section, table in text.tables_apart(board, protocol):
        yield _scores(
            table,
            f"Measured results on {board.dataset}, protocol {protocol}, subset {section.subset}: {text.size(section)}.",
            f"tab:{_label(board.dataset)}-{_label(protocol)}-{_label(section.subset)}",
            [subset_meaning(section.subset)],
        )


def _scores(table: text.TextTable, caption: str, label: str, notes: Sequence[str]) -> str:
    shown = [position for position, name in enumerate(table.columns) if name not in LEFT_OUT]
    columns = [table.columns[position] for position in shown]
    return _table(
        caption,
        label,
        [name.removesuffix(text.INTERVAL) for name in columns],
        "".join("r" if table.numeric[position] else "l" for position in shown),
        [line for row in table.rows for line in _two_lines([row[position] for position in shown], columns)],
        notes,
    )


def _contrasts(board: Board) -> str:
    """Under each question its family and the two rows, so that the table fits a page; under each effect its interval."""
    table = text.contrast_table(board.contrasts)
    rows = []
    for family, question, a, b, *between, effect, p_value, corrected, written in table.rows:
        asked = rf"{escaped(question)}\\{{\scriptsize {escaped(f'{family}. A: {a}; B: {b}')}}}"
        value, bracket, interval = effect.partition(" [")
        found = rf"{escaped(value)}\\{{\scriptsize {escaped(bracket.strip() + interval)}}}"
        cells = [
            rf"\parbox[t]{{{QUESTION_WIDTH}}}{{\raggedright {asked}}}",
            *map(escaped, between),
            rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{found}\end{{tabular}}",
            *map(escaped, (p_value, corrected, written)),
        ]
        rows.append(f"{' & '.join(cells)} \\\\[3pt]")
    return _table(
        f"Planned contrasts on {board.dataset}.",
        f"tab:{_label(board.dataset)}-contrasts",
        ["question", *(name.removesuffix(text.INTERVAL) for name in table.columns[4:])],
        "lllrrrl",
        rows,
        [text.contrast_method()],
    )


def _two_lines(cells: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    """Scores on one line and, smaller, their intervals below, so that the table fits a page."""
    upper, lower = [], []
    for cell, column in zip(cells, columns, strict=True):
        value, bracket, interval = cell.partition(" [") if column.endswith(text.INTERVAL) else (cell, "", "")
        shown = escaped(value)
        upper.append(rf"\parbox[t]{{{NAME_WIDTH}}}{{\raggedright {shown}}}" if column == "system" else shown)
        lower.append(rf"{{\scriptsize {escaped(bracket.strip() + interval)}}}" if interval else "")
    yield f"{' & '.join(upper)} \\\\[-1pt]"
    yield f"{' & '.join(lower)} \\\\[3pt]"


def _published(board: Board) -> str:
    metrics = text.published_metrics(board)
    marks = {flag: mark for (flag, _), mark in zip(text.flag_legend(board.published), _marks(), strict=False)}
    rows = [
        " & ".join(
            [
                escaped(row.title) + _superscript(row, marks),
                escaped(row.reference),
                escaped(row.protocol),
                *(escaped(text.published_score(row, metric)) for metric in metrics),
            ]
        )
        + r" \\"
        for row in board.published
    ]
    legend = [f"{marks[flag]}: {note}." for flag, note in text.flag_legend(board.published)]
    titles: dict[str, list[str]] = {}
    for row in board.published:
        titles.setdefault(row.source, []).append(row.title)
    sources = [f"{', '.join(names)}: {source}." for source, names in titles.items()]
    return _table(
        f"Published results on {board.dataset}, copied from their sources: not measured here, not ranked.",
        f"tab:{_label(board.dataset)}-published",
        ["system", "reference", "protocol", *(metric.words for metric in metrics)],
        f"lll{'r' * len(metrics)}",
        rows,
        [*legend, *sources],
    )


def _marks() -> Iterator[str]:
    yield from "abcdefghijklmnopqrstuvwxyz"


def _superscript(row: Row, marks: dict[str, str]) -> str:
    return f"$^{{\\mathrm{{{','.join(marks[flag] for flag in row.flags)}}}}}$" if row.flags else ""


def _label(name: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in name)


def _table(
    caption: str,
    label: str,
    columns: Sequence[str],
    alignment: str,
    rows: Sequence[str],
    notes: Sequence[str],
) -> str:
    lines = [
        r"\begin{table*}[tbp]",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{{label}}}",
        SIZE,
        r"\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        " & ".join(map(escaped, columns)) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\medskip",
        rf"\parbox{{{NOTE_WIDTH}}}{{\raggedright\scriptsize",
        *(rf"{escaped(note)}\par" for note in notes),
        "}",
        r"\end{table*}",
        "",
    ]
    return "\n".join(lines)
