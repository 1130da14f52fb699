from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.build import measured_board
from erc_bench.board.transfer import Cell, Matrices, build_matrices, corpora, matrices, matrix_table, pair_table
from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataMissingError, UnknownNameError
from erc_bench.inspection.compare import compare_sides
from erc_bench.records.groups import NamedGroup, RunGroup, group_runs
from erc_bench.records.record import TrainedOn, find_runs
from erc_bench.records.seen import write_seen

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]
OTHER = TrainedOn(
    dataset="elsewhere",
    fingerprint="e" * 64,
    labels={"calm": "no emotion", "joy": "happiness", "mad": "anger"},
    labels_sha256="5" * 64,
)


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    """One system trained elsewhere, the same trained on the corpus, and a floor that was trained elsewhere only."""
    answers = [label if label in OTHER.labels.values() else None for label in gold(sample)]
    for place in range(0, len(answers), 4):
        answers[place] = "no emotion"
    for fields in ({"settings": {"big": True}}, {"system": "floor", "floor": True}):
        run = write_run(tmp_path, sample, answers, config_hash="a" * 12, trained_on=OTHER, **fields)
        write_seen(run.folder, sample, OTHER.fingerprint, sample.test[0].targets())
    write_run(tmp_path, sample, gold(sample), settings={"big": True})
    write_run(tmp_path, sample, gold(sample), system="stranger")
    return tmp_path


@pytest.fixture
def found(results: Path) -> Matrices:
    return build_matrices(results)[0]


def cell_of(every: Matrices, system: str, train: str) -> Cell:
    return next(cell for cell in every[system] if cell.train == train)


def test_a_matrix_for_each_system_with_runs_elsewhere(found: Matrices) -> None:
    assert list(found) == ["echo (big=true)", "floor"]
    assert [(cell.train, cell.test) for cell in found["echo (big=true)"]] == [
        ("elsewhere", "sample"),
        ("sample", "sample"),
    ]
    assert corpora(found["echo (big=true)"]) == (["elsewhere", "sample"], ["sample"])


def test_a_cell_has_the_own_score_on_the_same_utterances(found: Matrices, sample: Dataset, results: Path) -> None:
    cell = cell_of(found, "echo (big=true)", "elsewhere")
    counted = sum(u.label in OTHER.labels.values() for d in sample.test for u in d.utterances)
    assert (cell.labels, cell.utterances, cell.metric.name) == (3, counted, "micro_f1")
    assert cell.own is not None
    assert cell.own.value == 100
    assert cell.difference is not None
    groups = {g.record.title: NamedGroup(g.record.title, RunGroup(g.runs)) for g in group_runs(find_runs(results))}
    pair = compare_sides(
        groups["echo (big=true, trained on elsewhere)"], groups["echo (big=true)"], sample, protocol="transfer"
    )
    assert cell.difference == pair.comparison
    assert cell.difference.difference == pytest.approx(cell.score.value - 100)


def test_the_diagonal_is_the_ordinary_run(found: Matrices, sample: Dataset) -> None:
    cell = cell_of(found, "echo (big=true)", "sample")
    assert (cell.own, cell.difference, cell.labels) == (None, None, 7)
    assert cell.utterances == sum(map(len, sample.test))


def test_without_a_run_of_its_own_there_is_nothing_to_compare(found: Matrices) -> None:
    (cell,) = found["floor"]
    assert (cell.train, cell.own, cell.difference, cell.floor) == ("elsewhere", None, None, True)


def test_tables(found: Matrices) -> None:
    table = matrix_table(found["echo (big=true)"])
    assert table.columns == ("trained on", "sample, micro F1")
    assert [row[0] for row in table.rows] == ["elsewhere", "sample"]
    assert table.rows[0][1].endswith("] / 100.00")
    pairs = pair_table(found)
    assert len(pairs.rows) == 3
    assert all(len(row) == len(pairs.columns) == len(pairs.numeric) for row in pairs.rows)


def test_one_system_or_none(results: Path, tmp_path: Path, write_run: WriteRun, sample: Dataset, gold: Gold) -> None:
    assert list(build_matrices(results, system="floor")[0]) == ["floor"]
    with pytest.raises(UnknownNameError, match="a system that was trained on another corpus must be one of"):
        build_matrices(results, system="stranger")
    write_run(tmp_path / "ordinary", sample, gold(sample))
    with pytest.raises(DataMissingError, match="is one made with --train-on"):
        build_matrices(tmp_path / "ordinary")


def test_boards_of_several_corpora_meet(results: Path, sample: Dataset) -> None:
    groups = group_runs(find_runs(results))
    board = measured_board(sample, groups)
    every = matrices([board, replace(board, dataset="another")])
    assert {cell.test for cell in every["echo (big=true)"]} == {"sample", "another"}
