from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erc_bench.board.published import published_results
from erc_bench.contract.domain import Dataset
from erc_bench.paper import notes
from erc_bench.paper.measure import Measurements
from erc_bench.paper.published import paper_tables
from erc_bench.protocols.utterance import UTTERANCE

if TYPE_CHECKING:
    from .conftest import MakeRun


@pytest.mark.data
def test_notes_on_the_real_dataset(dailydialog: Dataset) -> None:
    supports, truncated, implied = notes.table_3(dailydialog)
    assert "1109 + 1125 + 1078 + 1157 + 985 + 1109 + 1072 = 7,635" in supports
    assert "keeps 7,635 of 7,740 utterances" in truncated
    assert "macro F1 57.95 and micro F1 57.96 over six emotions, accuracy 57.61 and MCC 0.506" in implied
    found = Measurements(dailydialog, [])
    text = "\n".join(notes.table_2(found, published_results("dailydialog")))
    assert "macro F1 7.37, micro F1 42.80, MCC 0.00" in text
    assert "the table prints 64.07, section 2 of the paper 64.01 (a difference of 0.06)" in text
    assert "COSMIC, SKAIG, CD-ERC and CoMPM is a mean over 7" in text
    assert "That of RoBERTa and roBERTa-DRNN likely is, too" in text
    assert "1,419 of the 7,740" in "\n".join(notes.table_4(dailydialog))


def test_table_5_notes_carry_their_arithmetic(sample: Dataset) -> None:
    small, large, fear, mcc, ten_runs, falcon, _ = notes.table_5(Measurements(sample, []), paper_tables())
    assert "2 × 26.77 × 24.77 / (26.77 + 24.77) = 25.73" in small
    assert "P is 81/323 = 25.08 and R 81/327 = 24.77" in small
    assert "= 46.92" in large
    assert "P is 273/932 = 29.29" in large
    assert "the label fear" in fear
    assert "prints an MCC of 0.08; its released confusion matrix gives 0.008" in mcc
    assert "the released mean over ten runs is −0.001 ± 0.024" in mcc
    assert "Llama2-7b −0.001 ± 0.024; Llama2-13b 0.147 ± 0.011; Falcon-7b 0.004 ± 0.015" in ten_runs
    assert "994 of 1,000 answers are happiness (1 no emotion and 5 sadness besides)" in falcon
    assert "macro F1 7.41, micro F1 42.84 and MCC 0.026; the table prints 7.54 / 42.75 / 0.01" in falcon


def test_the_seven_label_example_follows_from_the_run(make_run: MakeRun, sample: Dataset) -> None:
    found = Measurements(sample, [make_run("parrot", wrong=wrong, seed=wrong) for wrong in (2, 9)])
    scored = found.under(UTTERANCE)[0]
    f1 = {label: column["f1"] for label, column in scored.row.per_label.items()}
    seven = sum(f1.values()) / 7
    text = "\n".join(notes.table_2(found, published_results("dailydialog")))
    assert f"for parrot as measured here: {scored.values['macro_f1'].value:.2f} over six" in text
    assert f"/ 7 = {seven:.2f} over seven" in text
