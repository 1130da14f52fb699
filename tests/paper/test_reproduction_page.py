"""The page docs/reproduction.md against the code it describes."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from erc_bench.board.published import published_results
from erc_bench.cli import COMMANDS
from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_names
from erc_bench.paper import notes
from erc_bench.paper.measure import Measurements
from erc_bench.paper.published import paper_tables
from erc_bench.paper.sizes import released_parameters
from erc_bench.paper.tables import AS_DESCRIBED, table_1
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.utterance import UTTERANCE

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"
CLASSIFIER = "all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def page() -> str:
    return " ".join(PAGE.read_text(encoding="utf-8").split())


def test_commands_and_systems_exist(page: str) -> None:
    assert set(re.findall(r"erc-bench ([a-z]+)", page)) <= set(COMMANDS)
    assert set(re.findall(r"--system ([\w-]+)|systems show ([\w-]+)", page)) >= {("sentemocontext", "")}
    for found in re.findall(r"--system ([\w-]+)|systems show ([\w-]+)", page):
        assert "".join(found) in system_names()


def test_published_numbers_are_those_of_the_tables(page: str) -> None:
    by_name = {result.system: result for result in published_results("dailydialog")}
    sec = by_name["SentEmoContext"]
    assert f"published {sec.macro_f1} macro F1, {sec.micro_f1} micro F1 and {sec.mcc} MCC" in page
    for other, difference in (("CD-ERC", "6.48"), ("TODKAT", "5.15")):
        macro = by_name[other].macro_f1
        assert sec.macro_f1 is not None
        assert macro is not None
        assert f"{sec.macro_f1 - macro:.2f}" == difference
        assert difference in page
    tables = paper_tables()
    macro_f1, micro_f1, mcc = (tables.row("table_4", "all-MiniLM-L6-v2")[k] for k in ("macro_f1", "micro_f1", "mcc"))
    assert f"prints {macro_f1} macro F1, {micro_f1} micro F1 and {mcc} MCC for it" in page
    assert " ".join(f"{count:,}" for count in released_parameters()) == "156,357,248 2,170,887"
    assert f"together {sum(released_parameters()):,}" in page


@pytest.mark.data
def test_numbers_that_the_page_states_are_computed(page: str, dailydialog: Dataset) -> None:
    found = Measurements(dailydialog, [])
    computed = "\n".join(
        [
            *(str(line.measured) for line in table_1(dailydialog).lines),
            *notes.table_2(found, published_results("dailydialog")),
            *notes.table_3(dailydialog),
            *notes.table_4(dailydialog),
            *notes.table_5(found, paper_tables()),
        ]
    )
    for number in (
        *("7.85", "7,635", "7,740", "6,321", "57.95", "57.96", "0.506", "1,419", "0.008"),
        *("994 of 1,000 answers are", "−0.001 ± 0.024", "0.147 ± 0.011", "0.004 ± 0.015", "7.41", "42.84", "0.026"),
        *("26.77", "32.63", "24.77", "83.49", "25.73", "46.92", "24.92", "43.37", "64.07", "64.01", "63.12", "60.34"),
    ):
        assert number in page
        assert number in computed
    happiness = {protocol.name: found.constant("happiness", protocol) for protocol in (LAST_TURN, UTTERANCE)}
    assert f"{happiness['utterance']['micro_f1'].value:.2f} on all utterances" in page
    last = happiness["last-turn"]
    assert f"{last['macro_f1'].value:.2f} macro F1, {last['micro_f1'].value:.2f} micro F1 and 0 MCC" in page
    noise, _, half = found.controls()
    written = [f"{noise.values[k].value:.2f} ± {noise.values[k].deviation:.2f}" for k in ("macro_f1", "micro_f1")]
    assert f"macro F1 {written[0]}, micro F1 {written[1]}, MCC {noise.values['mcc'].value:.3f} ± " in page
    assert f"{half.values['micro_f1'].value:.2f} ± {half.values['micro_f1'].deviation:.2f}" in page


def test_what_the_page_says_of_table_4_holds_for_the_committed_tables() -> None:
    with (PAGE.parents[1] / "leaderboard" / "paper.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["table"] == "table-4"]
    measured = {
        (line["row"], line["protocol"], line["column"]): float(line["measured"]) for line in lines if line["measured"]
    }
    published = {
        line["column"]: float(line["published"]) for line in lines if line["row"] == CLASSIFIER and line["published"]
    }
    assert len(published) == 3
    for column, value in published.items():
        emotional, everything = (measured[CLASSIFIER, name, column] for name in ("emotional utterances", "utterance"))
        assert value * 1.5 < emotional
        if column == "macro F1*":
            assert 1.5 < everything - value < 2.5, "two points above"
        else:
            assert everything < value * 0.85
        assert measured[AS_DESCRIBED, "emotional utterances", column] < emotional
        assert measured[AS_DESCRIBED, "utterance", column] > everything
    chosen, *given = (
        f"{measured[row, 'emotional utterances', 'micro F1*']:.2f}"
        for row in (
            "sentemocontext, forced choice",
            "minilm-classifier (labels=emotions), as given",
            "minilm-classifier (fine_tune=true, labels=emotions), as given",
        )
    )
    assert (
        f"it has a micro F1 of {chosen}, and that classifier {given[0]} on frozen embeddings and {given[1]} fine-tuned"
    ) in " ".join(PAGE.read_text(encoding="utf-8").split())


def test_what_the_page_says_of_ranks_holds_for_the_committed_board() -> None:
    with (PAGE.parents[1] / "leaderboard" / "leaderboard.csv").open(encoding="utf-8") as file:
        ranks = {
            line["system"]: line["rank"]
            for line in csv.DictReader(file)
            if (line["protocol"], line["subset"]) == ("utterance", "all")
        }
    (first, last), (other_first, other_last) = (
        (int(ranks[name].split("-")[0]), int(ranks[name].split("-")[-1]))
        for name in ("sentemocontext", "minilm-classifier")
    )
    assert max(first, other_first) <= min(last, other_last), "they no longer share a rank: rewrite the page"


def test_what_the_page_says_has_no_run_has_none_in_the_committed_tables(page: str) -> None:
    with (PAGE.parents[1] / "leaderboard" / "paper.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["block"].startswith("Measured here")]
    missing = {line["row"].split(" ")[0] for line in lines if line["missing"] and not line["measured"]}
    paragraph = page[page.index("**Rows without a run.**") : page.index("## Reading Table 2")]
    named = set(re.findall(r"`(sentemocontext[\w-]*)`", paragraph))
    assert named == {name for name in missing if name.startswith("sentemocontext")}
    assert ("isolated" in paragraph) == any(name.startswith("isolated") for name in missing)


RAW = "raw-encoder (decision=argmax)"


def test_what_the_page_says_of_few_shot_holds_for_the_committed_board(page: str) -> None:
    with (PAGE.parents[1] / "leaderboard" / "leaderboard.csv").open(encoding="utf-8") as file:
        lines = [
            line for line in csv.DictReader(file) if (line["dataset"], line["protocol"]) == ("dailydialog", "few-shot")
        ]
    macro = {(line["subset"], line["system"]): float(line["macro_f1"]) for line in lines}
    for shot in {subset for subset, _ in macro}:
        assert macro[shot, "sentemocontext"] > macro[shot, RAW]
    shown = " against ".join(f"{macro['20 examples', system]:.1f}" for system in ("sentemocontext", RAW))
    assert f"({shown} with 20)" in page
    assert {line["seeds"] for line in lines if line["system"] == "sentemocontext"} == {"3"}, (
        "runs of three training seeds"
    )


def test_the_page_names_every_departure_s_system() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for departure in paper_tables().departures:
        if departure.system:
            assert f"`{departure.system}`" in text
