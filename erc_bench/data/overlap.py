"""What a system may have seen in training: dialogues of a dataset's own training split, utterances of another corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from erc_bench.content_cache import ContentCache
from erc_bench.contract.domain import Dataset, Dialogue, Split, Target, folded
from erc_bench.data import near
from erc_bench.paths import cache_dir

SHARED_WORDS = 6
"""Shorter utterances are everyday phrases that any two corpora share."""

FOLDER = "near_twins"


@dataclass(frozen=True)
class _Content:
    """A dataset as what it holds: a board asks the same of it for every protocol and subset."""

    fingerprint: str
    dataset: Dataset = field(compare=False)

    @classmethod
    def of(cls, dataset: Dataset) -> _Content:
        return cls(dataset.fingerprint, dataset)


def dialogue_text(dialogue: Dialogue) -> str:
    """The words of a dialogue, case and white space folded: equal for dialogues that are word for word the same.

    Utterances are joined, because the same words cut into turns elsewhere are still words seen in training.
    """
    return folded(" ".join(utterance.text for utterance in dialogue.utterances))


def seen_dialogues(dataset: Dataset, of: Split = "test", among: Split = "train") -> frozenset[str]:
    """Ids of the dialogues of one split that stand word for word in another (see `dialogue_text`)."""
    return _seen_dialogues(_Content.of(dataset), of, among)


@lru_cache(maxsize=8)
def _seen_dialogues(content: _Content, of: Split, among: Split) -> frozenset[str]:
    dataset = content.dataset
    known = {dialogue_text(dialogue) for dialogue in dataset.split(among)}
    return frozenset(dialogue.id for dialogue in dataset.split(of) if dialogue_text(dialogue) in known)


def near_twins(
    dataset: Dataset, of: Split = "test", among: Split = "train", *, folder: Path | None = None
) -> frozenset[str]:
    """Ids of the dialogues of one split that have a near twin in another, equal ones among them.

    Near twins have a Jaccard similarity of at least 0.8 on runs of three words (`erc_bench.data.near`). What was found once
    is kept under the content of the dataset.

    Parameters
    ----------
    folder
        Where to keep it; default the user's cache folder, which is safe to delete.
    """
    return _near_twins(_Content.of(dataset), of, among, (folder or cache_dir()) / FOLDER)


@lru_cache(maxsize=8)
def _near_twins(whole: _Content, of: Split, among: Split, folder: Path) -> frozenset[str]:
    dataset, kept = whole.dataset, ContentCache(folder)
    dialogues = dataset.split(of)
    key = hashlib.sha256(json.dumps([_code(), dataset.fingerprint, of, among]).encode()).hexdigest()
    content = kept.get(key)
    if content is None:
        these, others = (map(_shingles, dataset.split(split)) for split in (of, among))
        positions = sorted(near.with_twin(list(these), others))
        kept.put(key, json.dumps(positions).encode())
    else:
        positions = json.loads(content)
    return frozenset(dialogues[position].id for position in positions)


def _shingles(dialogue: Dialogue) -> frozenset[str]:
    return near.word_shingles(dialogue_text(dialogue))


@cache
def _code() -> str:
    """SHA-256 of what decides which dialogues are near each other."""
    files = (Path(__file__), Path(near.__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def second_annotations(dataset: Dataset) -> dict[Target, str]:
    """The labels that test utterances have in training, for test dialogues that stand there turn for turn.

    A dialogue that the training split repeats has the labels of its first place there.
    """
    return dict(_second_annotations(_Content.of(dataset)))


@lru_cache(maxsize=8)
def _second_annotations(content: _Content) -> dict[Target, str]:
    dataset = content.dataset
    first: dict[tuple[str, ...], Dialogue] = {}
    for dialogue in dataset.train:
        first.setdefault(_turns(dialogue), dialogue)
    return {
        target: str(utterance.label)
        for dialogue in dataset.test
        if (other := first.get(_turns(dialogue))) is not None
        for target, utterance in zip(dialogue.targets(), other.utterances, strict=True)
    }


def _turns(dialogue: Dialogue) -> tuple[str, ...]:
    return tuple(folded(utterance.text) for utterance in dialogue.utterances)


def bare_words(text: str) -> tuple[str, ...]:
    """The words of a text, reduced to letters and digits without case: two corpora punctuate one script differently."""
    bare = ("".join(filter(str.isalnum, word)) for word in text.casefold().split())
    return tuple(word for word in bare if word)


def long_utterances(dialogues: Iterable[Dialogue]) -> dict[Target, tuple[str, ...]]:
    """The words (`bare_words`) of each utterance that has six or more."""
    words = {
        target: bare_words(utterance.text)
        for dialogue in dialogues
        for target, utterance in zip(dialogue.targets(), dialogue.utterances, strict=True)
    }
    return {target: found for target, found in words.items() if len(found) >= SHARED_WORDS}


def shared_utterances(dialogues: Iterable[Dialogue], others: Iterable[Dialogue]) -> frozenset[Target]:
    """The utterances of six words or more that stand word for word in the dialogues of another corpus."""
    known = set(long_utterances(others).values())
    return frozenset(target for target, words in long_utterances(dialogues).items() if words in known)


def seen_elsewhere(dialogues: Iterable[Dialogue], others: Iterable[Dialogue]) -> frozenset[Target]:
    """The utterances that a system trained on the dialogues of another corpus has seen.

    They are those of six words or more that stand there word for word, and all of a dialogue that stands there as a whole.
    """
    return _seen(tuple(dialogues), tuple(others))


@lru_cache(maxsize=8)  # every seed of a system asks for the same
def _seen(dialogues: tuple[Dialogue, ...], others: tuple[Dialogue, ...]) -> frozenset[Target]:
    whole = {dialogue_text(other) for other in others}
    repeated = (target for dialogue in dialogues if dialogue_text(dialogue) in whole for target in dialogue.targets())
    return shared_utterances(dialogues, others) | frozenset(repeated)
