"""From the predictions of one run to its scores."""

from __future__ import annotations

from collections.abc import Iterable

from erc_bench.contract.domain import Dataset, Targets
from erc_bench.contract.system import Prediction
from erc_bench.protocols.views import dialogue_confusions, view
from erc_bench.records.answers import AnswerReader
from erc_bench.scoring import metrics

HEADLINE_DECIMALS = 6


def headline_scores(dataset: Dataset, targets: Targets, predictions: Iterable[Prediction]) -> dict[str, float]:
    """The scores a run record states: over all test utterances, or over last turns if only these were labelled."""
    whole = view(dataset, "utterance" if targets == "all" else "last-turn", "all")
    confusion = dialogue_confusions(whole, AnswerReader(dataset).of_predictions(predictions), dataset.labels).sum(
        axis=0
    )
    found = metrics.scores(confusion, dataset.labels)
    return {name: round(float(value), HEADLINE_DECIMALS) for name, value in found.items()}
