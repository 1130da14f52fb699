"""Test dialogues that a system may have seen in training: the basis of the `unseen` subset."""

from __future__ import annotations

from erc_bench.contract.domain import Dataset, Dialogue, folded


def dialogue_text(dialogue: Dialogue) -> str:
    """The words of a dialogue, case and white space folded: equal for dialogues that are word for word the same.

    Utterances are joined, because the same words cut into turns elsewhere are still words seen in training.
    """
    return folded(" ".join(utterance.text for utterance in dialogue.utterances))


def seen_dialogues(dataset: Dataset) -> frozenset[str]:
    """Ids of the test dialogues that stand word for word in the training split (see `dialogue_text`)."""
    train = {dialogue_text(dialogue) for dialogue in dataset.train}
    return frozenset(dialogue.id for dialogue in dataset.test if dialogue_text(dialogue) in train)
