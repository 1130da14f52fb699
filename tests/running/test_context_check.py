from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target, Utterance
from erc_bench.contract.system import NoConfig, Prediction, System, SystemInfo
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress
from erc_bench.running.context_check import SAMPLE_DIALOGUES, WITHHELD, check_context, withheld

LABELS = LabelSet(("calm", "joy"), neutral="calm")
TALK = Dialogue("d", tuple(Utterance(text, "A") for text in ("one", "two", "three", "four")))
Reads = Literal["utterance", "past", "dialogue"]


class Reader(System[NoConfig]):
    """Answers by the length of all that it reads."""

    info = SystemInfo("reader", "length of what it reads", "none", "utterance", "CC0-1.0")
    reads: Reads = "utterance"

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        by_id = {dialogue.id: dialogue.utterances for dialogue in dialogues}
        for target in targets:
            everything = by_id[target.dialogue]
            here = target.turn
            read = {"utterance": everything[here : here + 1], "past": everything[: here + 1], "dialogue": everything}
            yield Prediction(*target, LABELS.names[sum(len(u.text) for u in read[self.reads]) % 2])


def reader(claims: Reads, reads: Reads, *, deterministic: bool = True) -> Reader:
    kind = type(
        "Kind", (Reader,), {"info": replace(Reader.info, context=claims, deterministic=deterministic), "reads": reads}
    )
    made: Reader = kind(labels=LABELS)
    return made


def test_what_a_system_says_it_does_not_read_is_taken_away() -> None:
    assert withheld(TALK, 1, "dialogue") == TALK
    assert [u.text for u in withheld(TALK, 1, "past").utterances] == ["one", "two"]
    assert [u.text for u in withheld(TALK, 1, "utterance").utterances] == [WITHHELD, "two", WITHHELD, WITHHELD]


@pytest.mark.parametrize(("claims", "reads"), [("utterance", "utterance"), ("past", "past"), ("past", "utterance")])
def test_a_true_claim_is_proven_on_every_target_of_the_sample(claims: Reads, reads: Reads, sample: Dataset) -> None:
    found = check_context(reader(claims, reads), sample.test)
    longer = [dialogue for dialogue in sample.test if len(dialogue) >= 3][:SAMPLE_DIALOGUES]
    assert (found.tested, found.targets) == (True, sum(map(len, longer)))


@pytest.mark.parametrize(("claims", "reads"), [("utterance", "past"), ("utterance", "dialogue"), ("past", "dialogue")])
def test_a_false_claim_is_refused(claims: Reads, reads: Reads, sample: Dataset) -> None:
    with pytest.raises(SystemFailedError, match=f"says that it reads context={claims}"):
        check_context(reader(claims, reads), sample.test)


def test_what_cannot_be_tested_says_why(sample: Dataset) -> None:
    assert "whole dialogue" in check_context(reader("dialogue", "utterance"), sample.test).reason
    assert "sampled" in check_context(reader("past", "dialogue", deterministic=False), sample.test).reason


def test_answers_that_only_round_differently_are_the_same(sample: Dataset) -> None:
    class Wavering(Reader):
        def predict(
            self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
        ) -> Iterator[Prediction]:
            tilt = 1e-5 if len(targets) > 1 else -1e-5
            for target in targets:
                yield Prediction(*target, "joy" if tilt > 0 else "calm", {"joy": 0.5 + tilt, "calm": 0.5 - tilt})

    assert check_context(Wavering(labels=LABELS), sample.test).tested


def test_a_target_without_an_answer_is_refused(sample: Dataset) -> None:
    class Silent(Reader):
        def predict(
            self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
        ) -> Iterator[Prediction]:
            yield Prediction(*targets[0], "joy")

    with pytest.raises(SystemFailedError, match="must answer every target"):
        check_context(Silent(labels=LABELS), sample.test)
