from __future__ import annotations

from dataclasses import replace

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance
from erc_bench.data import dataset_spec
from erc_bench.data.transfer import label_map
from erc_bench.errors import DataCorruptError, UsageError


def corpus(name: str, labels: LabelSet, words: dict[str, str], *gold: str) -> Dataset:
    dialogue = Dialogue("train-0", tuple(Utterance(f"sentence {i}", "A", label) for i, label in enumerate(gold)))
    return Dataset(name, labels, (dialogue,), (dialogue,), (dialogue,), common_labels=words)


OLD = corpus(
    "old",
    LabelSet(("plain", "glad", "cross", "proud"), "plain"),
    {"plain": "neutral", "glad": "joy", "cross": "anger", "proud": "power"},
    *("plain", "glad", "proud", "proud", "cross"),
)
NEW = corpus(
    "new", LabelSet(("joy", "dread", "none"), "none"), {"joy": "joy", "dread": "fear", "none": "neutral"}, "joy"
)


def test_labels_meet_in_their_common_words() -> None:
    found = label_map(OLD, NEW)
    assert found.pairs == {"plain": "none", "glad": "joy"}
    assert found.labels == LabelSet(("joy", "none"), "none")
    assert found.left_out(OLD.train) == {"cross": 1, "proud": 2}


def test_what_has_no_counterpart_loses_its_label_and_keeps_its_place() -> None:
    (dialogue,) = label_map(OLD, NEW).relabelled(OLD.train)
    assert [u.label for u in dialogue.utterances] == ["none", "joy", None, None, None]
    assert [u.text for u in dialogue.utterances] == [u.text for u in OLD.train[0].utterances]


def test_the_digest_is_that_of_the_pairs_only() -> None:
    found = label_map(OLD, NEW)
    more = replace(OLD, labels=LabelSet((*OLD.labels.names, "weary"), "plain"))
    assert label_map(more, NEW).sha256 == found.sha256
    fewer = replace(OLD, common_labels={"glad": "joy", "cross": "fear"})
    assert label_map(fewer, NEW).sha256 != found.sha256


def test_a_neutral_label_that_is_not_shared_is_none() -> None:
    emotional = replace(OLD, common_labels={"glad": "joy", "cross": "fear"})
    assert label_map(emotional, NEW).labels == LabelSet(("joy", "dread"), None)


def test_published_corpora_meet() -> None:
    specs = [dataset_spec(name) for name in ("dailydialog", "meld", "emorynlp", "iemocap")]
    shared = {(a.name, b.name): len(label_map(a, b).labels) for a in specs for b in specs if a is not b}
    assert {pair: count for pair, count in shared.items() if pair[0] < pair[1]} == {
        ("dailydialog", "meld"): 7,
        ("dailydialog", "emorynlp"): 5,
        ("dailydialog", "iemocap"): 4,
        ("emorynlp", "meld"): 5,
        ("emorynlp", "iemocap"): 4,
        ("iemocap", "meld"): 4,
    }


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({}, UsageError, r"old must say which of the common words .* \[common_labels\]"),
        ({"glad": "joy"}, UsageError, "old and new must share two labels or more, got joy. Their common words"),
        (
            {"glad": "bliss"},
            DataCorruptError,
            "the common labels of old must make sense: the common word of glad must be",
        ),
    ],
)
def test_corpora_that_do_not_meet_are_refused(words: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        label_map(replace(OLD, common_labels=words), NEW)
