from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from erc_bench.board.contrasts import Answer, Contrast
from erc_bench.board.formats.latex import escaped, render_latex
from erc_bench.board.model import Board
from erc_bench.board.published import published_rows
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.rows import Row, Section
from erc_bench.scoring.bootstrap import Interval
from erc_bench.scoring.catalogue import MICRO_F1
from erc_bench.scoring.significance import Comparison
from tests.board.conftest import measured

DOCUMENT = r"""\documentclass[a4paper]{article}
\usepackage[margin=1.5cm]{geometry}
\usepackage{booktabs,amssymb}
\begin{document}
\input{leaderboard}
\end{document}
"""


QUESTION = Contrast("the paper", "Does 50% help?", "large", "middle", "dailydialog", "", "last-turn", "not-verbatim")
CONTRASTS = (
    Answer(QUESTION, MICRO_F1, Comparison(MICRO_F1, 1.5, Interval(-0.25, 3.0), 1, 0.0187, 2), 0.0374),
    Answer(replace(QUESTION, question="And $x$?"), MICRO_F1, missing=("middle",)),
)


@pytest.fixture(scope="module")
def board(sections: Sequence[Section]) -> Board:
    annotated = measured("second annotation", 0.8, "annotated-twice", evidence="annotation")
    apart = Section("dailydialog", "last-turn", "annotated-twice", 106, 106, (annotated,), ranked=False)
    published = published_rows("dailydialog")
    return Board("dailydialog", "0" * 64, {}, LABELS, (*sections, apart), published, contrasts=CONTRASTS)


def test_measured_and_published_tables_are_apart(board: Board) -> None:
    text = render_latex([board])
    tables = text.split(r"\begin{table*}")[1:]
    assert len(tables) == 5
    assert r"\label{tab:dailydialog-utterance}" in tables[0]
    assert r"\label{tab:dailydialog-last-turn}" in tables[1]
    assert r"\label{tab:dailydialog-published}" in tables[-1]
    for table in tables:
        assert [table.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert "COSMIC" not in "".join(tables[:-1])
    assert r"COSMIC$^{\mathrm{a}}$" in tables[-1]
    assert r"Llama2{-}7b$^{\mathrm{e,f}}$" in tables[-1]
    assert "f: the table prints an MCC of 0.08" in tables[-1]


def test_the_second_annotation_stands_in_a_table_of_its_own_with_what_it_is(board: Board) -> None:
    table = render_latex([board]).split(r"\begin{table*}")[3]
    assert r"protocol last{-}turn, subset annotated{-}twice: 106 dialogues, 106 utterances." in table
    assert r"\label{tab:dailydialog-last-turn-annotated-twice}" in table
    assert "system & micro F1 & macro F1 & MCC & macro F1, all labels & weighted F1, all labels & accuracy" in table
    assert table.index("second annotation") < table.index("they were annotated a second time")


def test_planned_contrasts_have_effect_interval_and_both_p_or_say_that_they_were_not_run(board: Board) -> None:
    table = render_latex([board]).split(r"\begin{table*}")[4]
    assert r"\caption{Planned contrasts on dailydialog.}" in table
    first, second = (line for line in table.splitlines() if line.startswith(r"\parbox[t]"))
    assert r"Does 50\% help?\\{\scriptsize the paper. A: large; B: middle}" in first
    assert r"+1.50\\{\scriptsize {[}$-$0.25, +3.00{]}}" in first
    assert first.endswith(r" & 0.0187 & 0.0374 & after its runs \\[3pt]")
    assert r"And \$x\$?" in second
    assert "not run yet" in second
    assert "corrected: Holm" in table
    assert "Planned" not in render_latex([replace(board, contrasts=())])


def test_every_row_has_as_many_cells_as_the_header(board: Board) -> None:
    for table in render_latex([board]).split(r"\begin{table*}")[1:]:
        body = table.split(r"\toprule")[1].split(r"\bottomrule")[0].splitlines()
        rows = [line for line in body if "&" in line]
        assert len({line.count(" & ") for line in rows}) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("50% & more_of #1 $x$", r"50\% \& more\_of \#1 \$x\$"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("a^b~c", r"a\textasciicircum{}b\textasciitilde{}c"),
        ("Gaël", "Gaël"),
        ("5–6 ± 0.1 −1 ✓", r"5\textendash{}6 $\pm$ 0.1 $-$1 $\checkmark$"),
        ("情\u200b", "U+60C5U+200B"),
        ("a\nb\x07", "a b"),
    ],
)
def test_texts_are_escaped(value: str, shown: str) -> None:
    assert escaped(value) == shown


def compiled(folder: Path, text: str) -> str:
    """The log of pdfLaTeX; fails if it fails."""
    program = shutil.which("pdflatex")
    if program is None or subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode:
        pytest.skip("pdfLaTeX with booktabs is not installed (Debian: texlive-latex-recommended)")
    (folder / "leaderboard.tex").write_bytes(text.encode("utf-8", "replace"))
    (folder / "document.tex").write_text(DOCUMENT)
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "document.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    log = (folder / "document.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-2000:]
    return log


def test_tables_compile_and_fit_a_page(board: Board, tmp_path: Path) -> None:
    log = compiled(tmp_path, render_latex([board]))
    assert (tmp_path / "document.pdf").read_bytes().startswith(b"%PDF")
    assert "Overfull \\hbox" not in log
    assert "Undefined control sequence" not in log


def test_hostile_texts_compile(board: Board, attack: Sequence[Section], tmp_path: Path) -> None:
    hostile = [replace(section, subset="all", protocol="utterance", rows=section.rows[::8]) for section in attack]
    nasty = replace(hostile[0].rows[0], title="\\end{document} %$#&_{}~^\\ßøÆÿñ … ” “ ’ ` ' \" | < > 漢")
    hostile[0] = replace(hostile[0], rows=(nasty, *hostile[0].rows))
    asked = replace(QUESTION, family=nasty.title, question=nasty.title, a=nasty.title)
    contrasts = (replace(CONTRASTS[0], contrast=asked),)
    compiled(tmp_path, render_latex([replace(board, sections=tuple(hostile), published=(), contrasts=contrasts)]))


def test_rows_without_flags_have_no_mark(board: Board) -> None:
    plain = Row("X", "dailydialog", "utterance", "all", "published", "its paper", scores=board.published[0].scores)
    assert r"\mathrm" not in render_latex([replace(board, sections=(), published=(plain,))])
