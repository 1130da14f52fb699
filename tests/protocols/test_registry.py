from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from erc_bench.board.build import measured_board, rendered
from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import System
from erc_bench.errors import DataError, UnknownNameError
from erc_bench.inspection.verify import verify_run
from erc_bench.progress import Progress
from erc_bench.protocols import registry
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.registry import evidence_files, find_protocol, protocols
from erc_bench.protocols.rows import Column, Layout, Score, Section, control_row, row_of_runs
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.records.groups import RunGroup, group_runs
from erc_bench.records.record import Run, find_runs
from erc_bench.running.export import export_run
from erc_bench.scoring.catalogue import METRICS

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]
ACCURACY = METRICS["accuracy"]


class Counted(Protocol):
    """Scores a number that the system left in the folder of its run."""

    name = "counted"
    meaning = "What a system counted."
    ranked = False
    evidence_files = ("counted.txt",)

    def covers(self, group: RunGroup) -> bool:
        return all((run.folder / "counted.txt").is_file() for run in group.runs)

    def sections(self, runs: DatasetRuns, subsets: Collection[str] | None = None) -> list[Section]:
        rows = []
        for named in runs.rows:
            if self.covers(named.group):
                row = row_of_runs(named.title, [run.record for run in named.group.runs], self.name, "all")
                row.scores[ACCURACY.name] = Score(float((named.group.runs[0].folder / "counted.txt").read_text()))
                rows.append(row)
        rows.append(control_row("nothing", "counts nothing", runs.dataset.name, self.name, "all"))
        layout = Layout((Column("counted", ACCURACY),), facts=("seeds",))
        return [Section(runs.dataset.name, self.name, "all", 1, 1, tuple(rows), metrics=(ACCURACY,), layout=layout)]

    def derive(self, run: Run, dataset: Dataset, system: System[Any], progress: Progress) -> None:
        (run.folder / "counted.txt").write_text(f"{len(dataset.test)}")

    def differences(self, run: Run, dataset: Dataset) -> Iterator[str]:
        if (run.folder / "counted.txt").is_file() and not (run.folder / "counted.txt").read_text().isdecimal():
            yield "counted.txt must be a number"


COUNTED = Counted()
NOT_A_PROTOCOL = Counted


def register(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    point = EntryPoint(name, value, registry.GROUP)
    monkeypatch.setattr(registry, "registered", lambda group: {name: point})
    protocols.cache_clear()


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    protocols.cache_clear()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "counted_for_tests", sys.modules[__name__])
    register(monkeypatch, "counted", "counted_for_tests:COUNTED")


def test_built_in_protocols_stand_in_the_order_of_the_board() -> None:
    assert list(protocols()) == ["utterance", "last-turn", "emotional", "transfer", "triplet", "few-shot"]
    assert evidence_files() == ("seen.json", "triplets.json", "few_shot.json")
    with pytest.raises(UnknownNameError, match="Did you mean 'last-turn'"):
        find_protocol("last_turn")


@pytest.mark.usefixtures("counted")
def test_a_protocol_of_a_package_has_its_board_its_evidence_and_its_verification(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    run = write_run(tmp_path / "results", mini, gold(mini))
    (run.folder / "counted.txt").write_text("24")
    assert find_protocol("counted").name in protocols()
    board = measured_board(mini, group_runs(find_runs(tmp_path / "results")), [find_protocol("counted")])
    markdown = rendered([board], "md").decode()
    assert "### mini: counted\n\nWhat a system counted. Test split: 1 dialogues, 1 utterances." in markdown
    assert "| echo | 24.00 | 1 |" in markdown
    assert "| nothing (control) | – | – |" in markdown
    for name in ("csv", "html", "latex"):
        assert "counted" in rendered([board], name).decode()
    assert verify_run(run, mini) == []
    copy = export_run(run, tmp_path / "public")
    assert (copy.folder / "counted.txt").read_text() == "24"
    (copy.folder / "counted.txt").write_text("many")
    assert [found.what for found in verify_run(copy, mini)] == ["counted.txt must be a number"]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("counted", "nowhere_at_all:COUNTED", "cannot be imported from nowhere_at_all:COUNTED"),
        ("other", "counted_for_tests:COUNTED", "must be an instance of Protocol with the name 'other'"),
        ("counted", "counted_for_tests:NOT_A_PROTOCOL", "must be an instance of Protocol with the name 'counted'"),
        ("utterance", "erc_bench.protocols.utterance:UTTERANCE", "which no other protocol has"),
    ],
)
@pytest.mark.usefixtures("counted")
def test_what_is_no_protocol_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str) -> None:
    register(monkeypatch, name, value)
    with pytest.raises(DataError, match=problem):
        protocols()
