from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.board.model import ranked
from erc_bench.contract.domain import Dataset
from erc_bench.protocols.rows import Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.triplet.protocol import TRIPLET
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs
from erc_bench.records.record import find_runs
from erc_bench.scoring.catalogue import METRICS, MICRO_F1, headline

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def section_of(results: Path, dataset: Dataset, ranking: str = "micro_f1") -> Section:
    runs = DatasetRuns.of(dataset, group_runs(find_runs(results)))
    return ranked(UTTERANCE.sections(runs, ("all",))[0], METRICS[ranking])


def spoiled(labels: list[str], every: int) -> list[str]:
    return ["anger" if position % every == 0 else label for position, label in enumerate(labels)]


def test_rows_are_ranked_and_sorted_best_first(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, spoiled(gold(mini), 2), system="a-poor")
    write_run(tmp_path, mini, gold(mini), system="b-perfect")
    write_run(tmp_path, mini, gold(mini), system="c-perfect")
    section = section_of(tmp_path, mini)
    assert [(row.title, row.rank) for row in section.rows] == [
        ("b-perfect", "1-2"),
        ("c-perfect", "1-2"),
        ("a-poor", "3"),
    ]
    assert list(section.estimates) == [row.title for row in section.rows]


def test_another_metric_ranks_otherwise(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, ["no emotion"] * 96, system="calm")
    write_run(tmp_path, mini, ["happiness"] * 96, system="happy")
    assert [row.title for row in section_of(tmp_path, mini).rows] == ["happy", "calm"]
    section = section_of(tmp_path, mini, "accuracy")
    assert [row.title for row in section.rows] == ["calm", "happy"]
    assert section.metrics[0].name == "accuracy"
    assert list(section.estimates) == ["calm", "happy"]


def test_only_the_columns_are_read_with_unusable_answers_as_neutral(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_run(tmp_path, mini, [None, *gold(mini)[1:]])
    (row,) = section_of(tmp_path, mini).rows
    assert set(row.unusable_as_neutral) == {metric.name for metric in headline(MICRO_F1)}


def test_rows_that_nobody_would_choose_have_no_rank_and_no_part_in_others(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    for name, labels in (("a-poor", spoiled(gold(mini), 2)), ("b-perfect", gold(mini))):
        write_run(tmp_path, mini, labels, system=name)
    alone = section_of(tmp_path, mini)
    write_run(tmp_path, mini, gold(mini), system="c-part")
    runs = DatasetRuns.of(mini, group_runs(find_runs(tmp_path)))
    section = ranked(UTTERANCE.sections(runs, ("all",))[0], MICRO_F1, {"c-part": "a part taken out"})
    assert [(row.title, row.rank) for row in section.rows] == [("b-perfect", "1"), ("c-part", ""), ("a-poor", "2")]
    assert [row.rank for row in alone.rows] == ["1", "2"]
    assert [row.notes for row in section.rows] == [(), ("no rank: a part taken out",), ()]
    assert set(section.estimates) == {"a-poor", "b-perfect", "c-part"}


def test_a_section_without_estimates_keeps_the_order_of_its_protocol() -> None:
    section = Section("mini", TRIPLET.name, "all", 1, 1, ())
    assert ranked(section, MICRO_F1) is section
