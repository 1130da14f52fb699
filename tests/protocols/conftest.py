"""A dataset of six utterances, one test dialogue of which stands in train."""

from __future__ import annotations

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance

LABELS = LabelSet(("none", "joy"), neutral="none")


def dialogue(id_: str, *turns: tuple[str, str | None]) -> Dialogue:
    return Dialogue(id_, tuple(Utterance(text, "AB"[i % 2], label) for i, (text, label) in enumerate(turns)))


@pytest.fixture
def small() -> Dataset:
    return Dataset(
        "small",
        LABELS,
        train=(dialogue("train-0", ("Hello  there.", "none"), ("HI!", "joy")),),
        validation=(),
        test=(
            dialogue("test-0", ("Well?", "none"), ("Great!", "joy"), ("Bye.", "none")),
            dialogue("test-1", ("hello there.", "none"), ("Hi!", "joy")),
            dialogue("test-2", ("Hello there.", "none")),
        ),
    )
