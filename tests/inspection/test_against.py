from __future__ import annotations

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Utterance
from erc_bench.data.dailydialog import LABELS
from erc_bench.data.overlap import seen_dialogues
from erc_bench.inspection.against import Shared, audit_against

LINES = ("Well, I never saw that coming at all!", "Me neither.", "Shall we sit down for a moment then?")


def dialogue(name: str, *texts: str) -> Dialogue:
    return Dialogue(name, tuple(Utterance(text, "A", LABELS.names[0]) for text in texts))


def test_what_stands_in_the_other_corpus_is_counted_by_split() -> None:
    mine = Dataset(
        "mine", LABELS, (dialogue("train-0", "One."),), (), (dialogue("test-0", *LINES), dialogue("test-1", "Hi."))
    )
    punctuated = ("well i never saw that coming at ALL", "Me, neither", "Something else was said here by somebody.")
    other = Dataset("other", LABELS, (dialogue("a", *punctuated),), (), (dialogue("b", "Hi."),))
    outcome = audit_against(mine, other)
    assert (outcome.name, outcome.other) == ("mine", "other")
    assert outcome.shared[0] == Shared("test", "train", 2, 1, 2, 1, 0)
    assert outcome.shared[2] == Shared("test", "test", 2, 0, 2, 0, 1)
    assert [(row.of, row.among) for row in outcome.shared[3:5]] == [
        ("validation", "train"),
        ("validation", "validation"),
    ]


@pytest.mark.data
def test_meld_and_emorynlp_share_lines_of_one_series(meld: Dataset, emorynlp: Dataset) -> None:
    shared = {(row.of, row.among): row for row in audit_against(meld, emorynlp).shared}
    found = {of: (shared[of, "train"].shared, shared[of, "train"].utterances) for of in ("train", "validation", "test")}
    assert found == {"train": (1_071, 5_644), "validation": (77, 639), "test": (295, 1_483)}
    assert len(seen_dialogues(meld)) == 1
    assert seen_dialogues(emorynlp) == frozenset()
