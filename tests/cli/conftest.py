"""Calling commands as a user does: through the entry point, with exit code and both outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.cli import main
from erc_bench.contract.domain import Dataset
from erc_bench.data import load_dataset
from erc_bench.data.skeleton import write_skeleton

if TYPE_CHECKING:
    from tests.conftest import WriteRun


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: str | Path) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(caught.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def two_corpora(
    tmp_path: Path,
    home: Path,
    sample: Dataset,
    gold: Callable[[Dataset], list[str]],
    write_run: WriteRun,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A results folder with a perfect system, one that is right half of the time, and a floor, on two corpora each."""
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path / "corpora"))
    write_skeleton(tmp_path / "corpora" / "mine")
    results = tmp_path / "results"
    for dataset in (sample, load_dataset("mine")):
        labels = gold(dataset)
        names = dataset.labels.names
        half = [
            label if place % 2 else names[(names.index(label) + 1) % len(names)] for place, label in enumerate(labels)
        ]
        write_run(results, dataset, labels, system="perfect")
        write_run(results, dataset, half, system="half")
        write_run(results, dataset, [names[0]] * len(labels), system="neutral", floor=True)
    write_run(results, sample, gold(sample), system="only-there")
    return results
