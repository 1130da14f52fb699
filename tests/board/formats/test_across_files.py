from __future__ import annotations

import csv
import io

from erc_bench.board.across import AcrossBoard
from erc_bench.board.formats.across_files import pair_records, render_csv, render_markdown


def test_the_csv_has_the_columns_and_a_line_a_system(across: AcrossBoard) -> None:
    lines = list(csv.DictReader(io.StringIO(render_csv(across))))
    assert tuple(lines[0]) == across.columns()
    assert [line["system"] for line in lines] == [row.title for row in across.rows]
    good = lines[0]
    assert (good["system"], good["mean_rank"], good["corpora"], good["floor"]) == ("good", "1.0", "2", "False")
    assert float(good["big_micro_f1_low"]) < float(good["big_micro_f1"]) < float(good["big_micro_f1_high"])
    assert set(good["better_on_all_than"].split("; ")) == {"first", "second", "floor-high"}
    elsewhere = next(line for line in lines if line["system"] == "elsewhere")
    assert (elsewhere["mean_rank"], elsewhere["big_micro_f1"], elsewhere["big_seeds"]) == ("", "", "")
    assert elsewhere["small_weighted_f1_all"]


def test_every_pair_has_its_difference_on_each_corpus(across: AcrossBoard) -> None:
    pairs = list(pair_records(across))
    assert len(pairs) == len(across.pairs)
    (pair,) = [each for each in pairs if (each["a"], each["b"]) == ("good", "first")]
    assert (pair["holds_on_all"], pair["better"]) == (True, "good")
    assert list(pair["corpora"]) == ["big", "small"]
    small = pair["corpora"]["small"]
    assert small["metric"] == "weighted_f1_all"
    assert 0 < small["low"] < small["difference"] < small["high"]
    assert pair["p_value"] == max(corpus["p_value"] for corpus in pair["corpora"].values())


def test_markdown_has_the_table_and_what_holds(across: AcrossBoard) -> None:
    text = render_markdown(across)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert len(rows) == 2 + len(across.rows)
    assert "- first is better than floor-high." in text
    assert "[docs/protocols-and-metrics.md](../docs/protocols-and-metrics.md)" in text


def test_hostile_titles_stay_in_their_cells(hostile_across: AcrossBoard) -> None:
    text = render_markdown(hostile_across)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(hostile_across.rows)
    assert len(list(csv.DictReader(io.StringIO(render_csv(hostile_across))))) == len(hostile_across.rows)
