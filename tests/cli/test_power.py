from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    truth = gold(sample)
    for seed in (0, 1):
        labels = [label if (place + seed) % 3 else "anger" for place, label in enumerate(truth)]
        write_run(tmp_path, sample, labels, system="a", seed=seed)
        labels = [label if (place + seed) % 2 else "anger" for place, label in enumerate(truth)]
        write_run(tmp_path, sample, labels, system="b", seed=seed)
    write_run(tmp_path, sample, ["happiness"] * len(truth), system="c")
    write_run(tmp_path, sample, ["anger"] * len(truth), system="d")
    return tmp_path


def test_lines_say_what_is_needed(results: Path, command: Command) -> None:
    done = command("power", "--effect", "12", "--results-dir", results)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == (
        "sample, protocol utterance, subset all: to show a difference of 12.00 in micro F1 at 5% in 80% of cases"
    )
    assert lines[2] == "a against b, of 2 seeds each on 30 dialogues"
    assert lines[3].startswith("  now: found in ")
    assert any(line.startswith("  dialogues needed with these seeds: ") for line in lines)
    assert any(line == "a against c, of 2 and 1 seeds on 30 dialogues" for line in lines)
    alone = command("power", "c", "d", "--effect", "12", "--results-dir", results).out
    assert "one seed a row: the claim is about these two trained systems" in alone


def test_json_gives_the_variances_and_the_needs(results: Path, command: Command) -> None:
    arguments = ("a", "b", "--effect", "0.1", "--metric", "mcc", "--subset", "not-verbatim", "--json")
    found = json.loads(command("power", *arguments, "--results-dir", results).out)
    assert (found["metric"], found["effect"], found["level"], found["power"]) == ("mcc", 0.1, 0.05, 0.8)
    (pair,) = found["pairs"]
    assert set(pair["variances"]) == {"shared_by_seeds_one_dialogue", "own_of_seeds_one_dialogue", "between_seeds"}
    assert {"dialogues_needed", "seeds_needed", "dialogues_needed_by_seeds", "detectable", "power"} <= set(pair)


def test_an_effect_is_asked_for_and_must_be_one(results: Path, command: Command) -> None:
    assert command("power", "--results-dir", results).code == 2
    done = command("power", "--effect", "-1", "--results-dir", results)
    assert (done.code, "an effect must be above 0" in done.err) == (2, True)
