from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.contract.domain import Dialogue, LabelSet, Utterance
from erc_bench.errors import DataCorruptError
from erc_bench.systems.llm.prompting import Example, Prompter, choose_examples, load_examples, save_examples
from erc_bench.toolkit.prompts import PromptTemplate

LABELS = LabelSet(("calm", "joy"), neutral="calm")
TEMPLATE = PromptTemplate("t", "{dialogue}\n{target}? {labels}", frozenset({"dialogue", "target", "labels"}))
TEXTS = ("Is it on?", " It is. ", "Good.")


def dialogue(*speakers: str) -> Dialogue:
    pairs = zip(TEXTS, speakers, strict=True)
    return Dialogue("train-0", tuple(Utterance(text, speaker, "calm") for text, speaker in pairs))


def test_speakers_without_names_stay_unnamed() -> None:
    prompter = Prompter(TEMPLATE, LABELS, context="dialogue")
    assert prompter.question(dialogue("A", "B", "A"), 1) == "- Is it on?\n- It is.\n- Good.\nIt is.? calm, joy"


def test_speakers_with_names_are_named() -> None:
    prompter = Prompter(TEMPLATE, LABELS, context="past")
    assert prompter.question(dialogue("Ana", "Bo", "Cy"), 1) == "- Ana: Is it on?\n- Bo: It is.\nIt is.? calm, joy"


def test_examples_are_asked_like_the_question(tmp_path: Path) -> None:
    for names in (("A", "B", "A"), ("Ana", "Bo", "Cy")):
        (example,) = choose_examples([dialogue(*names)], LABELS, count=1, seed=0)
        save_examples([example], tmp_path)
        assert load_examples(tmp_path) == [example]
        prompter = Prompter(TEMPLATE, LABELS, context="dialogue", examples=[example])
        question, answer, _ = prompter.messages(dialogue(*names), 0)
        assert question["content"] == prompter.question(dialogue(*names), example.turn)
        assert answer["content"] == "calm"


def test_examples_of_earlier_versions_are_read(tmp_path: Path) -> None:
    (tmp_path / "examples.json").write_text('[{"texts": ["Hi."], "turn": 0, "label": "joy"}]')
    assert load_examples(tmp_path) == [Example(("Hi.",), 0, "joy")]
    (tmp_path / "examples.json").write_text("[{}]")
    with pytest.raises(DataCorruptError, match="must hold the examples of a trained run"):
        load_examples(tmp_path)
