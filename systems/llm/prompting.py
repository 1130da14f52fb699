"""What a language model is asked: the dialogue and the target in a template, with or without examples before it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.contract.system import Context
from erc_bench.errors import DataCorruptError, SystemFailedError
from erc_bench.toolkit.prompts import PromptTemplate

PLACEHOLDERS = ("target", "labels")
EXAMPLES_FILE = "examples.json"


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled utterance of the training split: its dialogue as texts, its turn counted from 0, its label.

    `speakers` are those of the texts, empty where they have no names.
    """

    texts: tuple[str, ...]
    turn: int
    label: str
    speakers: tuple[str, ...] = ()


class Prompter:
    """Writes the prompts of one configuration.

    With context `past` the dialogue ends at the target, in the question and in the examples alike. Where speakers have
    names, each line of the dialogue begins with one.
    """

    def __init__(
        self, template: PromptTemplate, labels: LabelSet, *, context: Context, examples: Sequence[Example] = ()
    ) -> None:
        self.template, self.labels, self.context = template, labels, context
        self._examples = [(self._fill(e.texts, e.turn, e.speakers), e.label) for e in examples]

    def _fill(self, texts: Sequence[str], turn: int, speakers: Sequence[str]) -> str:
        names = [f"{speaker}: " for speaker in speakers] or [""] * len(texts)
        lines = [f"- {name}{text.strip()}" for name, text in zip(names, texts, strict=True)]
        return self.template.render(
            dialogue="\n".join(lines if self.context == "dialogue" else lines[: turn + 1]),
            target=texts[turn].strip(),
            labels=", ".join(self.labels.names),
        )

    def question(self, dialogue: Dialogue, turn: int) -> str:
        """The filled template for one target, without examples."""
        return self._fill([utterance.text for utterance in dialogue.utterances], turn, named_speakers(dialogue))

    def messages(self, dialogue: Dialogue, turn: int) -> list[dict[str, str]]:
        """The chat that asks for one target: examples as earlier turns, the question last."""
        chat = []
        for question, label in self._examples:
            chat += [{"role": "user", "content": question}, {"role": "assistant", "content": label}]
        return [*chat, {"role": "user", "content": self.question(dialogue, turn)}]

    def text(self, dialogue: Dialogue, turn: int) -> str:
        """The raw text that asks for one target: examples with their answers, a blank line after each."""
        solved = [f"{question} {label}" for question, label in self._examples]
        return "\n\n".join([*solved, self.question(dialogue, turn)])


def named_speakers(dialogue: Dialogue) -> tuple[str, ...]:
    """The speakers of a dialogue, one an utterance; none where they have no names."""
    return () if dialogue.is_anonymous else tuple(utterance.speaker for utterance in dialogue.utterances)


def choose_examples(train: Sequence[Dialogue], labels: LabelSet, *, count: int, seed: int) -> list[Example]:
    """Labelled utterances to show: the labels take turns in a shuffled order, each with a random utterance of its own.

    Raises
    ------
    SystemFailedError
        The training split has fewer utterances than were asked for.
    """
    rng = random.Random(f"examples {seed}")
    by_label: dict[str, list[Example]] = {name: [] for name in labels.names}
    for dialogue in train:
        texts = tuple(utterance.text for utterance in dialogue.utterances)
        for turn, utterance in enumerate(dialogue.utterances):
            if utterance.label is not None:
                by_label[utterance.label].append(Example(texts, turn, utterance.label, named_speakers(dialogue)))
    for candidates in by_label.values():
        rng.shuffle(candidates)
    chosen: list[Example] = []
    while len(chosen) < count:
        order = [name for name in labels.names if by_label[name]]
        if not order:
            raise SystemFailedError(
                f"examples must be at most the training split's {len(chosen)} utterances, got {count}."
            )
        rng.shuffle(order)
        chosen += [by_label[name].pop() for name in order[: count - len(chosen)]]
    return chosen


def save_examples(examples: Sequence[Example], folder: Path) -> None:
    """Write examples as JSON."""
    content = [
        {"texts": e.texts, "turn": e.turn, "label": e.label} | ({"speakers": e.speakers} if e.speakers else {})
        for e in examples
    ]
    (folder / EXAMPLES_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def load_examples(folder: Path) -> list[Example]:
    """Read what `save_examples` wrote.

    Raises
    ------
    DataCorruptError
        The file is not what was written.
    """
    path = folder / EXAMPLES_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [
            Example(tuple(e["texts"]), int(e["turn"]), str(e["label"]), tuple(e.get("speakers", ()))) for e in content
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataCorruptError(
            f"{path} must hold the examples of a trained run, got {type(error).__name__}: {error}. Run again with --overwrite."
        ) from None
