from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def test_runs_of_the_dataset_are_titled_and_read_once(
    tmp_path: Path, mini: Dataset, sample: Dataset, gold: Gold, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, mini, gold(mini), system="a")
    write_run(tmp_path, mini, gold(mini), system="b")
    write_run(tmp_path, sample, gold(sample), system="elsewhere")
    runs = DatasetRuns.of(mini, group_runs(find_runs(tmp_path)))
    assert [row.title for row in runs.rows] == ["a", "b"]
    runs.read([row.group for row in runs.rows])
    for row in runs.rows:
        for run in row.group.runs:
            (run.folder / "predictions.jsonl").unlink()
    first, second = (runs.confusions(UTTERANCE.view(mini), row.group)[0] for row in runs.rows)
    assert (first == second).all()
    assert first.sum() == 96
    assert runs.confusions(LAST_TURN.view(mini), runs.rows[0].group)[0].sum() == 24


def test_a_run_that_does_not_cover_the_view_is_named(tmp_path: Path, mini: Dataset, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, ["happiness"] * 24, targets="last")
    runs = DatasetRuns.of(mini, group_runs(find_runs(tmp_path)))
    with pytest.raises(DataCorruptError, match="cannot be scored: predictions must cover all 96 targets") as caught:
        runs.confusions(UTTERANCE.view(mini), runs.rows[0].group)
    assert str(run.folder) in str(caught.value)


def test_runs_on_other_data_are_refused(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, gold(mini), dataset_fingerprint="0" * 64)
    runs = DatasetRuns.of(mini, group_runs(find_runs(tmp_path)))
    for use in (runs.check, lambda group: runs.read([group])):
        with pytest.raises(DataCorruptError, match="must have been made on mini"):
            use(runs.rows[0].group)
