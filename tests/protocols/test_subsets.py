from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.build import measured_board, rendered
from erc_bench.board.text import measured_table, method, scope
from erc_bench.contract.domain import Dataset
from erc_bench.errors import UnknownNameError
from erc_bench.inspection.compare import compare_sides
from erc_bench.protocols.subsets import ALL, SUBSETS, UNSEEN, Subset, find_subset
from erc_bench.records.groups import group_runs, named_groups
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def test_all_are_the_test_split_and_unseen_leaves_out_what_stands_in_train(mini: Dataset) -> None:
    assert tuple(ALL.dialogues(mini)) == mini.test
    unseen = UNSEEN.dialogues(mini)
    assert len(unseen) == 22
    assert [dialogue for dialogue in mini.test if dialogue in unseen] == list(unseen)


def test_unknown_subsets_suggest_the_nearest() -> None:
    assert find_subset("unseen") is UNSEEN
    with pytest.raises(UnknownNameError, match="Did you mean 'unseen'"):
        find_subset("unsen")


def test_another_subset_is_one_entry(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Subset("short", "Only the first five.", "the first five", lambda dataset: dataset.test[:5])
    monkeypatch.setitem(SUBSETS, short.name, short)
    write_run(tmp_path, mini, gold(mini), system="perfect")
    write_run(tmp_path, mini, ["happiness"] * 96, system="happy")
    groups = group_runs(find_runs(tmp_path))
    board = measured_board(mini, groups)
    assert [s.subset for s in board.sections if s.protocol == "utterance"] == ["all", "unseen", "short"]
    assert "short micro F1 [95%]" in measured_table(board, "utterance").columns
    assert "short: 5 dialogues, " in scope(board, "utterance")
    assert "Short: the first five." in method(board)
    page = rendered([board], "html").decode()
    for text in ("Only the first five.", "On short", "On unseen", "mini-utterance-short"):
        assert text in page
    happy, perfect = named_groups(groups)
    pair = compare_sides(happy, perfect, mini, protocol="utterance", subset="short")
    assert pair.estimates[0].dialogues == 5
