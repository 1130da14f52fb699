from __future__ import annotations

from dataclasses import replace

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import METRIC_GROUP, metric_names
from erc_bench.errors import DataError, UnknownNameError
from erc_bench.scoring import catalogue
from erc_bench.scoring.catalogue import (
    CORRECTED,
    HALF_TIES,
    METRICS,
    MICRO_F1,
    TIE_RATE,
    WITHHELD_F1,
    find_metric,
    headline,
    in_words,
    over_all_labels,
    ranking_metric,
)
from erc_bench.scoring.metric import Metric


def names(ranking: str) -> list[str]:
    return [metric.name for metric in headline(METRICS[ranking])]


def test_a_board_shows_its_ranking_metric_first() -> None:
    assert names("micro_f1") == ["micro_f1", "macro_f1", "mcc"]
    assert names("weighted_f1_all") == ["weighted_f1_all", "accuracy", "macro_f1", "micro_f1", "mcc"]
    assert names("mcc") == ["mcc", "micro_f1", "macro_f1"]
    assert headline() == headline(MICRO_F1)


def test_what_a_board_does_not_show_of_all_labels_can_stand_beside() -> None:
    for ranking in ("micro_f1", "weighted_f1_all", "accuracy"):
        further = [metric.name for metric in over_all_labels(METRICS[ranking])]
        assert not set(further) & set(names(ranking))
        assert {"macro_f1_all", "weighted_f1_all", "accuracy"} <= {*further, *names(ranking)}


def test_a_dataset_says_what_ranks_it(mini: Dataset) -> None:
    assert (
        ranking_metric(mini) is ranking_metric("dailydialog") is ranking_metric("a name in an old record") is MICRO_F1
    )
    assert ranking_metric(replace(mini, ranking_metric="weighted_f1_all")) is METRICS["weighted_f1_all"]
    with pytest.raises(UnknownNameError, match="a metric must be one of"):
        ranking_metric(replace(mini, ranking_metric="beauty"))


def test_metrics_are_known_by_name_without_being_imported() -> None:
    assert metric_names() == list(METRICS)


def test_every_metric_is_found_by_its_name_and_those_of_protocols_too() -> None:
    assert all(find_metric(name) is metric for name, metric in METRICS.items())
    assert (find_metric("tie_rate"), find_metric("withheld_f1")) == (TIE_RATE, WITHHELD_F1)


@pytest.mark.parametrize("base", [*METRICS.values(), WITHHELD_F1])
def test_a_metric_under_another_reading_is_found_by_its_name(base: Metric) -> None:
    assert all(find_metric(found.name) == found for found in (HALF_TIES.of(base), CORRECTED.of(base)))


def test_an_unknown_metric_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"a metric must be one of .*Did you mean 'macro_f1'"):
        find_metric("makro_f1")


def test_scores_in_words_leave_out_what_an_old_record_does_not_hold() -> None:
    assert in_words("dailydialog", {"micro_f1": 57.7149, "mcc": -0.1, "else": 1.0}) == "micro F1 57.71, MCC −0.100"


def test_scores_in_words_begin_with_what_ranks_the_dataset() -> None:
    given = {"micro_f1": 57.7, "mcc": 0.5, "weighted_f1_all": 61.0}
    assert in_words("meld", given) == "weighted F1, all labels 61.00, micro F1 57.70, MCC 0.500"


class Point:
    """An entry point that gives what it is told to, or raises it."""

    value, dist = "theirs:METRIC", None

    def __init__(self, found: object) -> None:
        self.found = found

    def load(self) -> object:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


OWN = Metric("their_score", "their score", "all labels", lambda counts: counts.total)


@pytest.mark.parametrize(
    ("found", "name", "problem"),
    [
        (
            ImportError("no such thing"),
            "their_score",
            r"cannot be imported from theirs:METRIC .*ImportError: no such thing\. Reinstall that package or report it to its",
        ),
        ("a text", "their_score", "must be a Metric"),
        (OWN, "another_name", "must be a Metric"),
        (replace(OWN, of=None), "their_score", "must be a Metric"),
        (replace(OWN, name="mcc"), "mcc", "which no other metric has"),
    ],
)
def test_what_a_package_registers_must_be_a_metric_of_its_own(
    monkeypatch: pytest.MonkeyPatch, found: object, name: str, problem: str
) -> None:
    monkeypatch.setattr(catalogue, "registered", lambda group: {name: Point(found)} if group == METRIC_GROUP else {})
    with pytest.raises(DataError, match=problem):
        list(catalogue._of_packages())
    monkeypatch.setattr(catalogue, "registered", lambda group: {"their_score": Point(OWN)})
    assert list(catalogue._of_packages()) == [OWN]
