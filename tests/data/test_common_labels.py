from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from erc_bench.data import dataset_spec
from erc_bench.data.common_labels import FILE, common_words, problems_of, published_labels, reason_of

CORPORA = ("dailydialog", "meld", "emorynlp", "iemocap", "sample")


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_label_of_every_corpus_has_a_word_and_a_reason(corpus: str) -> None:
    spec = dataset_spec(corpus)
    assert spec.common_labels == published_labels(corpus)
    assert tuple(sorted(spec.common_labels)) == tuple(sorted(spec.labels.names))
    assert problems_of(spec.common_labels, spec.labels.names) == {}
    assert all(reason_of(corpus, label) for label in spec.labels.names)
    assert spec.common_labels[spec.labels.neutral or ""] == "neutral"


def test_the_file_names_no_other_corpus() -> None:
    content = tomllib.loads((Path(__file__).parents[2] / "erc_bench" / "data" / FILE).read_text("utf-8"))
    assert set(content["corpora"]) == set(CORPORA)
    used = {word for corpus in CORPORA for word in published_labels(corpus).values()}
    assert used == set(common_words())


def test_labels_that_the_field_reads_alike() -> None:
    joy = [next(label for label, word in published_labels(name).items() if word == "joy") for name in CORPORA[:4]]
    assert joy == ["happiness", "joy", "Joyful", "happy"]
    assert {published_labels("emorynlp")[label] for label in ("Peaceful", "Powerful")} == {"peace", "power"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"glad": "joy"}, ""),
        ({"glad": "joyy"}, "the common word of glad must be one of neutral, joy"),
        ({"happy": "joy"}, "a label must be one of glad, cross, got 'happy'"),
        ({"glad": "joy", "cross": "joy"}, "each common word must stand for one label, got joy for several"),
    ],
)
def test_words_are_checked(given: dict[str, str], expected: str) -> None:
    problems = problems_of(given, ("glad", "cross"))
    assert bool(problems) == bool(expected)
    assert not expected or next(iter(problems.values())).startswith(expected)


def test_a_corpus_that_the_file_lacks_has_no_reasons() -> None:
    assert reason_of("elsewhere", "joy") == ""
