"""The figures of docs/datasets.md against the committed boards."""

from __future__ import annotations

import csv
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
