from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.across_build import build_across, write_across
from erc_bench.contract.domain import Dataset
from erc_bench.data import load_dataset
from erc_bench.data.skeleton import write_skeleton
from erc_bench.inspection.verify_across import verify_across

if TYPE_CHECKING:
    from tests.conftest import WriteRun


@pytest.fixture
def results(
    tmp_path: Path,
    home: Path,
    sample: Dataset,
    gold: Callable[[Dataset], list[str]],
    write_run: WriteRun,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path / "corpora"))
    write_skeleton(tmp_path / "corpora" / "mine")
    for dataset in (sample, load_dataset("mine")):
        write_run(tmp_path / "results", dataset, gold(dataset), system="perfect")
    return tmp_path / "results"


def test_boards_of_any_protocol_and_order_are_right(results: Path) -> None:
    assert verify_across(results, [results]) == (0, [])
    write_across(build_across(results).board, results, ("md", "csv"))
    last = build_across(results, protocol="last-turn", rank_by="mcc").board
    write_across(last, results / "deep", ("html",), "across-last-turn-by-mcc")
    assert verify_across(results, [results, results / "deep", results]) == (3, [])


def test_an_altered_board_is_named(results: Path) -> None:
    (path,) = write_across(build_across(results).board, results, ("csv",))
    path.write_text(path.read_text().replace("100.0", "99.0"))
    number, (difference,) = verify_across(results, [results])
    assert number == 1
    assert difference.where == path
