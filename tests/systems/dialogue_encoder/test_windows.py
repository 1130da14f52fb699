from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dialogue, Target, Utterance
from erc_bench.contract.system import Context
from erc_bench.systems.dialogue_encoder.windows import SPEAKERS, START, Window, Windower, speaker_indices
from erc_bench.toolkit.encoders import resolve_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(resolve_encoder("minilm").folder)
    return found


def dialogue(*texts: str, speakers: str = "AB") -> Dialogue:
    return Dialogue("d", tuple(Utterance(text, speakers[i % len(speakers)]) for i, text in enumerate(texts)))


def cut(
    tokenizer: PreTrainedTokenizerBase,
    one: Dialogue,
    context: Context = "dialogue",
    *,
    limit: int = 500,
    overlap: int = 100,
) -> list[Window]:
    found: list[Window] = Windower(tokenizer, context, limit, overlap).windows([one])
    return found


def answered(windows: list[Window]) -> list[int]:
    return [target.turn for window in windows for target in window.targets]


def test_a_dialogue_that_fits_is_one_sequence_with_its_turns_and_speakers(tokenizer: PreTrainedTokenizerBase) -> None:
    (window,) = cut(tokenizer, dialogue("hello there", "fine", "good"))
    assert tokenizer.decode(list(window.ids)) == "[CLS] hello there [SEP] fine [SEP] good [SEP]"
    assert window.turns == (START, 0, 0, 0, 1, 1, 2, 2)
    assert window.speakers == (0, 0, 0, 0, 1, 1, 0, 0)
    assert window.places == ((1, 4), (4, 6), (6, 8))
    assert window.targets == (Target("d", 0), Target("d", 1), Target("d", 2))


def test_single_utterances_stand_alone(tokenizer: PreTrainedTokenizerBase) -> None:
    windows = cut(tokenizer, dialogue("hello there", "", "good"), "utterance")
    assert [tokenizer.decode(list(window.ids)) for window in windows] == [
        "[CLS] hello there [SEP]",
        "[CLS] [SEP]",
        "[CLS] good [SEP]",
    ]


@pytest.mark.parametrize("limit", [20, 33, 64])
def test_long_dialogues_are_cut_at_utterances_and_nothing_is_lost(
    tokenizer: PreTrainedTokenizerBase, limit: int
) -> None:
    texts = [f"this is sentence number {i} of many" for i in range(12)]
    windows = cut(tokenizer, dialogue(*texts), limit=limit, overlap=9)
    assert len(windows) > 1
    assert answered(windows) == list(range(12))
    assert all(len(window) <= limit for window in windows)
    for window in windows:
        for (first, behind), target in zip(window.places, window.targets, strict=True):
            assert tokenizer.decode(list(window.ids[first : behind - 1])) == texts[target.turn]
    assert all(0 < window.places[0][0] - 1 <= 9 for window in windows[1:])  # each later one opens with earlier words


def test_an_utterance_longer_than_a_sequence_is_read_to_its_end(tokenizer: PreTrainedTokenizerBase) -> None:
    words = " ".join(["yes"] * 100)
    for context in ("utterance", "past", "dialogue"):
        windows = cut(tokenizer, dialogue("hello", words, "bye"), context, limit=30, overlap=5)
        assert sorted(set(answered(windows))) == [0, 1, 2]
        tokens = sum(b - a - 1 for w in windows for (a, b), t in zip(w.places, w.targets, strict=True) if t.turn == 1)
        assert tokens == 100
        assert all(len(window) <= 30 for window in windows)


def test_what_comes_later_does_not_move_a_cut(tokenizer: PreTrainedTokenizerBase) -> None:
    texts = [f"this is sentence number {i} of many" for i in range(12)]
    whole = cut(tokenizer, dialogue(*texts), "past", limit=40, overlap=9)
    shorter = cut(tokenizer, dialogue(*texts[:7]), "past", limit=40, overlap=9)
    last = shorter[-1]
    twin = next(window for window in whole if Target("d", 6) in window.targets)
    assert twin.ids[: len(last)] == last.ids


def test_speakers_are_numbered_as_they_appear_and_share_the_last_number() -> None:
    many = dialogue(*["hi"] * 40, speakers="".join(chr(65 + i) for i in range(20)))
    indices = speaker_indices(many)
    assert indices[:4] == [0, 1, 2, 3]
    assert max(indices) == SPEAKERS - 1
    assert indices[20] == 0
    assert speaker_indices(dialogue("a", "b", "c", speakers="ZZY")) == [0, 0, 1]
