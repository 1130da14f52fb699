from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.inspection.compare import Pair, compare_sides, compared_protocols, default_protocol, find_sides
from erc_bench.protocols.utterance import UTTERANCE

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, mini: Dataset, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    truth = gold(mini)
    write_run(tmp_path, mini, truth, system="perfect")
    write_run(tmp_path, mini, ["anger"] * len(truth), system="angry")
    write_run(tmp_path, mini, ["anger"] * len(mini.test), system="late", targets="last")
    write_run(tmp_path, sample, gold(sample), system="elsewhere")
    return tmp_path


def compared(results: Path, dataset: Dataset, a: str, b: str, **choice: str) -> Pair:
    first, second = find_sides(results, (a, b))
    return compare_sides(first, second, dataset, **{"protocol": default_protocol(first, second), **choice})


def test_a_clear_difference_and_its_opposite(results: Path, mini: Dataset) -> None:
    there, back = (compared(results, mini, *names) for names in (("perfect", "angry"), ("angry", "perfect")))
    assert there.different
    assert there.comparison.difference == -back.comparison.difference > 50
    assert there.comparison.interval.low > 0
    assert (there.dataset, there.protocol, there.subset) == ("mini", "utterance", "all")
    assert there.comparison.metric.name == mini.ranking_metric


def test_a_row_against_itself_is_not_different(results: Path, mini: Dataset) -> None:
    pair = compared(results, mini, "angry", "angry", metric="mcc", subset="not-verbatim")
    assert (pair.comparison.difference, pair.different) == (0, False)


def test_the_protocol_is_the_first_that_both_rows_cover(results: Path, mini: Dataset) -> None:
    assert compared(results, mini, "perfect", "late").protocol == "last-turn"
    with pytest.raises(UsageError, match=r"needs more than late \(targets=last\) labelled\. Use --protocol last-turn"):
        compared(results, mini, "perfect", "late", protocol="utterance")


def test_only_protocols_that_resample_dialogues_compare(results: Path, mini: Dataset) -> None:
    assert list(compared_protocols())[:3] == ["utterance", "last-turn", "emotional"]
    with pytest.raises(UnknownNameError, match="a protocol must be one of"):
        compared(results, mini, "perfect", "angry", protocol="triplet")


def test_rows_must_be_on_one_dataset(results: Path) -> None:
    with pytest.raises(
        UsageError, match="must be on the same dataset to be compared, got perfect on mini and elsewhere on"
    ):
        find_sides(results, ("perfect", "elsewhere"))


def test_a_folder_says_which_seed_it_is(results: Path) -> None:
    folder = next((results / "mini" / "angry").glob("*/seed-0"))
    a, b = find_sides(results, (str(folder), "perfect"))
    assert (a.title, b.title) == ("angry, seed 0", "perfect")


def test_two_rows_are_compared_in_every_group_of_a_phenomenon(results: Path, mini: Dataset) -> None:
    pair = compared(results, mini, "perfect", "angry", by="turn")
    assert pair.by == "turn"
    view = UTTERANCE.view(mini)
    assert sum(part.support for part in pair.parts) == len(view)
    assert pair.comparison.metric.name == pair.parts[0].comparison.metric.name
    for part in pair.parts:
        assert part.comparison.difference == part.estimates[0].score["micro_f1"] - part.estimates[1].score["micro_f1"]
        assert part.p_corrected >= part.comparison.p_value
    assert compared(results, mini, "perfect", "angry").parts == ()


def test_labels_are_compared_by_their_f1_whatever_the_metric(results: Path, mini: Dataset) -> None:
    parts = compared(results, mini, "perfect", "angry", by="label", metric="mcc").parts
    assert {part.comparison.metric.name for part in parts} == {"micro_f1"}
    anger = next(part for part in parts if part.group == "anger")
    truth = list(UTTERANCE.view(mini).gold)
    assert anger.estimates[1].score["micro_f1"] == pytest.approx(
        200 * truth.count("anger") / (truth.count("anger") + len(truth))
    )


def test_a_phenomenon_must_exist_and_tell_utterances_apart(results: Path, mini: Dataset) -> None:
    with pytest.raises(UnknownNameError, match="a phenomenon must be one of"):
        compared(results, mini, "perfect", "angry", by="weather")
    with pytest.raises(UsageError, match="got speaker, which puts all in one group"):
        compared(results, mini, "perfect", "angry", by="speaker")
