from __future__ import annotations

import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Split, Utterance
from erc_bench.data.dailydialog import LABELS
from erc_bench.inspection.audit import Agreement, Audit, Conflicts, Repeats, audit
from erc_bench.progress import SilentProgress

LONG = "We walked along the river until it got dark and then took the last bus home"
DINNER = "There is soup left from yesterday and some bread if you are hungry"


def dialogue(name: str, *turns: tuple[str, str]) -> Dialogue:
    return Dialogue(name, tuple(Utterance(text, "AB"[at % 2], label) for at, (text, label) in enumerate(turns)))


@pytest.fixture(scope="module")
def outcome() -> Audit:
    train = (
        dialogue("train-0", ("Good morning !", "happiness"), ("Is it ?", "anger"), ("Yes .", "no emotion")),
        dialogue("train-1", (LONG, "no emotion"), (DINNER, "no emotion")),
        dialogue("train-2", ("GOOD  morning !", "happiness"), ("is it ?", "no emotion"), ("yes .", "no emotion")),
    )
    validation = (dialogue("validation-0", ("Nothing new here today , I fear .", "fear")),)
    test = (
        dialogue("test-0", ("Good morning !", "happiness"), ("Is it ?", "sadness"), ("Yes .", "no emotion")),
        dialogue("test-1", ("Good morning ! Is it ?", "happiness"), ("Yes .", "happiness")),
        dialogue("test-2", (f"{LONG} .", "no emotion"), (DINNER, "happiness")),
        dialogue("test-3", ("Never heard before .", "surprise")),
    )
    return audit(Dataset("d", LABELS, train, validation, test), progress=SilentProgress())


def repeats(found: tuple[Repeats, ...], of: Split, among: Split) -> tuple[int, int, int]:
    (row,) = [row for row in found if (row.of, row.among) == (of, among)]
    return row.total, row.exact, row.near


def test_repeated_dialogues(outcome: Audit) -> None:
    # test-0 and test-1 have the words of train-0; test-2 differs from train-1 by a full stop
    assert repeats(outcome.dialogues, "test", "train") == (4, 2, 3)
    assert repeats(outcome.dialogues, "validation", "train") == (1, 0, 0)
    assert repeats(outcome.dialogues, "train", "train") == (3, 1, 1)
    assert repeats(outcome.dialogues, "test", "test") == (4, 1, 1)


def test_repeated_utterances(outcome: Audit) -> None:
    # all of test-0, "Yes ." of test-1, the second of test-2; near: its first too
    assert repeats(outcome.utterances, "test", "train") == (8, 5, 6)
    assert repeats(outcome.utterances, "train", "train") == (8, 3, 3)


def test_conflicts(outcome: Audit) -> None:
    # repeated: "good morning !" (3, one label), "is it ?" (3 labels), "yes ." (4, two labels), DINNER (2, two labels)
    assert outcome.conflicts == Conflicts(4, 3, 12, 9)


def test_agreement_leaves_out_what_is_cut_into_other_turns(outcome: Audit) -> None:
    test, validation, train = outcome.agreement
    assert (test.dialogues, test.comparable, test.in_conflict, test.utterances) == (2, 1, 1, 3)
    assert test.agreement == pytest.approx(100 * 2 / 3)
    # gold happiness, sadness against happiness, anger: one hit, two labels of either side
    assert test.micro_f1 == pytest.approx(50)
    assert test.macro_f1 == pytest.approx(100 / 6)
    assert (validation.dialogues, validation.utterances, validation.agreement) == (0, 0, 0)
    assert (train.dialogues, train.in_conflict, train.utterances) == (1, 1, 3)


@pytest.fixture(scope="module")
def real(dailydialog: Dataset) -> Audit:
    return audit(dailydialog, progress=SilentProgress())


@pytest.mark.data
@pytest.mark.slow
def test_repeats_in_the_real_data(real: Audit) -> None:
    assert repeats(real.dialogues, "test", "train")[:2] == (1_000, 107)
    assert repeats(real.dialogues, "validation", "train")[:2] == (1_000, 77)
    assert repeats(real.utterances, "test", "train")[:2] == (7_740, 2_374)
    for row in (*real.dialogues, *real.utterances):
        assert row.exact <= row.near <= row.total
    assert repeats(real.dialogues, "test", "train")[2] == pytest.approx(212, abs=2)


@pytest.mark.data
@pytest.mark.slow
def test_what_annotators_reach_on_the_real_data(real: Audit) -> None:
    test: Agreement = real.agreement[0]
    assert (test.of, test.among, test.dialogues, test.utterances) == ("test", "train", 107, 757)
    assert test.agreement == pytest.approx(83.2, abs=0.05)
    assert test.macro_f1 == pytest.approx(46.3, abs=0.05)
    assert test.micro_f1 == pytest.approx(59.7, abs=0.05)
    assert test.mcc == pytest.approx(0.53, abs=0.005)
