"""What a system may have seen in training: dialogues of a dataset's own training split, utterances of another corpus."""

from __future__ import annotations

from collections.abc import Iterable

from erc_bench.contract.domain import Dataset, Dialogue, Target, folded

SHARED_WORDS = 6
"""Shorter utterances are everyday phrases that any two corpora share."""


def dialogue_text(dialogue: Dialogue) -> str:
    """The words of a dialogue, case and white space folded: equal for dialogues that are word for word the same.

    Utterances are joined, because the same words cut into turns elsewhere are still words seen in training.
    """
    return folded(" ".join(utterance.text for utterance in dialogue.utterances))


def seen_dialogues(dataset: Dataset) -> frozenset[str]:
    """Ids of the test dialogues that stand word for word in the training split (see `dialogue_text`)."""
    train = {dialogue_text(dialogue) for dialogue in dataset.train}
    return frozenset(dialogue.id for dialogue in dataset.test if dialogue_text(dialogue) in train)


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
