"""The figures of docs/datasets.md against the committed boards."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEMS = ("raw-encoder", "sentemocontext")
CHANCE = "chance: one of all labels at random"


@pytest.fixture(scope="module")
def page() -> str:
    return " ".join((ROOT / "docs" / "datasets.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def few_shot() -> dict[tuple[str, str], dict[str, str]]:
    with (ROOT / "leaderboard" / "leaderboard.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["protocol"] == "few-shot"]
    return {(line["dataset"], line["system"]): line for line in lines if line["subset"] == "20 examples"}


def shown(line: dict[str, str]) -> str:
    low, high = (f"{float(line[f'withheld_f1_episodes_{end}']):.1f}" for end in ("low", "high"))
    return f"{float(line['withheld_f1']):.1f} [{low}, {high}]"


def test_few_shot_on_other_corpora(page: str, few_shot: dict[tuple[str, str], dict[str, str]]) -> None:
    said, macro = [], []
    for corpus in ("meld", "emorynlp"):
        raw, trained = (few_shot[corpus, system] for system in SYSTEMS)
        chance = float(few_shot[corpus, CHANCE]["withheld_f1"])
        said.append((shown(raw), shown(trained), f"{chance:.1f}"))
        macro.append(" and ".join(f"{float(line['macro_f1']):.1f}" for line in (raw, trained)))
        assert {raw["seeds"], trained["seeds"]} == {"1"}
        assert float(trained["withheld_f1"]) < float(raw["withheld_f1"])
    own, other = said
    assert (
        f"on MELD the F1 of the withheld emotion is {own[0]} with the untrained encoder, {own[1]} with `sentemocontext` and "
        f"{own[2]} by chance, on EmoryNLP {other[0]}, {other[1]} and {other[2]}"
    ) in page
    assert f"{macro[0]} on MELD, {macro[1]} on EmoryNLP" in page


def test_random_triplets_on_other_corpora(page: str) -> None:
    with (ROOT / "leaderboard" / "leaderboard.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["protocol"] == "triplet"]
    by_row = {(line["dataset"], line["system"]): float(line["micro_f1"]) for line in lines}
    said = re.findall(r"(\d\d\.\d\d) ± \d", page[page.index("- **Random triplets**") : page.index("- **Few-shot.**")])
    rows = ("Gaussian noise", "raw-encoder"), ("raw-encoder", "Gaussian noise", "sentemocontext")
    wanted = [by_row["meld", row] for row in rows[0]] + [
        by_row[corpus, row] for corpus, row in zip(("emorynlp", "emorynlp", "meld"), rows[1], strict=True)
    ]
    assert said == [f"{value:.2f}" for value in wanted]


def test_the_table_of_transfer_is_that_of_the_matrix(page: str) -> None:
    matrix = (ROOT / "leaderboard" / "transfer.md").read_text(encoding="utf-8")
    system, compared = "", 0
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    for line in text.split("### What it shows", 1)[1].split("\n## ", 1)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 5 or cells[1].strip("`") not in ("dailydialog", "emorynlp", "meld"):
            continue
        system = cells[0].strip("`") or system
        part = matrix.split(f"## {system}\n", 1)[1].split("\n## ", 1)[0]
        found = next(row for row in part.splitlines() if row.startswith(f"| {cells[1].strip('`')} |"))
        assert [re.sub(r" \[[^]]*\]", "", cell).strip() for cell in found.strip("|").split("|")[1:]] == cells[2:]
        compared += 1
    assert compared == 9
    differences = [
        re.search(rf"\| {name} \| meld \| emorynlp \|.*?\| ([+−][\d.]+ \[[^]]+\]) \|", matrix)
        for name in ("tfidf-logreg", "minilm-classifier", "sentemocontext")
    ]
    assert all(each and each[1] in page for each in differences)
