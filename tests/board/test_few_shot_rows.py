from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erc_bench.board.few_shot_rows import CHANCE, few_shot_sections
from erc_bench.board.rows import Section, group_runs, sections
from erc_bench.domain import DAILYDIALOG_LABELS, Dataset
from erc_bench.few_shot import EPISODES, FEW_SHOT_FILE, SEED
from erc_bench.few_shot import _Evidence as Evidence
from erc_bench.records import find_runs

EMOTIONS = DAILYDIALOG_LABELS.emotions


@pytest.fixture
def few_shot_run(write_run: Any, sample: Dataset, gold: Callable[[Dataset], list[str]], tmp_path: Path) -> Any:
    """A run whose episodes find `found` of each hundred utterances of the withheld label, and all others."""

    def make(system: str, withheld: str, *, found: float, shots: tuple[int, ...] = (1, 5, 20), seed: int = 0) -> None:
        names = gold(sample)
        run = write_run(
            tmp_path, sample, names, system=system, withheld=withheld, seed=seed, config_hash=f"{withheld:_<12}"[:12]
        )
        support = np.bincount([sample.labels.index(name) for name in names], minlength=7)
        confusion = np.zeros((EPISODES, 7, 8), np.int64)
        confusion[:, range(7), range(7)] = support
        perfect = confusion.copy()
        column = sample.labels.index(withheld)
        generator = np.random.default_rng(seed)
        lost = support[column] - generator.binomial(support[column], found, EPISODES)
        confusion[:, column, column] -= lost
        confusion[:, column, 0] += lost
        evidence = Evidence(
            dataset_fingerprint=sample.fingerprint,
            labels=list(sample.labels.names),
            withheld=withheld,
            seed=SEED,
            episodes=EPISODES,
            confusions={shot: confusion.tolist() for shot in shots},
            corrected={shot: perfect.tolist() for shot in shots},
        )
        (run.folder / FEW_SHOT_FILE).write_text(evidence.model_dump_json())

    return make


def found_sections(sample: Dataset, results: Path) -> list[Section]:
    return few_shot_sections(group_runs(find_runs(results)), sample)


def test_a_row_is_the_mean_over_the_withheld_labels(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    for label in EMOTIONS:
        few_shot_run("space", label, found=0.5)
        few_shot_run("floor", label, found=0.1)
    one, five, twenty = found_sections(sample, tmp_path)
    assert [section.subset for section in (one, five, twenty)] == ["1 example", "5 examples", "20 examples"]
    assert [row.title for row in one.rows] == ["space", "floor", CHANCE]
    row = one.rows[0]
    score = row.scores["withheld_f1"]
    assert score.value == pytest.approx(np.mean([values["f1"] for values in row.per_label.values()]))
    assert score.value == pytest.approx(100 * 2 / 3, abs=4)  # all right, half found: F1 is 2/3
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high
    assert score.high - score.low < 5
    assert row.scores["withheld_f1_corrected"].value == 100
    assert all(values["f1_corrected"] == 100 for values in row.per_label.values())
    assert set(row.per_label) == set(EMOTIONS)
    assert all(values["low"] <= values["f1"] <= values["high"] for values in row.per_label.values())
    assert row.flags == ()
    assert row.rank == ""
    assert len(row.commands) == 6


def test_missing_labels_are_flagged_and_missing_numbers_of_examples_left_out(
    few_shot_run: Any, sample: Dataset, tmp_path: Path
) -> None:
    few_shot_run("space", "fear", found=0.5, shots=(1, 5))
    one, five = found_sections(sample, tmp_path)
    assert one.rows[0].flags == ("without anger, disgust, happiness, sadness, surprise",)
    assert set(five.rows[0].per_label) == {"fear"}


def test_seeds_add_episodes_to_one_row(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    for seed in (0, 1):
        few_shot_run("space", "fear", found=0.5, seed=seed)
    row = found_sections(sample, tmp_path)[0].rows[0]
    assert row.seeds == 2
    assert row.notes == (f"{2 * EPISODES} episodes or more for each label",)


def test_chance_is_beside_every_number_of_examples(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    few_shot_run("space", "anger", found=0.5)
    support = sum(u.label == "anger" for d in sample.test for u in d.utterances) / sum(map(len, sample.test))
    for section in found_sections(sample, tmp_path):
        chance = section.rows[-1]
        assert chance.floor
        assert chance.per_label["anger"]["f1"] == pytest.approx(100 * 2 * support / 7 / (support + 1 / 7))


def test_such_runs_are_on_no_other_board(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    few_shot_run("space", "anger", found=0.5)
    groups = group_runs(find_runs(tmp_path))
    assert not any(section.rows for section in sections(groups, sample, ["utterance"]))


def test_without_such_runs_there_is_no_section(sample: Dataset) -> None:
    assert few_shot_sections([], sample) == []
