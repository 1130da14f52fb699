"""Test dialogues that a system may have seen in training: the basis of the `unseen` subset."""

from __future__ import annotations

from erc_bench.domain import Dataset, Dialogue, folded

TextKey = tuple[str, ...]


def text_key(dialogue: Dialogue) -> TextKey:
    """The dialogue's utterances with case and white space folded: equal for dialogues that stand word for word."""
    return tuple(folded(utterance.text) for utterance in dialogue.utterances)


def seen_dialogues(dataset: Dataset) -> frozenset[str]:
    """Ids of the test dialogues that stand word for word in the training split (see `erc_bench.domain.folded`)."""
    train = {text_key(dialogue) for dialogue in dataset.train}
    return frozenset(dialogue.id for dialogue in dataset.test if text_key(dialogue) in train)
