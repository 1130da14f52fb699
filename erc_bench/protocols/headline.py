"""From the predictions of one run to the scores that its record states."""

from __future__ import annotations

from collections.abc import Iterable

from erc_bench.contract.domain import Dataset, Targets
from erc_bench.contract.system import Prediction
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.protocols.views import dialogue_confusions
from erc_bench.records.answers import AnswerReader
from erc_bench.scoring import metrics

HEADLINE_DECIMALS = 6


def headline_protocol(targets: Targets) -> LabelProtocol:
    """The protocol that scores all that a run labelled, and nothing else."""
    return next(protocol for protocol in (UTTERANCE, LAST_TURN) if protocol.needs == targets)


def headline_scores(dataset: Dataset, targets: Targets, predictions: Iterable[Prediction]) -> dict[str, float]:
    """The scores a run record states: over all test utterances, or over last turns if only these were labelled."""
    answers = AnswerReader(dataset).of_predictions(predictions)
    confusions = dialogue_confusions(headline_protocol(targets).view(dataset), answers, dataset.labels)
    found = metrics.scores(confusions.sum(axis=0), dataset.labels)
    return {name: round(float(value), HEADLINE_DECIMALS) for name, value in found.items()}
