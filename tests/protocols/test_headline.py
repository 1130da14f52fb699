from __future__ import annotations

from collections.abc import Callable

import pytest

from erc_bench.contract.domain import Dataset, targets_of
from erc_bench.contract.system import Prediction
from erc_bench.protocols.headline import headline_protocol, headline_scores

Gold = Callable[[Dataset], list[str]]


def test_a_record_states_scores_over_what_its_run_labelled(mini: Dataset, gold: Gold) -> None:
    assert headline_protocol("all").name == "utterance"
    assert headline_protocol("last").name == "last-turn"
    every = [Prediction(*target, label) for target, label in zip(targets_of(mini.test), gold(mini), strict=True)]
    assert headline_scores(mini, "all", every)["micro_f1"] == 100
    last = [Prediction(*target, "happiness") for target in targets_of(mini.test, "last")]
    right = sum(dialogue.utterances[-1].label == "happiness" for dialogue in mini.test)
    found = headline_scores(mini, "last", last)["accuracy"]
    assert found == round(100 * right / len(mini.test), 6) == pytest.approx(100 * right / 24)
