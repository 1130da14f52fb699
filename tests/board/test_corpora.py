from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board import corpora
from erc_bench.board.beside import Beside
from erc_bench.board.build import FORMATS, build_boards, rendered
from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.protocols.registry import protocols
from erc_bench.records.groups import group_runs
from erc_bench.records.predictions import PREDICTIONS_FILE
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    answers, folder = gold(sample), tmp_path / "results"
    for seed in range(3):
        write_run(folder, sample, [*answers[seed:], *answers[:seed]], system="shifted", seed=seed)
    write_run(folder, sample, [None, *answers[1:]], system="unsure")
    write_run(folder, sample, ["happiness"] * len(answers), system="happy", floor=True)
    return folder


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Few runs are shared, too; the processes that share them."""
    monkeypatch.setattr(corpora, "FEWEST_RUNS_SHARED", 1)
    monkeypatch.setattr(corpora, "RUNS_A_TASK", 1)
    asked: list[int] = []

    class Counted(Beside[corpora.Task, corpora.Sections]):
        def __init__(self, work: corpora.Corpora, processes: int) -> None:
            asked.append(processes)
            super().__init__(work, processes)

    monkeypatch.setattr(corpora, "Beside", Counted)
    return asked


def test_boards_are_the_same_bytes_whoever_computes_them(
    results: Path, home: Path, shared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = build_boards(results).boards
    assert shared == []
    monkeypatch.setenv("ERC_BENCH_HOME", str(home / "another, where nothing is kept"))
    together = build_boards(results, processes=3).boards
    assert shared == [2]
    for name in FORMATS:
        assert rendered(together, name) == rendered(alone, name)


def test_few_runs_are_not_shared(results: Path, shared: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "FEWEST_RUNS_SHARED", 6)
    assert build_boards(results, processes=2).boards
    assert shared == []


def test_a_broken_run_is_named_alike(results: Path, shared: list[int]) -> None:
    path = next(results.glob(f"*/unsure/*/seed-*/{PREDICTIONS_FILE}"))
    path.write_bytes(path.read_bytes().replace(b"null", b'"anger"', 1))
    said = []
    for processes in (1, 2):
        with pytest.raises(DataCorruptError, match="it was altered") as caught:
            build_boards(results, processes=processes)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert shared == [1]


def test_a_dataset_that_cannot_be_opened_is_tried_once(
    results: Path, shared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def refuse(name: str, **_: object) -> Dataset:
        tried.append(name)
        raise DataMissingError("not here")

    monkeypatch.setattr(corpora, "load_dataset", refuse)
    with pytest.raises(DataMissingError, match="not here\nThe runs on sample in"):
        build_boards(results, processes=2)
    assert tried == ["sample"]


def test_nothing_needs_to_be_kept(results: Path, home: Path, shared: list[int]) -> None:
    expected = rendered(build_boards(results).boards, "csv")
    home.mkdir(exist_ok=True)
    for each in ("cache", "answers"):
        if (home / each).is_dir():
            (home / each).rename(home / f"{each} of before")
        (home / each).write_text("no folder")
    assert rendered(build_boards(results, processes=2).boards, "csv") == expected


def test_only_runs_whose_answers_are_scored_are_read_ahead(
    tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    whole = write_run(tmp_path, sample, gold(sample))
    write_run(tmp_path, sample, gold(sample), withheld="anger", config_hash="another")
    asked = corpora.Asked.of(group_runs(find_runs(tmp_path)), tmp_path, None, None)["sample"]
    assert asked.read_for([*protocols().values()]) == [whole.folder]
    assert asked.read_for([]) == []
