"""From the predictions of one run to the scores that its record states."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from erc_bench.contract.domain import Dataset, Targets
from erc_bench.contract.system import Prediction
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.transfer import shared_part
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.protocols.views import dialogue_confusions
from erc_bench.records.answers import AnswerReader
from erc_bench.scoring import metrics

HEADLINE_DECIMALS = 6


def headline_protocol(targets: Targets) -> LabelProtocol:
    """The protocol that scores all that a run labelled, and nothing else."""
    return next(protocol for protocol in (UTTERANCE, LAST_TURN) if protocol.needs == targets)


def headline_scores(
    dataset: Dataset, targets: Targets, predictions: Iterable[Prediction], shared: Collection[str] | None = None
) -> dict[str, float]:
    """The scores a run record states: over all test utterances, or over last turns if only these were labelled.

    Of a run trained on another corpus they are over the utterances that have one of the `shared` labels.
    """
    answers = AnswerReader(dataset).of_predictions(predictions)
    view = headline_protocol(targets).view(dataset) if shared is None else shared_part(dataset, shared)
    found = metrics.scores(dialogue_confusions(view, answers, view.labels).sum(axis=0), view.labels)
    return {name: round(float(value), HEADLINE_DECIMALS) for name, value in found.items()}
