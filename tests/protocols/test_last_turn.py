from __future__ import annotations

from erc_bench.contract.domain import Dataset, Target
from erc_bench.contract.system import Prediction
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.protocols.views import dialogue_confusions
from erc_bench.records.answers import AnswerReader


def test_last_turn_counts_one_utterance_a_dialogue(small: Dataset) -> None:
    last = LAST_TURN.view(small)
    assert last.targets == (Target("test-0", 2), Target("test-1", 1), Target("test-2", 0))
    assert last.gold == ("none", "joy", "none")
    assert last.dialogue_index.tolist() == [0, 1, 2]
    assert last.places.tolist() == [2, 4, 5]


def test_last_turn_is_a_view_of_a_run_over_all_utterances(small: Dataset) -> None:
    predictions = (Prediction(*target, "joy") for target in UTTERANCE.view(small).targets)
    answers = AnswerReader(small).of_predictions(predictions)
    assert dialogue_confusions(LAST_TURN.view(small), answers, small.labels).sum() == 3
