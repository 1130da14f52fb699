"""From the predictions of one run to its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Target, Targets
from erc_bench.contract.system import Prediction
from erc_bench.protocols.views import View, dialogue_confusions, view
from erc_bench.scoring import metrics

HEADLINE_DECIMALS = 6


def labels_of(predictions: Iterable[Prediction]) -> dict[Target, str | None]:
    """The predicted label of every target."""
    return {prediction.target: prediction.label for prediction in predictions}


def run_confusions(
    dataset: Dataset, protocol_view: View, predictions: Mapping[Target, Prediction]
) -> NDArray[np.int64]:
    """Confusion counts by dialogue, int64 (dialogues, labels, labels + 1), of one run under one protocol view."""
    return dialogue_confusions(protocol_view, labels_of(predictions.values()), dataset.labels)


def headline_scores(dataset: Dataset, targets: Targets, predictions: Iterable[Prediction]) -> dict[str, float]:
    """The scores a run record states: over all test utterances, or over last turns if only these were labelled."""
    whole = view(dataset, "utterance" if targets == "all" else "last-turn", "all")
    confusion = dialogue_confusions(whole, labels_of(predictions), dataset.labels).sum(axis=0)
    found = metrics.scores(confusion, dataset.labels)
    return {name: round(float(value), HEADLINE_DECIMALS) for name, value in found.items()}
