"""What a dataset repeats, within and across its splits, and what that says of its labels.

Texts count as equal after folding case and white space (`erc_bench.contract.domain.folded`). A dialogue is equal to another
when its words are, wherever they are cut into turns (`erc_bench.data.overlap.dialogue_text`). Near duplicates have a
Jaccard similarity of at least 0.8: dialogues on runs of three words, utterances of at least five words on runs of five
characters. Prior art on DailyDialog: Wen et al. 2022, arXiv 2201.06219.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from erc_bench.contract.domain import SPLITS, Dataset, Dialogue, LabelSet, Split, folded
from erc_bench.data.near import character_shingles, near_pairs, word_shingles
from erc_bench.data.overlap import dialogue_text
from erc_bench.progress import Progress

MIN_WORDS_NEAR = 5
PAIRS: tuple[tuple[Split, Split], ...] = (
    ("test", "train"),
    ("validation", "train"),
    ("test", "validation"),
    ("train", "train"),
    ("validation", "validation"),
    ("test", "test"),
)


@dataclass(frozen=True)
class Repeats:
    """How many items of one split stand in another; within one split, how many repeat an earlier item.

    `near` counts the equal ones too.
    """

    of: Split
    among: Split
    total: int
    exact: int
    near: int


@dataclass(frozen=True)
class Conflicts:
    """Labels of texts that occur more than once, over all splits."""

    texts_repeated: int
    texts_in_conflict: int
    utterances_repeated: int
    utterances_in_conflict: int


@dataclass(frozen=True)
class Agreement:
    """The labels of repeated dialogues scored against those of their first equal in another split (or their own).

    Only dialogues cut into the same turns are `comparable`. `agreement` and the F1s in percent, MCC in -1..1; the F1s
    run over the emotions, as on the board. Two annotations of one dialogue differ by what annotators differ, so
    the scores estimate what annotators themselves reach.
    """

    of: Split
    among: Split
    dialogues: int
    comparable: int
    in_conflict: int
    utterances: int
    agreement: float
    micro_f1: float
    macro_f1: float
    mcc: float


@dataclass(frozen=True)
class Audit:
    """The outcome for one dataset."""

    name: str
    fingerprint: str
    dialogues: tuple[Repeats, ...]
    utterances: tuple[Repeats, ...]
    conflicts: Conflicts
    agreement: tuple[Agreement, ...]


def audit(dataset: Dataset, *, progress: Progress) -> Audit:
    """Find duplicates, label conflicts among them, and how far their annotations agree."""
    dialogues = [(split, dialogue_text(dialogue)) for split in SPLITS for dialogue in dataset.split(split)]
    utterances = [
        (split, folded(utterance.text))
        for split in SPLITS
        for dialogue in dataset.split(split)
        for utterance in dialogue.utterances
    ]
    return Audit(
        dataset.name,
        dataset.fingerprint,
        dialogues=_repeats(dialogues, _near(dialogues, word_shingles, 1, "dialogues", progress)),
        utterances=_repeats(utterances, _near(utterances, character_shingles, MIN_WORDS_NEAR, "utterances", progress)),
        conflicts=_conflicts(dataset),
        agreement=tuple(_agreement(dataset, of, among) for of, among in (*PAIRS[:2], ("train", "train"))),
    )


def _near(
    items: Sequence[tuple[Split, str]],
    shingles: Callable[[str], frozenset[str]],
    min_words: int,
    what: str,
    progress: Progress,
) -> dict[str, set[str]]:
    """For each text those that are near it, itself left out."""
    texts = [text for text in dict.fromkeys(text for _, text in items) if len(text.split()) >= min_words]
    near: dict[str, set[str]] = defaultdict(set)
    for one, other in near_pairs([shingles(text) for text in texts], what=what, progress=progress):
        near[texts[one]].add(texts[other])
        near[texts[other]].add(texts[one])
    return near


def _repeats(items: Sequence[tuple[Split, str]], near: dict[str, set[str]]) -> tuple[Repeats, ...]:
    by_split: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for split, text in items:
        by_split[split].append(text)
    return tuple(_count_repeats(of, among, by_split, near) for of, among in PAIRS)


def _count_repeats(of: Split, among: Split, by_split: dict[Split, list[str]], near: dict[str, set[str]]) -> Repeats:
    known = set() if of == among else set(by_split[among])
    exact = close = 0
    for text in by_split[of]:
        exact += text in known
        close += text in known or not known.isdisjoint(near.get(text, ()))
        if of == among:
            known.add(text)
    return Repeats(of, among, len(by_split[of]), exact, close)


def _conflicts(dataset: Dataset) -> Conflicts:
    labels: dict[str, Counter[str | None]] = defaultdict(Counter)
    for split in SPLITS:
        for dialogue in dataset.split(split):
            for utterance in dialogue.utterances:
                labels[folded(utterance.text)][utterance.label] += 1
    repeated = [counts for counts in labels.values() if counts.total() > 1]
    conflicting = [counts for counts in repeated if len(counts) > 1]
    return Conflicts(
        texts_repeated=len(repeated),
        texts_in_conflict=len(conflicting),
        utterances_repeated=sum(counts.total() for counts in repeated),
        utterances_in_conflict=sum(counts.total() for counts in conflicting),
    )


def _agreement(dataset: Dataset, of: Split, among: Split) -> Agreement:
    words = _first(dataset.split(among), dialogue_text)
    turns = _first(dataset.split(among), _turns)
    repeated = [d for d in dataset.split(of) if words.get(dialogue_text(d), d) is not d]
    pairs = [(d, turns[_turns(d)]) for d in repeated if turns.get(_turns(d), d) is not d]
    gold = [str(u.label) for one, _ in pairs for u in one.utterances]
    other = [str(u.label) for _, first in pairs for u in first.utterances]
    conflicts = sum(
        any(a.label != b.label for a, b in zip(one.utterances, first.utterances, strict=True)) for one, first in pairs
    )
    return Agreement(of, among, len(repeated), len(pairs), conflicts, len(gold), **_scores(gold, other, dataset.labels))


def _scores(gold: Sequence[str], other: Sequence[str], labels: LabelSet) -> dict[str, float]:
    from erc_bench.scoring.metrics import confusion_counts, scores

    found = scores(confusion_counts(gold, other, labels), labels)
    return {"agreement": float(found["accuracy"])} | {
        metric: float(found[metric]) for metric in ("micro_f1", "macro_f1", "mcc")
    }


def _turns(dialogue: Dialogue) -> tuple[str, ...]:
    return tuple(folded(utterance.text) for utterance in dialogue.utterances)


def _first(dialogues: Iterable[Dialogue], key: Callable[[Dialogue], Hashable]) -> dict[Hashable, Dialogue]:
    first: dict[Hashable, Dialogue] = {}
    for dialogue in dialogues:
        first.setdefault(key(dialogue), dialogue)
    return first
