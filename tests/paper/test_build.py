from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.paper.build import build_paper, parse_formats, read_runs, write_paper
from erc_bench.paper.measure import Measurements
from erc_bench.paper.render import render_markdown
from erc_bench.paper.tables import table_5

if TYPE_CHECKING:
    from erc_bench.records.record import Run

    from .conftest import MakeRun


@pytest.fixture
def runs(make_run: MakeRun) -> list[Run]:
    return [
        make_run("sentemocontext", seed=0, embeds=True),
        make_run("sentemocontext", seed=1, embeds=True, wrong=4),
        make_run("sentemocontext-released", embeds=True),
    ]


def test_the_same_records_give_the_same_bytes(runs: list[Run], sample: Dataset, tmp_path: Path) -> None:
    contents = []
    for name in ("once", "again"):
        paths = write_paper(build_paper(sample, runs), tmp_path / name, ("md", "csv"))
        contents.append({path.name: path.read_bytes() for path in paths})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {
        *(f"figure-{number}.{ending}" for number in (3, 4) for ending in ("png", "svg")),
        "paper.md",
        "paper.csv",
    }
    assert contents[0]["figure-3.png"].startswith(b"\x89PNG")
    assert b"<svg" in contents[0]["figure-4.svg"]


def test_only_what_was_asked_for_is_made_and_named(runs: list[Run], sample: Dataset, tmp_path: Path) -> None:
    paper = build_paper(sample, runs, tables=(5, 2, 2), figures=(4,))
    assert [table.key for table in paper.tables] == ["table-2", "table-5", "figure-4"]
    names = {path.name for path in write_paper(paper, tmp_path / "out", ("md",))}
    assert names == {"table-2-table-5-figure-4.md", "figure-4.png", "figure-4.svg"}


def test_figure_3_has_no_picture_without_a_run(sample: Dataset, tmp_path: Path) -> None:
    paths = write_paper(build_paper(sample, [], figures=(3,)), tmp_path / "out", ("md",))
    assert [path.name for path in paths] == ["figure-3.md"]
    text = paths[0].read_text()
    assert "![" not in text
    assert "`erc-bench run --system sentemocontext --dataset sample --seeds 0-9`" in text


def test_formats_are_checked() -> None:
    assert parse_formats("csv, md,csv") == ("csv", "md")
    with pytest.raises(UnknownNameError, match="got 'pdf'"):
        parse_formats("md,pdf")
    with pytest.raises(UsageError, match="must name at least one"):
        parse_formats(" , ")


def test_a_results_folder_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    assert read_runs(tmp_path / "nothing") == ()


@pytest.mark.parametrize("names", [("calm", "joyful", "mad"), ("joyful", "mad")], ids=["neutral", "no neutral"])
def test_every_table_and_figure_is_there_for_a_corpus_with_other_labels(
    names: tuple[str, ...], sample: Dataset
) -> None:
    neutral = "calm" if "calm" in names else None
    turns = tuple(Utterance(f"turn {i}", "AB"[i % 2], names[i * 5 % 7 % len(names)]) for i in range(12))
    dialogues = tuple(Dialogue(f"d{i}", turns[i:]) for i in range(4))
    other = Dataset("other", LabelSet(names, neutral), dialogues, dialogues, dialogues)
    paper = build_paper(other, [])
    assert [table.key for table in paper.tables] == [table.key for table in build_paper(sample, []).tables]
    text = render_markdown(paper.tables, paper.introduction, [])
    assert "happiness everywhere" not in text
    recomputed = {
        dataset.name: [line.measured for line in table_5(Measurements(dataset, [])).lines if "Recomputed" in line.block]
        for dataset in (sample, other)
    }
    assert recomputed["other"] == recomputed["sample"]
