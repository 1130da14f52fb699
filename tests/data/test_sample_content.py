"""The embedded sample as it lies in the package: its form, its labels, and whose sentences it holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from typing import TypedDict

import pytest

from erc_bench.contract.domain import SPLITS, Dataset, Split, folded
from erc_bench.data.dailydialog import LABELS

FOLDER = files("erc_bench.data") / "sample"


class Line(TypedDict):
    speaker: str
    text: str
    label: str


class Record(TypedDict):
    id: str
    utterances: list[Line]


def read(split: Split) -> list[Record]:
    lines = (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def texts(record: Record) -> tuple[str, ...]:
    return tuple(line["text"] for line in record["utterances"])


def labels(record: Record) -> list[str]:
    return [line["label"] for line in record["utterances"]]


SAMPLE: dict[Split, list[Record]] = {split: read(split) for split in SPLITS}


def support(split: Split) -> Counter[str]:
    return Counter(label for record in SAMPLE[split] for label in labels(record))


def test_it_is_large_enough_for_every_command() -> None:
    assert {split: len(records) for split, records in SAMPLE.items()} == {"train": 105, "validation": 20, "test": 30}
    assert sum(support(split).total() for split in SPLITS) == 1035


@pytest.mark.parametrize("split", SPLITS)
def test_records_have_the_documented_form(split: Split) -> None:
    for position, record in enumerate(SAMPLE[split]):
        assert set(record) == {"id", "utterances"}
        assert record["id"] == f"{split}-{position:05d}"
        assert len(record["utterances"]) >= 2
        for turn, line in enumerate(record["utterances"]):
            assert set(line) == {"speaker", "text", "label"}
            assert line["speaker"] == "AB"[turn % 2]
            assert line["text"]
            assert line["text"] == " ".join(line["text"].split())
            assert line["label"] in LABELS.names


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_label(split: Split) -> None:
    assert set(support(split)) == set(LABELS.names)


def test_label_shares_suit_a_small_set() -> None:
    counts = sum((support(split) for split in SPLITS), Counter[str]())
    assert 0.5 <= counts[LABELS.fallback] / counts.total() <= 0.6
    emotions = Counter({label: counts[label] for label in LABELS.emotions})
    by_frequency = [label for label, _ in emotions.most_common()]
    assert by_frequency[0] == "happiness"
    assert set(by_frequency[-2:]) == {"disgust", "fear"}
    assert min(support("train").values()) >= 25
    assert min(support("test").values()) >= 6


@pytest.mark.parametrize("split", SPLITS)
def test_dialogues_and_their_openings_are_distinct_within_a_split(split: Split) -> None:
    openings = Counter(folded(texts(record)[0]) for record in SAMPLE[split])
    assert openings.most_common(1)[0][1] == 1


def test_only_the_two_documented_dialogues_are_in_two_splits() -> None:
    train = {texts(record): record for record in SAMPLE["train"]}
    seen = {record["id"]: train[texts(record)] for record in SAMPLE["test"] if texts(record) in train}
    assert {ours: theirs["id"] for ours, theirs in seen.items()} == {
        "test-00012": "train-00041",
        "test-00021": "train-00066",
    }
    in_test = {record["id"]: labels(record) for record in SAMPLE["test"]}
    differing = {
        ours: [
            (turn, *pair)
            for turn, pair in enumerate(zip(labels(theirs), in_test[ours], strict=True))
            if pair[0] != pair[1]
        ]
        for ours, theirs in seen.items()
    }
    assert differing == {"test-00012": [], "test-00021": [(6, "surprise", "happiness")]}
    validation = {texts(record) for record in SAMPLE["validation"]}
    assert validation.isdisjoint(texts(record) for split in ("train", "test") for record in SAMPLE[split])


def test_some_short_answers_mean_different_emotions() -> None:
    meanings: dict[str, set[str]] = {}
    for record in SAMPLE["train"]:
        for line in record["utterances"]:
            meanings.setdefault(line["text"], set()).add(line["label"])
    assert meanings["Are you serious?"] == {"surprise", "anger", "fear"}
    assert meanings["Really?"] == {"surprise", "no emotion"}
    assert meanings["Thank you."] == {"happiness", "no emotion"}


def test_the_readme_counts_what_is_there() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = {
        cells[0]: [int(cell) for cell in cells[1:]]
        for cells in (
            [cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.+\|$", readme, re.M)
        )
        if len(cells) == 5 and cells[1].isdecimal()
    }

    def counted(values: list[int]) -> list[int]:
        return [*values, sum(values)]

    expected = {label: counted([support(split)[label] for split in SPLITS]) for label in LABELS.names}
    expected["utterances"] = counted([support(split).total() for split in SPLITS])
    expected["dialogues"] = counted([len(SAMPLE[split]) for split in SPLITS])
    assert rows == expected


def test_the_licence_lies_beside_the_data() -> None:
    assert "CC0 1.0 Universal" in (FOLDER / "LICENSE").read_text(encoding="utf-8")


def letters(text: str) -> str:
    """Letters and digits only: DailyDialog sets spaces around apostrophes and full stops."""
    return re.sub(r"[\W_]+", "", text.casefold())


@pytest.mark.data
def test_no_sentence_comes_from_dailydialog(dailydialog: Dataset) -> None:
    # shorter ones ("What happened?") are everyday phrases that any two conversations share
    theirs = {letters(u.text) for split in SPLITS for d in dailydialog.split(split) for u in d.utterances}
    assert len(theirs) > 70_000
    ours = [text for records in SAMPLE.values() for record in records for text in texts(record)]
    # a long utterance may still contain one of their sentences
    sentences = [sentence for text in ours for sentence in re.split(r"(?<=[.!?])\s+", text)]
    copied = {text for text in [*ours, *sentences] if len(text.split()) >= 6 and letters(text) in theirs}
    assert copied == set()
