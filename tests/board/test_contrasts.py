from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from erc_bench.board.build import measured_board, narrowed, rendered
from erc_bench.board.contrasts import Answer, Contrasts, parse_contrasts, read_contrasts
from erc_bench.board.text import contrast_table
from erc_bench.contract.domain import Dataset
from erc_bench.errors import PlanError
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs
from erc_bench.records.record import find_runs
from erc_bench.scoring.catalogue import MICRO_F1
from erc_bench.scoring.significance import compare, holm

if TYPE_CHECKING:
    from erc_bench.board.model import Board
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]

QUESTIONS = """
written = 2026-06-01T00:00:00Z
dataset = "mini"

[[contrasts]]
family = "one"
question = "Is a better than b?"
a = "a"
b = "b (x=1)"

[[contrasts]]
family = "one"
question = "Is it on dialogues without a near twin?"
a = "a"
b = "b (x=1)"
subset = "novel"
metric = "mcc"

[[contrasts]]
family = "one"
question = "Is c better?"
a = "c"
b = "a"

[[contrasts]]
family = "two"
question = "Are last turns better?"
a = "a"
b = "b (x=1)"
protocol = "last-turn"

[[contrasts]]
family = "two"
question = "And elsewhere?"
a = "a"
b = "b (x=1)"
dataset = "other"
"""


def spoiled(labels: list[str], every: int) -> list[str]:
    return ["anger" if position % every == 0 else label for position, label in enumerate(labels)]


