from __future__ import annotations

from erc_bench.board import across_text as text
from erc_bench.board.across import AcrossBoard


def test_each_row_has_its_mean_rank_and_a_score_a_corpus(across: AcrossBoard) -> None:
    table = text.systems_table(across)
    assert table.columns == (
        *("system", "mean rank [95%]", "big micro F1 [95%]"),
        "small weighted F1, all labels [95%]",
    )
    cells = {row[0]: row[1:] for row in table.rows}
    assert cells["good"][0] == "1.00 [1.00, 1.00]"
    assert "floor-high (floor)" in cells
    assert cells["elsewhere"][:2] == ("–", "–")
    assert cells["only-here"][0] == cells["only-here"][2] == "–"
    assert cells["only-here"][1].endswith("]")


def test_what_is_claimed_is_said(across: AcrossBoard) -> None:
    assert text.title(across) == "2 corpora, protocol utterance: 5 of 7 systems have rows on all"
    assert text.holding(across) == f"Differences that hold on every corpus: {len(across.holding)} of 6 pairs"
    assert "the largest of the 2 p-values, Holm-corrected over 6 pairs" in text.claim(across)
    assert "big by micro F1; small by weighted F1, all labels" in text.method(across)
    assert "small: 40 test dialogues, 200 utterances (content SHA-256 ffffffffffff…)" in text.provenance(across)


def test_a_line_a_system_that_beats_another(across: AcrossBoard) -> None:
    lines = list(text.holding_lines(across))
    assert lines[0].startswith("good is better than ")
    assert "first is better than floor-high." in lines
    assert len(lines) == 3
