from __future__ import annotations

from typing import Any

import numpy as np

from erc_bench.board.formats.page_details import Shared, details
from erc_bench.protocols.rows import Breakdown, Row, Score, Sureness
from erc_bench.scoring.calibration import COVERAGES, curve, reliability, risks
from erc_bench.scoring.catalogue import MICRO_F1
from tests.board.conftest import measured

SHIFT = Breakdown(
    "shift",
    "whether the emotion goes on",
    MICRO_F1,
    ("continues", "shifts"),
    (1234, 56),
    (90, 50),
    {"a": (Score(43.367, 40, 46.66), Score(30, 20, 40))},
)


def opened(row: Row, *breakdowns: Breakdown) -> dict[str, Any]:
    shared = Shared()
    places = details(row, breakdowns, shared)
    return {kind: shared.values[kind][place] for kind, place in places.items()} | {"metrics": shared.values["metrics"]}


def test_what_rows_have_in_common_stands_once() -> None:
    shared = Shared()
    first, second = (details(measured("a", 0.5, subset), (), shared) for subset in ("all", "novel"))
    other = details(measured("b", 0.9), (), shared)
    assert first == second
    assert other["words"] != first["words"]
    assert other["labels"] == first["labels"]
    assert len(shared.values["confusion"]) == 2


def test_values_of_two_kinds_are_told_apart() -> None:
    shared = Shared()
    assert [shared.place("a", [1]), shared.place("b", [1]), shared.place("a", [2]), shared.place("a", [1])] == [
        0,
        0,
        1,
        0,
    ]
    assert shared.values == {"a": [[1], [2]], "b": [[1]]}


def test_scores_name_their_metric_once_and_have_a_fourth_part_where_answers_are_unusable() -> None:
    found = opened(measured("a", 0.5, unusable=True, unusable_as_neutral={"micro_f1": 61.25}))
    by_metric = {found["metrics"][place]: rest for place, *rest in found["scores"]}
    score = measured("a", 0.5, unusable=True).scores["micro_f1"]
    assert by_metric["Micro F1"] == [f"{score.value:.2f} ± 0.80", f"[{score.low:.2f}, {score.high:.2f}]", "61.25"]
    assert by_metric["MCC"][-1] == "–"
    assert all(len(score) == 3 for score in opened(measured("a", 0.5))["scores"])


def test_labels_counts_and_phenomena_are_lists_in_one_order() -> None:
    row = measured("a", 0.8)
    found = opened(row, SHIFT)
    assert row.confusion is not None
    assert found["labels"] == list(row.per_label)
    assert found["per_label"][4] == "62.7 79.9 70.3 284"
    assert found["confusion"] == {"seeds": 3, "counts": row.confusion.tolist()}
    assert found["phenomena"] == [["shift", "whether the emotion goes on", [["continues", "1,234"], ["shifts", "56"]]]]
    assert found["by_phenomenon"] == [["43.4", "[40.0, 46.7]"], ["30.0", "[20.0, 40.0]"]]
    assert "phenomena" not in opened(measured("not in it", 0.8), SHIFT)


def test_words_are_facts_notes_with_links_apart_and_what_made_the_row() -> None:
    words = opened(measured("a", 0.5, notes=("See https://example.org/note.",), summary="One & only."))["words"]
    assert words["facts"][0] == ("What it is", "One & only.")
    assert ("Training time", "125.0 s") in words["facts"]
    assert words["notes"] == [["See ", ["https://example.org/note"], "."]]
    assert words["commands"] == ["erc-bench run --system a --seeds 0-2"]
    assert "source" not in words


def test_a_published_row_has_a_source_and_no_more_than_it_reports() -> None:
    row = Row("a", "d", "utterance", "all", "published", "its paper", scores={"micro_f1": Score(50)}, checked="paper")
    found = opened(row)
    assert set(found) == {"scores", "words", "metrics"}
    assert found["scores"] == [[0, "50.00", ""]]
    assert found["words"]["source"] == ["its paper"]
    assert found["words"]["facts"][0][0] == "Checked"


def test_how_sure_a_row_is_stands_as_numbers_of_its_picture() -> None:
    sure, right = np.array([0.95, 0.5], np.float32), np.array([True, False])
    row = measured("a", 0.5, sureness=Sureness(reliability(sure, right), curve(risks(sure, right))))
    row.scores["aurc"] = Score(0.1)
    found = opened(row)["sureness"]
    assert list(found) == ["text", "of", "bins", "curve", "ticks"]
    assert len(found["curve"]) == COVERAGES
