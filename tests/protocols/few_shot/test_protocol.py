from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.board.build import measured_board, rendered
from erc_bench.board.formats.csv_file import columns, every_value, values
from erc_bench.contract.domain import Dataset
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import DataCorruptError
from erc_bench.protocols.few_shot.episodes import EPISODES, SEED
from erc_bench.protocols.few_shot.evidence import FEW_SHOT_FILE, run_counts
from erc_bench.protocols.few_shot.evidence import _Evidence as Evidence
from erc_bench.protocols.few_shot.protocol import CHANCE, FEW_SHOT
from erc_bench.protocols.rows import Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs
from erc_bench.records.record import Run, find_runs
from erc_bench.scoring import metrics

EMOTIONS = LABELS.emotions


@pytest.fixture
def few_shot_run(write_run: Any, sample: Dataset, gold: Callable[[Dataset], list[str]], tmp_path: Path) -> Any:
    """A run whose episodes find `found` of each hundred utterances of the withheld label, and all others."""

    def make(
        system: str,
        withheld: str,
        *,
        found: float,
        shots: tuple[int, ...] = (1, 5, 20),
        seed: int = 0,
        draws: int | None = None,
    ) -> None:
        names = gold(sample)
        run = write_run(
            tmp_path,
            sample,
            names,
            system=system,
            withheld=withheld,
            seed=seed,
            config_hash=f"{withheld:_<12}"[:12],
            command=f"erc-bench run --system {system} --dataset {sample.name} --seed {seed} --withhold {withheld}",
        )
        support = np.bincount([sample.labels.index(name) for name in names], minlength=7)
        confusion = np.zeros((EPISODES, 7, 8), np.int64)
        confusion[:, range(7), range(7)] = support
        perfect = confusion.copy()
        column = sample.labels.index(withheld)
        generator = np.random.default_rng(seed if draws is None else draws)
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
    return FEW_SHOT.sections(DatasetRuns.of(sample, group_runs(find_runs(results))))


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
    assert row.context_tested
    assert len(row.commands) == 6


def test_missing_labels_are_flagged_and_missing_numbers_of_examples_left_out(
    few_shot_run: Any, sample: Dataset, tmp_path: Path
) -> None:
    few_shot_run("space", "fear", found=0.5, shots=(1, 5))
    one, five = found_sections(sample, tmp_path)
    assert one.rows[0].flags == ("without anger, disgust, happiness, sadness, surprise",)
    assert set(five.rows[0].per_label) == {"fear"}


