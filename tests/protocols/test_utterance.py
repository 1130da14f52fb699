from __future__ import annotations

from erc_bench.contract.domain import Dataset
from erc_bench.protocols.utterance import UTTERANCE


def test_utterance_counts_every_test_utterance_in_order(small: Dataset) -> None:
    whole = UTTERANCE.view(small)
    assert whole.targets == tuple(target for d in small.test for target in d.targets())
    assert whole.gold == ("none", "joy", "none", "none", "joy", "none")
    assert whole.dialogue_index.tolist() == [0, 0, 0, 1, 1, 2]
    assert whole.places.tolist() == [0, 1, 2, 3, 4, 5]
    assert [small.labels.names[code] for code in whole.gold_codes] == list(whole.gold)
    assert whole.dialogues == ("test-0", "test-1", "test-2")
    assert len(whole) == 6
