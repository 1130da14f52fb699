from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import NoConfig
from erc_bench.progress import SilentProgress
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.registry import protocols
from erc_bench.protocols.rows import Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.records.groups import RunGroup, group_runs
from erc_bench.records.record import find_runs
from erc_bench.running.runner import RunRequest, execute
from erc_bench.systems.floors import Prior


class Bare(Protocol):
    """What a protocol must have, and nothing else."""

    name = "bare"
    meaning = "Nothing is scored."

    def covers(self, group: RunGroup) -> bool:
        return True

    def sections(self, runs: DatasetRuns, subsets: Collection[str] | None = None) -> list[Section]:
        return []


def test_what_a_protocol_does_not_say_keeps_nothing_and_finds_nothing(sample: Dataset, tmp_path: Path) -> None:
    outcome = execute(RunRequest(Prior, NoConfig(), sample, tmp_path), SilentProgress())
    before = sorted(path.name for path in outcome.run.folder.iterdir())
    protocol, system = Bare(), Prior(labels=sample.labels)
    protocol.derive(outcome.run, sample, system, SilentProgress())
    assert sorted(path.name for path in outcome.run.folder.iterdir()) == before
    assert list(protocol.differences(outcome.run, sample)) == []
    assert protocol.applies_to(sample)
    assert protocol.ranked


def test_a_protocol_must_say_what_it_covers_and_scores() -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (Protocol,), {"name": "half", "meaning": "-"})()


@pytest.mark.parametrize("name", protocols())
def test_sections_are_of_the_protocol_and_hold_rows_of_what_is_covered(
    name: str, sample: Dataset, tmp_path: Path
) -> None:
    execute(RunRequest(Prior, NoConfig(), sample, tmp_path), SilentProgress())
    (group,) = group_runs(find_runs(tmp_path))
    protocol = protocols()[name]
    sections = protocol.sections(DatasetRuns.of(sample, [group]))
    assert {section.protocol for section in sections} <= {name}
    measured = [row.system for section in sections for row in section.rows if row.evidence == "measured"]
    # Rows of transfer that were trained on the corpus itself stand beside others only.
    assert bool(measured) == (protocol.covers(group) and name != "transfer")