def test_seeds_share_their_episodes(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    """Two seeds with the same outcomes in every episode say as much as one of them."""
    few_shot_run("one", "fear", found=0.5)
    for seed in (0, 1):
        few_shot_run("two", "fear", found=0.5, seed=seed, draws=0)
        few_shot_run("mean", "fear", found=0.5, seed=seed)
    rows = {row.title: row for row in found_sections(sample, tmp_path)[0].rows}
    assert rows["two"].seeds == 2
    assert rows["two"].scores == rows["one"].scores
    assert rows["two"].notes == (
        f"{EPISODES} episodes for each withheld label, an episode is the mean of 2 seeds that share its examples",
    )
    assert rows["one"].notes == (f"{EPISODES} episodes for each withheld label",)
    per_seed = [one_run_f1(found_run, sample) for found_run in find_runs(tmp_path) if found_run.record.system == "mean"]
    score, by_episode = rows["mean"].scores["withheld_f1"], np.mean(per_seed, axis=0)
    assert score.value == pytest.approx(by_episode.mean())
    assert score.high is not None
    assert score.high - score.value == pytest.approx(1.959964 * by_episode.std(ddof=1) / np.sqrt(EPISODES))


def one_run_f1(run: Run, sample: Dataset) -> NDArray[np.float64]:
    counts = run_counts(run.folder, sample, run.record.withheld)
    f1 = metrics.per_label(counts.confusions[1], sample.labels)["f1"]
    return f1[:, sample.labels.index(counts.withheld)]


@pytest.mark.parametrize("share", [0.004, 0.996])
def test_intervals_stay_within_the_range_of_f1(
    few_shot_run: Any, sample: Dataset, tmp_path: Path, share: float
) -> None:
    few_shot_run("space", "happiness", found=share, draws=5)
    row = found_sections(sample, tmp_path)[0].rows[0]
    score = row.scores["withheld_f1"]
    assert score.low is not None
    assert score.high is not None
    assert 0 <= score.low < score.value < score.high <= 100
    assert score.low == 0 or score.high == 100
    assert row.per_label["happiness"]["low"] == score.low
    assert row.per_label["happiness"]["high"] == score.high


def test_the_source_makes_the_runs_of_all_labels_and_seeds(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    for label in ("anger", "fear"):
        for seed in (0, 1, 2):
            few_shot_run("space", label, found=0.5, seed=seed)
    few_shot_run("other", "anger", found=0.1, seed=0)
    few_shot_run("other", "fear", found=0.1, seed=3)
    few_shot_run("other", "fear", found=0.1, seed=5)
    sources = {row.title: row.source for row in found_sections(sample, tmp_path)[0].rows}
    command = f"erc-bench run --system {{}} --dataset {sample.name}"
    assert sources["space"] == f"{command.format('space')} --seeds 0-2 --withhold anger --withhold fear"
    assert sources["other"] == "; ".join(
        f"{command.format('other')} --seed {seed} --withhold {label}"
        for seed, label in ((0, "anger"), (3, "fear"), (5, "fear"))
    )


def test_both_readings_are_on_the_page_and_in_json(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    few_shot_run("space", "anger", found=0.5)
    board = measured_board(sample, group_runs(find_runs(tmp_path)), [FEW_SHOT])
    page = rendered([board], "html").decode()
    for heading in ("F1 of the withheld label", "F1 of the withheld label, corrected"):
        assert re.search(rf"<th scope=\"col\"[^>]*>{heading} ?<", page)
    score = board.sections[0].rows[0].scores["withheld_f1_corrected"]
    found = every_value(board.sections[0].rows[0])
    assert found["withheld_f1_corrected"] == score.value == 100
    assert found["withheld_f1_corrected_episodes_low"] == score.low
    assert found["withheld_f1_episodes_low"] < found["withheld_f1"] < found["withheld_f1_episodes_high"]
    assert tuple(values(board.sections[0].rows[0])) == columns()


def test_the_csv_has_a_column_an_emotion_as_the_table_has(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    few_shot_run("space", "anger", found=0.5)
    board = measured_board(sample, group_runs(find_runs(tmp_path)), [FEW_SHOT])
    lines = list(csv.DictReader(io.StringIO(rendered([board], "csv").decode())))
    assert tuple(lines[0])[len(columns()) :] == tuple(f"f1_of_{label}" for label in sample.labels.emotions)
    row = board.sections[0].rows[0]
    assert float(lines[0]["f1_of_anger"]) == pytest.approx(row.per_label["anger"]["f1"], abs=1e-6)
    assert lines[0]["f1_of_fear"] == ""


def test_precision_and_recall_are_those_of_the_withheld_label(
    few_shot_run: Any, sample: Dataset, tmp_path: Path
) -> None:
    few_shot_run("space", "anger", found=0.5)
    row = found_sections(sample, tmp_path)[0].rows[0]
    assert row.per_label["anger"]["precision"] == 100
    assert row.per_label["anger"]["recall"] == pytest.approx(50, abs=6)
    assert row.per_label["anger"]["support"] == sum(u.label == "anger" for d in sample.test for u in d.utterances)


def test_a_file_of_another_withheld_label_is_refused(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    for label in ("anger", "fear"):
        few_shot_run("space", label, found=0.5)
    anger, fear = (run.folder / FEW_SHOT_FILE for run in find_runs(tmp_path))
    anger.write_bytes(fear.read_bytes())
    with pytest.raises(DataCorruptError, match=r"few_shot\.json must hold"):
        found_sections(sample, tmp_path)


def test_chance_is_beside_every_number_of_examples(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    few_shot_run("space", "anger", found=0.5)
    support = sum(u.label == "anger" for d in sample.test for u in d.utterances) / sum(map(len, sample.test))
    for section in found_sections(sample, tmp_path):
        chance = section.rows[-1]
        assert chance.floor
        assert chance.scores["withheld_f1_corrected"] == chance.scores["withheld_f1"]
        assert chance.per_label["anger"]["f1"] == pytest.approx(100 * 2 * support / 7 / (support + 1 / 7))


def test_such_runs_are_on_no_other_board(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    few_shot_run("space", "anger", found=0.5)
    assert UTTERANCE.sections(DatasetRuns.of(sample, group_runs(find_runs(tmp_path)))) == []


def test_one_number_of_examples_can_be_asked_for(few_shot_run: Any, sample: Dataset, tmp_path: Path) -> None:
    few_shot_run("space", "anger", found=0.5)
    runs = DatasetRuns.of(sample, group_runs(find_runs(tmp_path)))
    assert [section.subset for section in FEW_SHOT.sections(runs, ("5 examples", "all"))] == ["5 examples"]


def test_without_such_runs_there_is_no_section(sample: Dataset) -> None:
    assert FEW_SHOT.sections(DatasetRuns(sample, [])) == []