@pytest.fixture
def board_of(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> Callable[..., Board]:
    truth = gold(mini)
    write_run(tmp_path, mini, spoiled(truth, 5), system="a", started="2026-05-01T12:00:00+00:00")
    write_run(tmp_path, mini, spoiled(truth, 3), system="b", settings={"x": 1}, started="2026-05-02T12:00:00+00:00")

    def board(contrasts: Contrasts, **fields: Any) -> Board:
        return measured_board(mini, group_runs(find_runs(tmp_path)), contrasts=contrasts, **fields)

    return board


def test_the_file_of_the_package_is_few_questions_in_families() -> None:
    found = read_contrasts()
    assert found.optional
    assert all(each.written is not None for each in found.items)
    assert {each.dataset for each in found.items} == {"dailydialog", "meld", "emorynlp"}
    families = Counter((each.dataset, each.family) for each in found.items)
    assert max(families.values()) <= 8
    assert all(each.question.endswith("?") for each in found.items)
    assert ("sentemocontext", "minilm-classifier") in {(each.a, each.b) for each in found.items}
    assert {each.subset for each in found.items} == {"all", "novel"}


def test_other_corpora_are_asked_the_same_questions() -> None:
    by_corpus = {
        corpus: [replace(each, dataset="", written=None) for each in read_contrasts().items if each.dataset == corpus]
        for corpus in ("meld", "emorynlp")
    }
    assert by_corpus["meld"] == by_corpus["emorynlp"]
    assert len(by_corpus["meld"]) == 7


def test_answers_are_those_of_a_paired_test_and_corrected_within_the_family(board_of: Callable[..., Board]) -> None:
    board = board_of(parse_contrasts(QUESTIONS))
    first, novel, missing, last = board.contrasts
    by_subset = {s.subset: s.estimates for s in board.sections if s.protocol == "utterance"}
    expected = compare(by_subset["all"]["a"], by_subset["all"]["b (x=1)"])
    assert first.comparison == expected
    assert first.comparison is not None
    assert novel.comparison is not None
    assert novel.metric.name == "mcc"
    # The question that was not run counts in the correction, and the other family does not.
    p_values = [expected.p_value, novel.comparison.p_value, 1.0]
    assert [first.corrected, novel.corrected] == pytest.approx(list(holm(p_values)[:2]))
    assert (missing.comparison, missing.corrected, missing.missing) == (None, None, ("c",))
    assert last.comparison is not None
    assert last.corrected == last.comparison.p_value


def test_a_contrast_is_planned_where_a_row_was_made_later(
    board_of: Callable[..., Board], tmp_path: Path, mini: Dataset, write_run: WriteRun, gold: Gold
) -> None:
    write_run(tmp_path, mini, spoiled(gold(mini), 4), system="c", started="2026-07-01T12:00:00+00:00")
    assert [each.planned for each in board_of(parse_contrasts(QUESTIONS)).contrasts] == [False, False, True, False]
    undated = parse_contrasts(QUESTIONS.replace("written = 2026-06-01T00:00:00Z", ""))
    assert not any(each.planned for each in board_of(undated).contrasts)
    write_run(tmp_path, mini, gold(mini), system="c", seed=1, started="2026-05-03T12:00:00+00:00")
    assert not board_of(parse_contrasts(QUESTIONS)).contrasts[2].planned


def test_a_contrast_may_say_itself_when_it_was_written(board_of: Callable[..., Board]) -> None:
    earlier = parse_contrasts(QUESTIONS.replace('b = "b (x=1)"', 'b = "b (x=1)"\nwritten = 2026-05-02T00:00:00Z', 1))
    assert [each.planned for each in board_of(earlier).contrasts] == [True, False, False, False]
    alone = QUESTIONS.replace("written = 2026-06-01T00:00:00Z", "").replace(
        'a = "c"', 'a = "c"\nwritten = 2026-01-01T00:00:00Z'
    )
    assert [each.planned for each in board_of(parse_contrasts(alone)).contrasts] == [False, False, True, False]


def test_a_contrast_says_what_was_known_of_younger_runs(board_of: Callable[..., Board]) -> None:
    said = QUESTIONS.replace("written = 2026-06-01T00:00:00Z", "written = 2026-01-01T00:00:00Z")
    known = said.replace('b = "b (x=1)"', 'b = "b (x=1)"\nknown = "earlier runs"', 1)
    assert [each.written for each in board_of(parse_contrasts(known)).contrasts][:2] == [
        "knowing earlier runs",
        "before its runs",
    ]
    assert [each.planned for each in board_of(parse_contrasts(known)).contrasts][:2] == [False, True]


def test_rows_that_the_file_leaves_out_have_no_rank(board_of: Callable[..., Board]) -> None:
    left_out = "\n[[unranked]]\nrows = ['b (x=1)', 'not run']\nreason = 'a part taken out'\n"
    board = board_of(parse_contrasts(QUESTIONS + left_out))
    assert {row.title: row.rank for row in board.rows("utterance") if not row.rank} == {"b (x=1)": ""}
    elsewhere = parse_contrasts(QUESTIONS + left_out + "dataset = 'meld'\n")
    assert all(row.rank for row in board_of(elsewhere).rows("utterance"))
    assert board.contrasts[0].comparison is not None


def test_optional_contrasts_stand_only_where_one_was_run(board_of: Callable[..., Board]) -> None:
    asked = parse_contrasts(QUESTIONS, optional=True)
    assert len(board_of(asked).contrasts) == 4
    nothing = Contrasts(tuple(each for each in asked.items if each.a == "c"))
    assert len(board_of(nothing).contrasts) == 1
    assert board_of(Contrasts(nothing.items, optional=True)).contrasts == ()
    assert board_of(None).contrasts == ()


def test_one_protocol_is_a_part_of_the_board(board_of: Callable[..., Board]) -> None:
    whole = board_of(parse_contrasts(QUESTIONS))
    part = board_of(parse_contrasts(QUESTIONS), wanted=[UTTERANCE])
    assert part.contrasts == narrowed(whole, "utterance").contrasts
    assert len(part.contrasts) == 3


def test_every_format_shows_them(board_of: Callable[..., Board]) -> None:
    board = board_of(parse_contrasts(QUESTIONS))
    first = board.contrasts[0].comparison
    assert first is not None
    table = contrast_table(board.contrasts)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert rows[0]["A − B [95%]"].startswith(f"+{first.difference:.2f} [")
    assert rows[0]["p"] == f"{first.p_value:.4f}" if first.p_value >= 0.0001 else "< 0.0001"
    assert (rows[2]["A − B [95%]"], rows[2]["p corrected"]) == ("not run yet", "–")
    markdown, page = (rendered([board], name).decode() for name in ("md", "html"))
    assert "### mini: planned contrasts" in markdown
    assert "mini, planned contrasts</h2>" in page
    for text in (markdown, page):
        assert "Is it on dialogues without a near twin?" in text
        assert "not run yet" in text
    lines = list(csv.DictReader(io.StringIO(rendered([board], "contrasts").decode())))
    assert [line["question"] for line in lines] == [row["question"] for row in rows]
    assert float(lines[0]["difference"]) == pytest.approx(first.difference, abs=1e-4)
    assert float(lines[0]["p_value"]) == pytest.approx(first.p_value, rel=1e-3)
    assert (lines[2]["difference"], lines[2]["missing"]) == ("", "c")
    assert rendered([], "contrasts").decode().startswith("dataset,family,question,a,b,protocol,subset,metric,")


def test_an_answer_holds_where_the_corrected_test_rejects() -> None:
    contrast = parse_contrasts(QUESTIONS).items[0]
    assert [Answer(contrast, MICRO_F1, corrected=p).holds for p in (0.05, 0.051)] == [True, False]
    assert not Answer(contrast, MICRO_F1).holds


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('a = "a"', 'a = "b (x=1)"', "number 1: a and b must be two rows, got 'b (x=1)' twice"),
        ('question = "Is a better than b?"', "", "number 1 must have a question, got none"),
        ('subset = "novel"', 'subset = "novell"', "number 2: a subset must be one of"),
        ('metric = "mcc"', 'metric = "mc"', "number 2: a metric must be one of"),
        ('protocol = "last-turn"', 'protocol = "last"', "number 4: a protocol must be one of"),
        ('a = "c"', "a = 3", "number 3, a must be a text, got 3"),
        ('a = "c"', 'c = "c"', "number 3: a key must be one of"),
        ("written = 2026-06-01T00:00:00Z", 'written = "June"', "written must be a time such as"),
        ("written = 2026-06-01T00:00:00Z", "written = 2026-06-01", "written must be a time such as"),
        ('a = "c"', 'written = "now"\na = "c"', "number 3: written must be a time such as"),
        ('dataset = "mini"', 'data = "mini"', "a key must be one of"),
        ("[[contrasts]]", "[contrasts", "must be TOML"),
        (
            "[[contrasts]]",
            "[[unranked]]\nrows = 'a'\nreason = 'r'\n[[contrasts]]",
            "number 1: rows must be a list of rows",
        ),
        (
            "[[contrasts]]",
            "[[unranked]]\nrows = []\nreason = 'r'\n[[contrasts]]",
            "number 1: rows must be a list of rows",
        ),
        ("[[contrasts]]", "[[unranked]]\nrows = ['a']\n[[contrasts]]", "[[unranked]] number 1 must have a reason"),
        ("[[contrasts]]", "[[unranked]]\nrows = ['a']\nwhy = 'r'\n[[contrasts]]", "number 1: a key must be one of"),
        ("[[contrasts]]", "[unranked]\n[[contrasts]]", "unranked must be a list of tables"),
    ],
)
def test_what_makes_no_sense_is_named(old: str, new: str, problem: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_contrasts(QUESTIONS.replace(old, new, 1), "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    assert problem in str(caught.value)


def test_a_file_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="must be a file that can be read"):
        read_contrasts(tmp_path / "none.toml")
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(PlanError, match="contrasts must be a list of tables"):
        read_contrasts(tmp_path / "empty.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(PlanError, match="must be TOML"):
        read_contrasts(tmp_path / "bytes.toml")
