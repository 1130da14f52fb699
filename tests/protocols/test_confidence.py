from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, targets_of
from erc_bench.contract.system import Prediction
from erc_bench.protocols.confidence import with_confidences
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.rows import Row
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.answers import AnswerReader, Codes
from erc_bench.records.confidences import Confidences, confidences_of
from erc_bench.records.written import Places

Gold = Callable[[Dataset], list[str]]
ROW = Row("some", "sample", "utterance", "all", "measured", "made up")
Made = tuple[Codes, Confidences | None]


@pytest.fixture
def made(sample: Dataset, gold: Gold, tmp_path: Path) -> Made:
    """Every third answer is wrong and given with 0.6, the others are right and given with 0.8."""
    found = []
    for place, (target, label) in enumerate(zip(targets_of(sample.test), gold(sample), strict=True)):
        wrong = place % 3 == 0
        names = [name for name in sample.labels.names if name != label]
        answer, sure = (names[0], 0.6) if wrong else (label, 0.8)
        other = label if wrong else names[0]
        found.append(Prediction(*target, answer, {answer: sure, other: 1 - sure}))
    return AnswerReader(sample, tmp_path).of_predictions(found), confidences_of(found, Places(sample.test))


def test_a_row_knows_when_it_is_right(made: Made, sample: Dataset) -> None:
    given, sure = made
    row = with_confidences(ROW, UTTERANCE.view(sample), [given, given], [sure, sure])
    count = len(given)
    wrong = len(range(0, count, 3))
    assert row.scores["ece"].value == pytest.approx((wrong * 0.6 + (count - wrong) * 0.2) / count, abs=1e-6)
    assert row.scores["ece"].deviation == 0
    assert row.scores["ece"].low is None
    assert row.sureness is not None
    assert row.sureness.risk[-1] == pytest.approx(wrong / count)
    assert row.sureness.risk[49] == 0  # the surest half is right
    assert 0 < row.scores["aurc"].value < wrong / count
    assert row.sureness.bins is not None
    assert row.sureness.bins.counts.sum() == 2 * count


def test_only_the_utterances_of_the_view_count(made: Made, sample: Dataset) -> None:
    given, sure = made
    row = with_confidences(ROW, LAST_TURN.view(sample), [given], [sure])
    assert row.sureness is not None
    assert row.sureness.bins is not None
    assert row.sureness.bins.counts.sum() == len(sample.test)


def test_scores_that_are_no_probabilities_have_no_calibration_error(made: Made, sample: Dataset) -> None:
    given, _ = made
    sure = Confidences(np.linspace(-5, 5, len(given), dtype=np.float32), probabilities=False)
    row = with_confidences(ROW, UTTERANCE.view(sample), [given], [sure])
    assert row.sureness is not None
    assert row.sureness.bins is None
    assert list(row.scores) == ["aurc"]


def test_a_row_of_which_a_seed_has_no_scores_stays_as_it_is(made: Made, sample: Dataset) -> None:
    given, sure = made
    assert with_confidences(ROW, UTTERANCE.view(sample), [given, given], [sure, None]) is ROW
