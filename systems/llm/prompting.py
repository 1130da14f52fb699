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
    """A labelled utterance of the training split: its dialogue as texts, its turn counted from 0, its label."""

    texts: tuple[str, ...]
    turn: int
    label: str


class Prompter:
    """Writes the prompts of one configuration.

    With context `past` the dialogue ends at the target, in the question and in the examples alike.
    """

    def __init__(
        self, template: PromptTemplate, labels: LabelSet, *, context: Context, examples: Sequence[Example] = ()
    ) -> None:
        self.template, self.labels, self.context = template, labels, context
        self._examples = [(self._fill(example.texts, example.turn), example.label) for example in examples]

    def _fill(self, texts: Sequence[str], turn: int) -> str:
        shown = texts if self.context == "dialogue" else texts[: turn + 1]
        return self.template.render(
            dialogue="\n".join(f"- {text.strip()}" for text in shown),
            target=texts[turn].strip(),
            labels=", ".join(self.labels.names),
        )

    def question(self, dialogue: Dialogue, turn: int) -> str:
        """The filled template for one target, without examples."""
        return self._fill([utterance.text for utterance in dialogue.utterances], turn)

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
                by_label[utterance.label].append(Example(texts, turn, utterance.label))
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
    content = [{"texts": list(e.texts), "turn": e.turn, "label": e.label} for e in examples]
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
        return [Example(tuple(e["texts"]), int(e["turn"]), str(e["label"])) for e in content]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataCorruptError(
            f"{path} must hold the examples of a trained run, got {type(error).__name__}: {error}. Run again with --overwrite."
        ) from None
