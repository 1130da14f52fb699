"""What one corpus shares with another: the basis of scores without what was seen when a system is trained on the other."""

from __future__ import annotations

from dataclasses import dataclass

from erc_bench.contract.domain import SPLITS, Dataset, Split
from erc_bench.data.overlap import dialogue_text, long_utterances, shared_utterances


@dataclass(frozen=True)
class Shared:
    """How much of one split stands in a split of another corpus.

    `utterances` are those of six words or more, `shared` those of them that stand there word for word, letters and digits
    folded; `dialogues_touched` have at least one such utterance, `dialogues_equal` stand there as a whole.
    """

    of: Split
    among: Split
    utterances: int
    shared: int
    dialogues: int
    dialogues_touched: int
    dialogues_equal: int


@dataclass(frozen=True)
class Against:
    """The outcome for two corpora, for every pair of their splits."""

    name: str
    other: str
    fingerprint: str
    other_fingerprint: str
    shared: tuple[Shared, ...]


def audit_against(dataset: Dataset, other: Dataset) -> Against:
    """Compare every split of a corpus with every split of another."""
    rows = tuple(_shared(dataset, of, other, among) for of in reversed(SPLITS) for among in SPLITS)
    return Against(dataset.name, other.name, dataset.fingerprint, other.fingerprint, rows)


def _shared(dataset: Dataset, of: Split, other: Dataset, among: Split) -> Shared:
    dialogues, others = dataset.split(of), other.split(among)
    shared = shared_utterances(dialogues, others)
    known = {dialogue_text(dialogue) for dialogue in others}
    return Shared(
        of,
        among,
        utterances=len(long_utterances(dialogues)),
        shared=len(shared),
        dialogues=len(dialogues),
        dialogues_touched=len({target.dialogue for target in shared}),
        dialogues_equal=sum(dialogue_text(dialogue) in known for dialogue in dialogues),
    )
