from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import f1_score

from erc_bench.contract.domain import Dataset
from erc_bench.protocols.breakdown import breakdowns, groups_of
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.phenomena import PHENOMENA
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs
from erc_bench.records.record import find_runs
from erc_bench.scoring.catalogue import METRICS, MICRO_F1

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]
COMMITTED = Path(__file__).resolve().parents[2] / "leaderboard"


@pytest.fixture
def answers(sample: Dataset, gold: Gold) -> list[list[str]]:
    """Of two seeds: every third answer is the label of the utterance before, or every fourth is neutral."""
    truth = gold(sample)
    one = [truth[place - 1] if place % 3 == 0 else label for place, label in enumerate(truth)]
    other = ["no emotion" if place % 4 == 0 else label for place, label in enumerate(truth)]
    return [one, other]


@pytest.fixture
def runs(tmp_path: Path, sample: Dataset, answers: list[list[str]], write_run: WriteRun) -> DatasetRuns:
    for seed, labels in enumerate(answers):
        write_run(tmp_path, sample, labels, system="mixed", seed=seed)
    return DatasetRuns.of(sample, group_runs(list(find_runs(tmp_path))))


def micro_f1(truth: list[str], labels: list[str], over: tuple[str, ...]) -> float:
    return 100 * float(f1_score(truth, labels, labels=list(over), average="micro", zero_division=0))


def test_scores_of_groups_are_those_of_their_utterances(
    runs: DatasetRuns, sample: Dataset, gold: Gold, answers: list[list[str]]
) -> None:
    truth = gold(sample)
    found = {each.phenomenon: each for each in UTTERANCE.breakdowns(runs)}
    assert list(found) == ["shift", "turn", "length", "label"]
    for name in ("shift", "turn", "length"):
        phenomenon, codes = PHENOMENA[name], PHENOMENA[name].codes(sample)
        each = found[name]
        assert sum(each.supports) == len(truth)
        for group, support, score in zip(each.groups, each.supports, each.scores["mixed"], strict=True):
            members = np.flatnonzero(codes == phenomenon.names(sample.labels).index(group))
            assert len(members) == support
            by_seed = [
                micro_f1([truth[i] for i in members], [labels[i] for i in members], sample.labels.emotions)
                for labels in answers
            ]
            assert score.value == pytest.approx(np.mean(by_seed))
            assert score.deviation == pytest.approx(np.std(by_seed, ddof=1))
            assert score.low is not None
            assert score.high is not None
            assert score.low <= score.value <= score.high


def test_the_score_of_a_label_is_its_f1_over_all_utterances(
    runs: DatasetRuns, sample: Dataset, gold: Gold, answers: list[list[str]]
) -> None:
    truth = gold(sample)
    (found,) = (each for each in UTTERANCE.breakdowns(runs) if each.phenomenon == "label")
    assert found.metric is MICRO_F1
    for label, support, score in zip(found.groups, found.supports, found.scores["mixed"], strict=True):
        assert support == truth.count(label)
        assert score.value == pytest.approx(np.mean([micro_f1(truth, labels, (label,)) for labels in answers]))


def test_other_metrics_leave_labels_with_their_f1(sample: Dataset) -> None:
    view = UTTERANCE.view(sample)
    assert groups_of(PHENOMENA["shift"], sample, view, METRICS["mcc"])[0].metric is METRICS["mcc"]
    assert groups_of(PHENOMENA["label"], sample, view, METRICS["mcc"])[0].metric is MICRO_F1


def test_a_phenomenon_that_puts_all_in_one_group_of_a_view_is_left_out(runs: DatasetRuns, sample: Dataset) -> None:
    view = LAST_TURN.view(sample)
    named = list(runs.rows)
    found = {each.phenomenon for each in breakdowns(runs, named, view)}
    assert "shift" in found
    assert sum(group.support for group in groups_of(PHENOMENA["shift"], sample, view)) == len(sample.test)


def test_only_the_whole_dialogue_has_phenomena_on_the_board(runs: DatasetRuns) -> None:
    assert LAST_TURN.breakdowns(runs) == ()


@pytest.mark.data
def test_context_helps_where_a_label_continues_and_not_where_it_shifts(dailydialog: Dataset) -> None:
    wanted = {
        "sentemocontext": (48.8, 63.6),
        "minilm-classifier": (45.2, 64.8),
        "minilm-classifier (fine_tune=true)": (44.0, 68.4),
        "tfidf-logreg": (44.8, 68.3),
    }
    systems = {title.partition(" ")[0] for title in wanted}
    found = [run for run in find_runs(COMMITTED) if run.record.system in systems]
    committed = DatasetRuns.of(dailydialog, group_runs(found))
    shift = UTTERANCE.breakdowns(committed)[0]
    assert shift.groups[:2] == ("continues", "shifts")
    for title, expected in wanted.items():
        assert [round(score.value, 1) for score in shift.scores[title][:2]] == list(expected)
