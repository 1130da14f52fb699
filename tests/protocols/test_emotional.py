from __future__ import annotations

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target, Utterance
from erc_bench.errors import DataError
from erc_bench.protocols.emotional import EMOTIONAL


def test_emotional_utterances_leave_neutral_ones_out_and_draw_from_every_dialogue(small: Dataset) -> None:
    part = EMOTIONAL.view(small)
    assert part.targets == (Target("test-0", 1), Target("test-1", 1))
    assert part.dialogues == ("test-0", "test-1", "test-2")
    assert part.dialogue_index.tolist() == [0, 1]


def test_emotional_applies_where_utterances_differ_in_it(small: Dataset) -> None:
    assert EMOTIONAL.applies_to(small)
    without_neutral = Dataset("raw", small.labels, (), (), (Dialogue("test-0", (Utterance("Great!", "A", "joy"),)),))
    assert not EMOTIONAL.applies_to(without_neutral)
    without_emotion = Dataset("raw", small.labels, (), (), (Dialogue("test-0", (Utterance("Well.", "A", "none"),)),))
    assert not EMOTIONAL.applies_to(without_emotion)
    with pytest.raises(DataError, match="at least one utterance of the protocol emotional"):
        EMOTIONAL.view(without_emotion)
