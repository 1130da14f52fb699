"""Dialogues, utterances, label sets and datasets: the vocabulary of the whole package."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Targets = Literal["all", "last"]
"""Which utterances of a dialogue a run labels: all of them, or the last one."""


class Target(NamedTuple):
    """One utterance to label: the id of its dialogue and its turn, counted from 0."""

    dialogue: str
    turn: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker says in one turn; `label` is None where the harness withholds it."""

    text: str
    speaker: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation: its utterances in order."""

    id: str
    utterances: tuple[Utterance, ...]

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def speaker_order(self) -> tuple[int, ...]:
        """For each utterance the place of its speaker in the order of first appearance: 0, 1, 0, 2, …"""
        order: dict[str, int] = {}
        return tuple(order.setdefault(utterance.speaker, len(order)) for utterance in self.utterances)

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing is known of the speakers but that A and B take turns, as in DailyDialog."""
        return all(utterance.speaker == "AB"[turn % 2] for turn, utterance in enumerate(self.utterances))

    def without_labels(self) -> Dialogue:
        """The same dialogue as a system may see it at test time."""
        return replace(self, utterances=tuple(replace(u, label=None) for u in self.utterances))

    def targets(self, which: Targets = "all") -> list[Target]:
        """One target an utterance, in order; with "last" that of the last turn alone."""
        every = [Target(self.id, turn) for turn in range(len(self))]
        return every if which == "all" else every[-1:]


def targets_of(dialogues: Iterable[Dialogue], which: Targets = "all") -> list[Target]:
    """The targets of several dialogues, dialogue by dialogue; see `Dialogue.targets`."""
    return [target for dialogue in dialogues for target in dialogue.targets(which)]


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels of a dataset in their fixed order, and which of them means "no emotion".

    `neutral` is None where none of them does: all labels are then emotions.
    """

    names: tuple[str, ...]
    neutral: str | None

    def __post_init__(self) -> None:
        if self.neutral is not None and self.neutral not in self.names:
            raise ValueError(f"neutral must be one of {self.names}, got {self.neutral!r}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def emotions(self) -> tuple[str, ...]:
        """All labels but the neutral one, where there is one."""
        return tuple(name for name in self.names if name != self.neutral)

    @property
    def neutral_index(self) -> int | None:
        """Position of the neutral label in `names`; None where there is none."""
        return None if self.neutral is None else self.index(self.neutral)

    @property
    def fallback(self) -> str:
        """The label of a system that has nothing to go by: the neutral one, else the first."""
        return self.names[0] if self.neutral is None else self.neutral

    def index(self, name: str) -> int:
        """Position of a label in `names`."""
        return self.names.index(name)


def content_fingerprint(labels: LabelSet, splits: Iterable[tuple[str, Sequence[Dialogue]]]) -> str:
    """SHA-256 (hex) over label names and every id, speaker, text and label, in order.

    Fields are length-prefixed, so that no two different contents can give the same bytes.
    """
    digest = hashlib.sha256()

    def feed(fields: Iterable[str]) -> None:
        digest.update(b"".join([b"%d:%b" % (len(data), data) for data in map(str.encode, fields)]))

    feed((*labels.names, labels.neutral or ""))
    for name, dialogues in splits:
        feed((name, str(len(dialogues))))
        for dialogue in dialogues:
            feed((dialogue.id, str(len(dialogue))))
            feed(text for turn in dialogue.utterances for text in (turn.speaker, turn.text, turn.label or ""))
    return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """A labelled corpus in its official splits.

    `ranking_metric` names the metric that its board is ranked by. `common_labels` gives labels a word that other corpora
    have too, where there is one; it is no part of the content. `fingerprint` is the SHA-256 of the content, computed
    from what was read and never copied from a file.
    """

    name: str
    labels: LabelSet
    train: tuple[Dialogue, ...]
    validation: tuple[Dialogue, ...]
    test: tuple[Dialogue, ...]
    ranking_metric: str = field(default="micro_f1", kw_only=True)
    common_labels: Mapping[str, str] = field(default_factory=dict, kw_only=True, compare=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        fingerprint = content_fingerprint(self.labels, [(name, self.split(name)) for name in SPLITS])
        object.__setattr__(self, "fingerprint", fingerprint)

    def split(self, name: Split) -> tuple[Dialogue, ...]:
        """The dialogues of one split."""
        splits: dict[Split, tuple[Dialogue, ...]] = {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
        }
        return splits[name]


def folded(text: str) -> str:
    """Case and white space folded: the form in which two texts count as the same."""
    return " ".join(text.casefold().split())
