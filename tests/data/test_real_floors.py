"""What trivial predictors score on the real corpora: numbers computed outside of this project."""

from __future__ import annotations

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Prediction
from erc_bench.protocols.headline import headline_scores


@pytest.mark.data
@pytest.mark.parametrize(
    ("corpus", "label", "weighted", "accuracy", "micro", "macro"),
    [
        ("dailydialog", "no emotion", None, 81.7, 0.0, 0.0),
        ("dailydialog", "happiness", None, None, 22.25, 3.88),
        ("meld", "neutral", 31.27, 48.12, 0.0, 0.0),
        ("meld", "joy", 4.11, 15.40, 20.28, 4.45),
        ("emorynlp", "Neutral", 10.94, 26.28, 0.0, 0.0),
        ("emorynlp", "Joyful", 7.44, 21.23, 24.45, 5.84),
    ],
)
def test_one_label_for_everything(
    corpus: str,
    label: str,
    weighted: float | None,
    accuracy: float | None,
    micro: float,
    macro: float,
    request: pytest.FixtureRequest,
) -> None:
    dataset: Dataset = request.getfixturevalue(corpus)
    answers = [Prediction(*target, label) for dialogue in dataset.test for target in dialogue.targets()]
    scores = headline_scores(dataset, "all", answers)
    expected = {"weighted_f1_all": weighted, "accuracy": accuracy, "micro_f1": micro, "macro_f1": macro}
    for metric, value in expected.items():
        if value is not None:
            assert scores[metric] == pytest.approx(value, abs=0.05 if value == 81.7 else 0.005), metric
