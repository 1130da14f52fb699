from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import ANY

from erc_bench.board import text
from erc_bench.board.model import Board
from erc_bench.board.published import published_rows
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.few_shot.protocol import FEW_SHOT, layout_of
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.protocols.triplet.protocol import LAYOUT
from erc_bench.scoring.catalogue import METRICS


def row(title: str, protocol: str, subset: str, scores: dict[str, Score], **changes: Any) -> Row:
    values: dict[str, Any] = {"evidence": "measured", "source": "-", "scores": scores, "seeds": 2}
    return Row(title, "mini", protocol, subset, **(values | changes))


def board(*sections: Section) -> Board:
    return Board("mini", "f" * 64, {"test": (3, 9)}, LABELS, sections)


def test_triplet_rows_show_spread_ties_and_controls_and_no_rank() -> None:
    scores = {
        "micro_f1": Score(57.75, deviation=0.5),
        "micro_f1_half_ties": Score(57.5, deviation=0.25),
        "mcc": Score(0.49),
        "tie_rate": Score(0.125),
    }
    control = row("constant vector", "triplet", "all", scores, floor=True, flags=("degenerate",), seeds=None)
    rows = (row("a", "triplet", "all", scores), control)
    shown = board(Section("mini", "triplet", "all", 3, 9, rows, layout=LAYOUT))
    table = text.measured_table(shown, "triplet")
    assert "rank" not in table.columns
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["micro F1"] == "57.75 ± 0.50"
    assert first["micro F1, ties half"] == "57.50 ± 0.25"
    assert first["macro F1"] == "–"
    assert (first["MCC"], first["ties"], first["seeds"]) == ("0.490", "12.5%", "2")
    second = dict(zip(table.columns, table.rows[1], strict=True))
    assert (second["system"], second["flags"]) == ("constant vector (control)", "degenerate")
    assert text.scope(shown, "triplet") == "Test split: 3 dialogues, 9 utterances."


def test_few_shot_rows_stand_by_their_number_of_examples() -> None:
    scores = {
        "withheld_f1": Score(12.0, 10.0, 14.0),
        "withheld_f1_corrected": Score(15.0, 13.0, 17.0),
        "macro_f1": Score(20.0),
    }
    sections = [
        Section(
            *("mini", "few-shot", subset, 3, 9),
            rows=(row("a", "few-shot", subset, scores, per_label={"fear": {"f1": 3.0}}),),
            layout=layout_of(shot, LABELS),
        )
        for shot, subset in ((1, "1 example"), (5, "5 examples"))
    ]
    table = text.measured_table(board(*sections), "few-shot")
    assert [cells[0] for cells in table.rows] == ["1", "5"]
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert first["withheld F1"] == "12.00 [10.00, 14.00]"
    assert first["withheld F1, corrected"] == "15.00 [13.00, 17.00]"
    assert (first["F1 of fear"], first["F1 of anger"], first["macro F1"]) == ("3.00", "–", "20.00")


def test_a_subset_apart_has_the_scores_and_the_decision_of_the_other_tables() -> None:
    scores = {name: Score(50.0, 40.0, 60.0) for name in METRICS}
    sections = [
        Section(*("mini", "utterance", subset, 3, 9), (row("a", "utterance", subset, scores, decision="argmax"),))
        for subset in ("all", "annotated-twice")
    ]
    shown = board(*sections)
    ((_, apart),) = text.tables_apart(shown, "utterance")
    whole = text.measured_table(shown, "utterance").columns
    named = [name.removesuffix(text.INTERVAL) for name in apart.columns]
    besides = {"rank", "unusable", "seeds", "context", "parameters", "training", "utt/s"}
    assert named == [found for name in whole if (found := name.removesuffix(text.INTERVAL)) not in besides]
    assert dict(zip(named, apart.rows[0], strict=True))["decision"] == "argmax"


def test_notes_of_few_shot_rows_are_printed_once_for_all_numbers_of_examples() -> None:
    sections = [
        Section(
            "mini",
            "few-shot",
            subset,
            3,
            9,
            tuple(row(name, "few-shot", subset, {}, notes=note) for name, note in named),
        )
        for subset in ("1 example", "5 examples")
        for named in [(("a", ("50 episodes",)), ("chance", ()))]
    ]
    assert list(text.notes(board(*sections), "few-shot")) == ["a: 50 episodes"]


def test_the_meaning_of_few_shot_says_what_its_brackets_are() -> None:
    assert "Brackets here: 95% intervals over the drawn examples only" in FEW_SHOT.meaning


def test_scores_over_all_labels_stand_beside_those_that_rank() -> None:
    scores = {name: Score(float(place), 0.0, 99.0) for place, name in enumerate(METRICS, start=1)}
    shown = board(Section("mini", "utterance", "all", 3, 9, (row("a", "utterance", "all", scores),), {"a": ANY}))
    table = text.measured_table(shown, "utterance")
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert (first["macro F1, all labels"], first["weighted F1, all labels"], first["accuracy"]) == (
        "4.00",
        "5.00",
        "6.00",
    )
    by_weighted = text.measured_table(replace(shown, ranking=METRICS["weighted_f1_all"]), "utterance")
    assert by_weighted.columns.count("macro F1, all labels") == 1
    assert "weighted F1, all labels" not in by_weighted.columns, "it ranks: it has an interval"
    assert "weighted F1, all labels [95%]" in by_weighted.columns
    assert "where the column does not say all labels" in text.method(shown)


def test_published_rows_are_shown_in_what_they_state() -> None:
    shown = replace(board(), published=published_rows("meld"), ranking=METRICS["weighted_f1_all"])
    table = text.published_table(shown)
    metrics = [name for name, right in zip(table.columns, table.numeric, strict=True) if right]
    assert metrics == ["weighted F1, all labels", "accuracy", "macro F1, all labels"]
    by_name = {cells[0]: dict(zip(table.columns, cells, strict=True)) for cells in table.rows}
    assert by_name["UniMSE"]["flags"] == "multimodal input; extra training data"
    assert by_name["EmoBERTa"]["checked"] == "repository README"
    assert {how for how, _ in text.checked_legend(shown.published)} == {row.checked for row in shown.published}
    assert "SHA-256" not in text.provenance(replace(shown, sizes={}))
