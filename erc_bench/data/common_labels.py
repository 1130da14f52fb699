"""Labels of different corpora in words that all share: `common_labels.toml`, checked when it is read."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

FILE = "common_labels.toml"


@cache
def _content() -> Mapping[str, Any]:
    return tomllib.loads(files("erc_bench.data").joinpath(FILE).read_text("utf-8"))


def common_words() -> Mapping[str, str]:
    """The words that labels of corpora are compared by, each with what it means."""
    words: Mapping[str, str] = _content()["words"]
    return words


def published_labels(corpus: str) -> dict[str, str]:
    """The common word of each label of a corpus that comes with the package, as `common_labels.toml` has it."""
    return {label: entry["word"] for label, entry in _content()["corpora"][corpus].items()}


def reason_of(corpus: str, label: str) -> str:
    """Why a label has its word; nothing for a corpus or a label that `common_labels.toml` does not have."""
    entry: Mapping[str, str] = _content()["corpora"].get(corpus, {}).get(label, {})
    return entry.get("why", "")


def problems_of(given: Mapping[str, str], labels: tuple[str, ...]) -> dict[str, str]:
    """What is wrong with the common words of a corpus, by label: a label that it lacks, no such word, a word used twice."""
    problems: dict[str, str] = {}
    times = Counter(given.values())
    for label, word in given.items():
        if label not in labels:
            problems[label] = f"a label must be one of {', '.join(labels)}, got {label!r}"
        elif word not in common_words():
            problems[label] = f"the common word of {label} must be one of {', '.join(common_words())}, got {word!r}"
        elif times[word] > 1:
            problems[label] = f"each common word must stand for one label, got {word} for several, {label} among them"
    return problems
