from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.build import build_boards, rendered
from erc_bench.board.by_phenomenon import coarse, phenomena_table, phenomena_values, shown_section
from erc_bench.board.model import Board
from erc_bench.contract.domain import Dataset
from erc_bench.protocols.phenomena import PHENOMENA
from erc_bench.scoring.catalogue import METRICS

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def board(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Board:
    truth = gold(sample)
    for seed in (0, 1):
        write_run(tmp_path, sample, truth, system="perfect", seed=seed)
    write_run(tmp_path, sample, ["happiness"] * len(truth), system="happy")
    write_run(tmp_path, sample, ["happiness"] * len(sample.test), system="late", targets="last")
    (found,) = build_boards(tmp_path).boards
    return found


def test_one_table_holds_every_row_of_the_first_section_and_every_group(board: Board) -> None:
    section = shown_section(board)
    assert section is not None
    assert (section.protocol, section.subset) == ("utterance", "all")
    assert [each.protocol for each in board.sections if each.breakdowns] == ["utterance"]
    table = phenomena_table(section)
    assert [row[0] for row in table.rows] == ["perfect", "happy"]
    supports = dict(zip(section.breakdowns[0].groups, section.breakdowns[0].supports, strict=True))
    assert table.columns[:2] == ("system", f"shift: continues ({supports['continues']})")
    assert {column.partition(":")[0] for column in table.columns[1:]} == {"shift", "turn", "length", "label"}
    assert table.rows[0][1] == "100.0 [100.0, 100.0]"


def test_values_say_support_metric_and_limits(board: Board, sample: Dataset, gold: Gold) -> None:
    values = phenomena_values([board])
    chosen = [each for each in values if (each["phenomenon"], each["group"]) == ("label", "happiness")]
    assert [each["system"] for each in chosen] == ["perfect", "happy"]
    assert {each["support"] for each in chosen} == {gold(sample).count("happiness")}
    support, utterances = gold(sample).count("happiness"), len(gold(sample))
    assert chosen[1]["score"] == pytest.approx(200 * support / (support + utterances), abs=1e-3)
    assert chosen[1]["low"] < chosen[1]["score"] < chosen[1]["high"]
    assert (chosen[0]["deviation"], chosen[1]["deviation"]) == (0, None)


def test_markdown_and_page_show_it_once_and_in_every_row(board: Board) -> None:
    text, page = (rendered([board], name).decode() for name in ("md", "html"))
    assert text.count("### sample: utterance, by phenomenon") == 1
    for name in ("shift", "turn", "length", "label"):
        assert f"- {name}: {PHENOMENA[name].meaning}" in text
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    lines = json.loads(data)["lines"].values()
    assert sum("phenomena" in kinds and "by_phenomenon" in kinds for kinds in lines) == 2
    assert '["continues",' in data


def test_groups_are_shown_with_a_decimal_less() -> None:
    assert coarse(METRICS["micro_f1"]).text(12.34) == "12.3"
    assert coarse(METRICS["mcc"]).text(0.1234) == "0.12"
