from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import eq
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.files import file_sha256
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.rows import Row, Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs
from erc_bench.records.predictions import PREDICTIONS_FILE
from erc_bench.records.record import find_runs, write_record

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def board(results: Path, dataset: Dataset, subsets: Sequence[str] | None = None) -> dict[tuple[str, str], Section]:
    runs = DatasetRuns.of(dataset, group_runs(find_runs(results)))
    found = [section for protocol in (UTTERANCE, LAST_TURN) for section in protocol.sections(runs, subsets)]
    return {(section.protocol, section.subset): section for section in found}


def rows_by_title(section: Section) -> dict[str, Row]:
    return {row.title: row for row in section.rows}


def spoiled(labels: Sequence[str], every: int) -> list[str]:
    """Every so-manieth answer becomes anger."""
    return ["anger" if position % every == 0 else label for position, label in enumerate(labels)]


def test_scores_are_those_of_scikit_learn(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    truth, answers = gold(mini), spoiled(gold(mini), 3)
    write_run(tmp_path, mini, answers)
    row = board(tmp_path, mini)["utterance", "all"].rows[0]
    emotions = list(mini.labels.emotions)
    micro = 100 * f1_score(truth, answers, labels=emotions, average="micro", zero_division=0)
    macro = 100 * f1_score(truth, answers, labels=emotions, average="macro", zero_division=0)
    assert row.scores["micro_f1"].value == pytest.approx(micro)
    assert row.scores["macro_f1"].value == pytest.approx(macro)
    assert row.scores["mcc"].value == pytest.approx(matthews_corrcoef(truth, answers))
    assert row.confusion is not None
    assert row.confusion.sum() == len(truth)
    assert row.per_label["anger"]["support"] == truth.count("anger")


def test_intervals_hold_the_score(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, spoiled(gold(mini), 3))
    for section in board(tmp_path, mini, ("all", "not-verbatim", "novel")).values():
        for name in ("micro_f1", "macro_f1", "mcc"):
            score = section.rows[0].scores[name]
            assert score.low is not None
            assert score.high is not None
            assert score.low < score.value < score.high


def test_every_protocol_has_the_subsets_and_one_has_the_second_annotation(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_run(tmp_path, mini, gold(mini))
    found = board(tmp_path, mini)
    assert {key: (section.dialogues, section.utterances) for key, section in found.items()} == {
        ("utterance", "all"): (24, 96),
        ("utterance", "not-verbatim"): (22, 89),
        ("utterance", "novel"): (22, 89),
        ("utterance", "annotated-twice"): (2, 7),
        ("last-turn", "all"): (24, 24),
        ("last-turn", "not-verbatim"): (22, 22),
        ("last-turn", "novel"): (22, 22),
    }


def test_a_subset_without_dialogues_has_no_section_unless_it_is_asked_for(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    apart = replace(mini, test=mini.test[2:])
    write_run(tmp_path, apart, gold(apart))
    assert [subset for protocol, subset in board(tmp_path, apart) if protocol == "utterance"] == [
        "all",
        "not-verbatim",
        "novel",
    ]
    one = replace(mini, test=mini.test[1:])
    write_run(tmp_path / "one", one, gold(one))
    assert ("utterance", "annotated-twice") not in board(tmp_path / "one", one)
    with pytest.raises(DataError, match="annotated-twice of mini must hold at least one utterance"):
        board(tmp_path, apart, ("annotated-twice",))


def test_the_second_annotation_is_scored_like_answers(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    """The test labels of a dialogue that stands in train are changed: the training labels then miss them."""
    first = mini.test[0]
    changed = replace(first, utterances=tuple(replace(u, label="anger") for u in first.utterances))
    apart = replace(mini, test=(changed, *mini.test[1:]))
    write_run(tmp_path, apart, gold(apart))
    section = board(tmp_path, apart, ("annotated-twice",))["utterance", "annotated-twice"]
    annotators, perfect = section.rows
    assert (annotators.title, annotators.evidence, annotators.rank) == ("second annotation", "annotation", "")
    answers = [str(u.label) for dialogue in mini.test[:2] for u in dialogue.utterances]
    truth = [str(u.label) for dialogue in apart.test[:2] for u in dialogue.utterances]
    micro = 100 * f1_score(truth, answers, labels=list(mini.labels.emotions), average="micro", zero_division=0)
    assert annotators.scores["micro_f1"].value == pytest.approx(micro)
    assert annotators.scores["accuracy"].value == pytest.approx(100 * sum(map(eq, truth, answers)) / len(truth))
    assert perfect.scores["micro_f1"].value == 100
    assert annotators.confusion is not None
    assert annotators.confusion.sum() == 7
    assert not section.ranked
    assert list(section.estimates) == ["echo"]


def test_runs_on_last_turns_are_not_under_utterance(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_run(tmp_path, mini, gold(mini), system="whole")
    write_run(tmp_path, mini, ["happiness"] * len(mini.test), system="last", targets="last", config_hash="ffff")
    found = board(tmp_path, mini)
    assert set(rows_by_title(found["utterance", "all"])) == {"whole"}
    assert set(rows_by_title(found["last-turn", "all"])) == {"whole", "last (targets=last)"}


def test_only_last_turns_give_no_utterance_section(tmp_path: Path, mini: Dataset, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, ["happiness"] * len(mini.test), targets="last")
    assert list(board(tmp_path, mini)) == [("last-turn", "all"), ("last-turn", "not-verbatim"), ("last-turn", "novel")]


def test_seeds_share_a_row(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, gold(mini), seed=0, timings={"train": 10.0}, notes=["same", "first"])
    write_run(tmp_path, mini, spoiled(gold(mini), 2), seed=1, timings={"train": 20.0}, notes=["same", "second"])
    (row,) = board(tmp_path, mini)["utterance", "all"].rows
    single = [board_of_one(tmp_path, mini, seed).scores["micro_f1"].value for seed in (0, 1)]
    assert row.seeds == 2
    assert row.scores["micro_f1"].value == pytest.approx(sum(single) / 2)
    assert row.scores["micro_f1"].deviation == pytest.approx(abs(single[0] - single[1]) / 2**0.5)
    assert row.train_seconds == 15.0
    assert row.notes == ("same", "first", "second")
    assert row.source == "erc-bench run --system echo --dataset mini --seeds 0-1"
    assert len(row.commands) == 2


def board_of_one(results: Path, dataset: Dataset, seed: int) -> Row:
    runs = [run for run in find_runs(results) if run.record.seed == seed]
    return UTTERANCE.sections(DatasetRuns.of(dataset, group_runs(runs)))[0].rows[0]


def test_one_seed_has_no_deviation(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, gold(mini), seed=3)
    (row,) = board(tmp_path, mini)["utterance", "all"].rows
    assert row.scores["micro_f1"].deviation is None
    assert row.source == "erc-bench run --system echo --dataset mini --seed 3"


def test_seeds_with_a_gap_keep_their_commands(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    for seed in (0, 2):
        write_run(tmp_path, mini, gold(mini), seed=seed)
    (row,) = board(tmp_path, mini)["utterance", "all"].rows
    assert row.source == (
        "erc-bench run --system echo --dataset mini --seed 0; erc-bench run --system echo --dataset mini --seed 2"
    )


def test_scored_predictions_name_their_source(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, gold(mini), evidence="predictions", reference="Doe, ACL 2025")
    (row,) = board(tmp_path, mini)["utterance", "all"].rows
    assert (row.evidence, row.source) == ("predictions", "Doe, ACL 2025")


def test_unusable_answers_are_wrong_and_shown_as_neutral_beside(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    answers = [None if label == "no emotion" else label for label in gold(mini)]
    write_run(tmp_path, mini, answers)
    (row,) = board(tmp_path, mini)["utterance", "all"].rows
    assert row.scores["unusable_rate"].value == pytest.approx(answers.count(None) / len(answers))
    assert row.scores["mcc"].value < 1
    assert {name: row.unusable_as_neutral[name] for name in ("micro_f1", "mcc")} == {"micro_f1": 100, "mcc": 1}


def test_labels_without_support_are_named(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    fearless = tuple(
        replace(
            dialogue,
            utterances=tuple(replace(u, label="anger") if u.label == "fear" else u for u in dialogue.utterances),
        )
        for dialogue in mini.test
    )
    dataset = Dataset(mini.name, mini.labels, mini.train, mini.validation, fearless)
    write_run(tmp_path, dataset, gold(dataset))
    (row,) = board(tmp_path, dataset)["utterance", "all"].rows
    assert row.without_support == ("fear",)
    assert row.scores["macro_f1"].value == pytest.approx(100 * 5 / 6)


def test_rows_of_one_title_are_told_apart(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, gold(mini), config_hash="aaaaaaaaaaaa")
    write_run(tmp_path, mini, spoiled(gold(mini), 2), config_hash="bbbbbbbbbbbb")
    section = board(tmp_path, mini)["utterance", "all"]
    assert [row.title for row in section.rows] == ["echo [aaaaaaaaaaaa]", "echo [bbbbbbbbbbbb]"]
    assert len(section.estimates) == 2


def test_incomplete_runs_and_runs_with_a_withheld_label_are_no_rows(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_run(tmp_path, mini, gold(mini), system="running", status="running")
    write_run(tmp_path, mini, gold(mini), system="withheld", withheld="fear")
    assert board(tmp_path, mini) == {}


def test_run_on_other_data_is_refused(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini), dataset_fingerprint="0" * 64)
    with pytest.raises(DataCorruptError, match="must have been made on mini with fingerprint") as caught:
        board(tmp_path, mini)
    assert str(run.folder) in str(caught.value)


@pytest.mark.data
def test_constant_rows_are_the_oracles(tmp_path: Path, dailydialog: Dataset, write_run: WriteRun) -> None:
    utterances = sum(map(len, dailydialog.test))
    write_run(tmp_path, dailydialog, ["happiness"] * utterances, system="happy")
    write_run(tmp_path, dailydialog, ["no emotion"] * utterances, system="neutral")
    found = board(tmp_path, dailydialog)
    sizes = {key: (section.dialogues, section.utterances) for key, section in found.items()}
    assert sizes["utterance", "all"] == (1000, 7740)
    assert sizes["utterance", "not-verbatim"] == (893, 6966)
    assert sizes["utterance", "novel"] == (788, 6015)
    assert sizes["utterance", "annotated-twice"] == (106, 757)

    def scores(protocol: str, title: str) -> list[float]:
        row = rows_by_title(found[protocol, "all"])[title]
        return [round(row.scores[name].value, 2) for name in ("macro_f1", "micro_f1", "mcc")]

    assert scores("utterance", "happy") == [3.88, 22.25, 0]
    assert scores("last-turn", "happy") == [7.37, 42.80, 0]
    annotators = found["utterance", "annotated-twice"].rows[0]
    rounded = {name: round(annotators.scores[name].value, 2) for name in ("macro_f1", "micro_f1", "mcc", "accuracy")}
    assert rounded == {"macro_f1": 46.32, "micro_f1": 59.69, "mcc": 0.53, "accuracy": 83.22}
    assert scores("utterance", "neutral") == [0, 0, 0]
    accuracy = rows_by_title(found["utterance", "all"])["neutral"].scores["accuracy"].value
    assert round(accuracy, 1) == 81.7
    last = rows_by_title(found["last-turn", "all"])["happy"]
    assert last.without_support == ("fear",)
    assert {label: values["support"] for label, values in last.per_label.items()} == {
        "no emotion": 673,
        "anger": 14,
        "disgust": 3,
        "fear": 0,
        "happiness": 284,
        "sadness": 18,
        "surprise": 8,
    }


# The confusion matrices that the released code prints for the language models, last turn, rows gold.
PUBLISHED_CONFUSIONS = {
    "Llama-2-7b": (
        [
            [454, 10, 13, 2, 183, 6, 5],
            [7, 1, 2, 2, 2, 0, 0],
            [2, 0, 1, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0],
            [195, 4, 3, 1, 77, 1, 3],
            [12, 1, 0, 0, 3, 2, 0],
            [7, 0, 1, 0, 0, 0, 0],
        ],
        [9.70, 24.92, 0.008],
    ),
    "Llama-2-13b": (
        [
            [54, 9, 13, 18, 469, 40, 70],
            [1, 8, 0, 0, 4, 1, 0],
            [0, 0, 1, 0, 1, 1, 0],
            [0, 0, 0, 0, 0, 0, 0],
            [12, 0, 1, 1, 256, 0, 14],
            [1, 0, 0, 0, 11, 5, 1],
            [0, 0, 1, 1, 3, 0, 3],
        ],
        [22.26, 43.37, 0.152],
    ),
}


@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED_CONFUSIONS)
def test_published_confusions_give_the_published_scores(
    name: str, tmp_path: Path, dailydialog: Dataset, write_run: WriteRun
) -> None:
    matrix, expected = PUBLISHED_CONFUSIONS[name]
    names = dailydialog.labels.names
    remaining = {label: list(row) for label, row in zip(names, matrix, strict=True)}
    answers = []
    for dialogue in dailydialog.test:
        counts = remaining[dialogue.utterances[-1].label or ""]
        column = next(position for position, count in enumerate(counts) if count)
        counts[column] -= 1
        answers.append(names[column])
    assert not any(count for counts in remaining.values() for count in counts)
    write_run(tmp_path, dailydialog, answers, targets="last")
    (row,) = board(tmp_path, dailydialog)["last-turn", "all"].rows
    found = [row.scores[metric].value for metric in ("macro_f1", "micro_f1", "mcc")]
    assert [round(found[0], 2), round(found[1], 2), round(found[2], 3)] == expected


def test_predictions_must_cover_the_protocol(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    path = run.folder / PREDICTIONS_FILE
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    write_record(run.folder, run.record.model_copy(update={"predictions_sha256": file_sha256(path)}))
    with pytest.raises(DataCorruptError, match="cover all 96 targets") as caught:
        board(tmp_path, mini)
    assert str(run.folder) in str(caught.value)
