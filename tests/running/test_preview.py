from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.running.plan import PlannedRun, read_plan
from erc_bench.running.preview import in_words, preview

if TYPE_CHECKING:
    from tests.conftest import WriteRun


@pytest.fixture
def runs(tmp_path: Path) -> list[PlannedRun]:
    path = tmp_path / "plan.toml"
    path.write_text(
        'dataset = "mini"\n[[runs]]\nsystem = "prior"\nseeds = "0-3"\n'
        '[[runs]]\nsystem = "constant"\nsettings = { label = "fear" }\n[[runs]]\nsystem = "lookup"\n'
    )
    return read_plan(path)


def test_states_and_expected_times(
    runs: list[PlannedRun], tmp_path: Path, mini: Dataset, write_run: WriteRun, gold: Callable[[Dataset], list[str]]
) -> None:
    prior = runs[0].config_hash()

    def record(system: str, config_hash: str, seed: int, seconds: float, status: str = "complete") -> None:
        times = {"train": seconds - 1, "predict": 1.0}
        labels = gold(mini)
        write_run(
            tmp_path, mini, labels, system=system, config_hash=config_hash, seed=seed, timings=times, status=status
        )

    record("prior", prior, 0, 10)
    record("prior", prior, 7, 20)
    record("prior", prior, 1, 99, "failed")
    record("prior", prior, 2, 99, "running")
    record("constant", "0" * 12, 0, 4)
    record("constant", "0" * 12, 1, 6)
    broken = tmp_path / "mini" / "lookup" / "x" / "seed-0"
    broken.mkdir(parents=True)
    (broken / "run.json").write_text("{")
    found = [(each.state, each.seconds) for each in preview(runs, tmp_path)]
    assert found == [
        ("complete", 0.0),
        ("failed", 15.0),
        ("begun", 15.0),
        ("to make", 15.0),
        ("to make", 5.0),  # with other settings
        ("to make", None),
    ]


def test_without_any_results(runs: list[PlannedRun], tmp_path: Path) -> None:
    assert {(each.state, each.seconds) for each in preview(runs, tmp_path / "none")} == {("to make", None)}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (750, "12 min 30 s"), (12000, "3 h 20 min")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_records_beside_a_plan_tell_times_and_not_what_is_there(
    runs: list[PlannedRun], tmp_path: Path, mini: Dataset, write_run: WriteRun, gold: Callable[[Dataset], list[str]]
) -> None:
    times = {"train": 2.0, "predict": 1.0}
    write_run(tmp_path / "published", mini, gold(mini), system="prior", config_hash="0" * 12, timings=times)
    found = preview(runs, tmp_path / "mine", earlier=tmp_path / "published")
    assert [(each.state, each.seconds) for each in found] == [("to make", 3.0)] * 4 + [("to make", None)] * 2
