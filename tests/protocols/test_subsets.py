from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.build import measured_board, rendered
from erc_bench.board.text import measured_table, method, scope
from erc_bench.contract.domain import Dataset, Utterance
from erc_bench.errors import UnknownNameError
from erc_bench.inspection.compare import compare_sides
from erc_bench.protocols.subsets import (
    ALL,
    ANNOTATED_TWICE,
    NOT_VERBATIM,
    NOVEL,
    SUBSETS,
    Subset,
    find_subset,
    subsets_beside,
)
from erc_bench.records.groups import group_runs, named_groups
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def test_all_are_the_test_split_and_not_verbatim_leaves_out_what_stands_in_train(mini: Dataset) -> None:
    assert tuple(ALL.dialogues(mini)) == mini.test
    left = NOT_VERBATIM.dialogues(mini)
    assert len(left) == 22
    assert [dialogue for dialogue in mini.test if dialogue in left] == list(left)


def test_unknown_subsets_suggest_the_nearest() -> None:
    assert find_subset("not-verbatim") is NOT_VERBATIM
    with pytest.raises(UnknownNameError, match="Did you mean 'novel'"):
        find_subset("novell")


def test_a_name_that_a_subset_once_had_still_finds_it() -> None:
    assert find_subset("unseen") is NOT_VERBATIM


def test_novel_leaves_out_near_twins_too(mini: Dataset) -> None:
    said = " ".join(f"word{number}" for number in range(40))
    twin = replace(mini.train[5], id="train-twin", utterances=(Utterance(said, "A", "anger"),))
    near = replace(twin, id="test-twin", utterances=(Utterance(f"{said} indeed", "A", "anger"),))
    more = replace(mini, train=(*mini.train, twin), test=(*mini.test, near))
    ids = {subset.name: {dialogue.id for dialogue in subset.dialogues(more)} for subset in (ALL, NOT_VERBATIM, NOVEL)}
    assert ids["all"] - ids["not-verbatim"] == {mini.test[0].id, mini.test[1].id}
    assert ids["not-verbatim"] - ids["novel"] == {"test-twin"}


def test_those_annotated_twice_stand_in_train_turn_for_turn(mini: Dataset) -> None:
    assert [dialogue.id for dialogue in ANNOTATED_TWICE.dialogues(mini)] == [mini.test[0].id, mini.test[1].id]
    assert ANNOTATED_TWICE not in subsets_beside()


def test_another_subset_is_one_entry(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Subset("short", "Only the first five.", "the first five", lambda dataset: dataset.test[:5])
    monkeypatch.setitem(SUBSETS, short.name, short)
    write_run(tmp_path, mini, gold(mini), system="perfect")
    write_run(tmp_path, mini, ["happiness"] * 96, system="happy")
    groups = group_runs(find_runs(tmp_path))
    board = measured_board(mini, groups)
    assert [s.subset for s in board.sections if s.protocol == "utterance"] == [
        *("all", "not-verbatim", "novel", "annotated-twice"),
        "short",
    ]
    assert "short micro F1 [95%]" in measured_table(board, "utterance").columns
    assert "short: 5 dialogues, " in scope(board, "utterance")
    assert "Short: the first five." in method(board)
    page = rendered([board], "html").decode()
    for text in ("Only the first five.", "On short", "On novel", "mini-utterance-short"):
        assert text in page
    happy, perfect = named_groups(groups)
    pair = compare_sides(happy, perfect, mini, protocol="utterance", subset="short")
    assert pair.estimates[0].dialogues == 5
