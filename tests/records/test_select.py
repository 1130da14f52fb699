from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.records.select import is_run_folder, row_named, rows_named, runs_named

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, mini: Dataset, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    past = {"settings": {"context": "past"}, "config_hash": "a" * 12}
    write_run(tmp_path, mini, gold(mini), system="reader", seed=0)
    write_run(tmp_path, mini, gold(mini), system="reader", seed=1)
    write_run(tmp_path, mini, gold(mini), system="reader", **past)
    write_run(tmp_path, mini, gold(mini), system="only", settings={"path": "a/b"}, config_hash="b" * 12)
    write_run(tmp_path, mini, gold(mini), system="twin", config_hash="c" * 12)
    write_run(tmp_path, mini, gold(mini), system="twin", config_hash="d" * 12)
    write_run(tmp_path, mini, gold(mini), system="half", status="running")
    write_run(tmp_path, sample, gold(sample), system="reader")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("reader", "reader"),
        ("reader (context=past)", "reader (context=past)"),
        ("reader (c", "reader (context=past)"),
        ("only", "only (path=a/b)"),
        ("only (path=a/b)", "only (path=a/b)"),
        ("onl", "only (path=a/b)"),
        ("twin [cccccccccccc]", "twin [cccccccccccc]"),
        ("twin [d", "twin [dddddddddddd]"),
    ],
)
def test_a_row_has_many_names(results: Path, name: str, title: str) -> None:
    assert row_named(results, name, dataset="mini").title == title


def test_a_title_stands_before_titles_that_it_begins(results: Path) -> None:
    (row,) = rows_named(results, "reader", dataset="mini")
    assert [run.record.seed for run in row.group.runs] == [0, 1]
    assert {row.group.record.dataset for row in rows_named(results, "reader")} == {"mini", "sample"}


def test_names_of_several_rows_are_refused_with_their_titles(results: Path) -> None:
    with pytest.raises(
        UsageError, match=r"'twin' must name one row, got 2: 'twin \[c+\]' on mini; 'twin \[d+\]' on mini"
    ):
        row_named(results, "twin")
    with pytest.raises(UsageError, match="'reader' on mini; 'reader' on sample"):
        row_named(results, "reader")


def test_unknown_names_suggest_the_nearest(results: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'reader'"):
        row_named(results, "raeder")
    with pytest.raises(UnknownNameError, match="got 'half'"):
        row_named(results, "half")


def test_a_run_folder_is_that_run_alone(results: Path, tmp_path: Path) -> None:
    folder = str(results / "mini" / "reader" / "0123456789ab" / "seed-1")
    assert is_run_folder(folder)
    row = row_named(tmp_path / "anywhere", folder)
    assert (row.title, [run.record.seed for run in row.group.runs]) == ("reader", [1])
    with pytest.raises(UsageError, match="a run must be complete, got status 'running'"):
        row_named(results, str(results / "mini" / "half" / "0123456789ab" / "seed-0"))
    for nothing in (str(results / "mini"), str(results / "nowhere")):
        with pytest.raises(DataMissingError, match=r"must hold run\.json, got none"):
            row_named(results, nothing)


def test_runs_of_a_name_are_those_of_every_row(results: Path) -> None:
    assert len(runs_named(results, "reader")) == 3
    assert len(runs_named(results, "twin")) == 2
    (run,) = runs_named(results, str(results / "mini" / "half" / "0123456789ab" / "seed-0"))
    assert run.record.status == "running"
