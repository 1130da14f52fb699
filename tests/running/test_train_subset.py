from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from erc_bench.contract.config import config_hash
from erc_bench.contract.domain import Dataset, Utterance
from erc_bench.errors import DataError, UnknownNameError, UsageError
from erc_bench.progress import SilentProgress
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import RunGroup
from erc_bench.records.record import read_record
from erc_bench.running.request import RunRequest, check_train_subset, new_record
from erc_bench.running.runner import execute
from erc_bench.running.train_subset import described, kept_of, known_subset
from erc_bench.systems.floors import Constant, Lookup

TWIN = " ".join(f"word{number}" for number in range(40))


@pytest.fixture(scope="module")
def twins(mini: Dataset) -> Dataset:
    """`mini`, whose first two test dialogues stand in train, with a near twin of a test dialogue in train and validation."""
    said = [
        replace(mini.train[5], id=f"{name}-twin", utterances=(Utterance(f"{TWIN} {name}", "A", "anger"),))
        for name in "abc"
    ]
    return replace(
        mini, train=(*mini.train, said[0]), validation=(*mini.validation, said[1]), test=(*mini.test, said[2])
    )


def test_novel_leaves_out_near_twins_and_not_verbatim_equal_ones(twins: Dataset) -> None:
    equal = {twins.train[0].id, twins.train[1].id}
    ids = {
        (split, name): {dialogue.id for dialogue in twins.split(split)}
        - {dialogue.id for dialogue in kept_of(twins, split, name)}
        for split in ("train", "validation")
        for name in ("all", "not-verbatim", "novel")
    }
    assert ids == {
        ("train", "all"): set(),
        ("train", "not-verbatim"): equal,
        ("train", "novel"): equal | {"a-twin"},
        ("validation", "all"): set(),
        ("validation", "not-verbatim"): set(),
        ("validation", "novel"): {"b-twin"},
    }
    assert described(twins, "novel") == (
        "trained on 10 of 13 training and 6 of 7 validation dialogues (subset novel: without twins in the test split)"
    )


def test_unknown_subsets_and_empty_ones_are_refused(mini: Dataset) -> None:
    assert known_subset("novel") == "novel"
    with pytest.raises(UnknownNameError, match="Did you mean 'novel'"):
        known_subset("novell")
    seen = replace(mini, test=mini.train)
    with pytest.raises(DataError, match="training subset novel of mini must hold at least one dialogue, got none"):
        kept_of(seen, "train", "novel")


def test_a_run_is_trained_without_twins_and_says_so(twins: Dataset, tmp_path: Path) -> None:
    """A system that answers with the training label of the same text finds no twin any more."""
    whole, part = (
        execute(RunRequest(Lookup, Lookup.Config(), twins, tmp_path, train_subset=name), SilentProgress()).run
        for name in ("all", "novel")
    )
    assert whole.folder != part.folder
    record = read_record(part.folder)
    assert record.train_subset == "novel"
    assert record.title == "lookup (train_subset=novel)"
    assert record.command.endswith("--train-subset novel")
    assert record.notes[0].startswith("trained on 10 of 13 training")
    assert whole.record.scores["micro_f1"] > record.scores["micro_f1"]
    assert UTTERANCE.covers(RunGroup((part,)))


def test_the_identity_of_runs_on_all_of_it_stays(mini: Dataset, tmp_path: Path) -> None:
    plain = RunRequest(Lookup, Lookup.Config(), mini, tmp_path)
    assert new_record(plain).config_hash == config_hash(Lookup.Config(), targets="all")
    hashes = {new_record(replace(plain, train_subset=name)).config_hash for name in ("all", "not-verbatim", "novel")}
    assert len(hashes) == 3


def test_what_cannot_be_is_refused(mini: Dataset, sample: Dataset, tmp_path: Path) -> None:
    constant = RunRequest(Constant, Constant.Config(), mini, tmp_path, train_subset="novel")
    with pytest.raises(UsageError, match="must learn to be trained on a subset, got constant"):
        check_train_subset(constant)
    with pytest.raises(UsageError, match="must be given without --train-on"):
        check_train_subset(RunRequest(Lookup, Lookup.Config(), mini, tmp_path, train_on=sample, train_subset="novel"))
    check_train_subset(RunRequest(Lookup, Lookup.Config(), mini, tmp_path, train_subset="novel"))


@pytest.mark.data
def test_real_twins_in_training(dailydialog: Dataset) -> None:
    assert described(dailydialog, "novel").startswith(
        "trained on 10,881 of 11,118 training and 985 of 1,000 validation"
    )
