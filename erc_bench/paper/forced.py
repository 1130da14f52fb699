"""The forced choice: what a run answers on emotional utterances when it must name an emotion, by the scores it gave."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from erc_bench.contract.domain import Dataset, LabelSet
from erc_bench.contract.system import Prediction
from erc_bench.paper.measure import Measurements, Scored, measured_by
from erc_bench.protocols.emotional import EMOTIONAL
from erc_bench.protocols.rows import Score, row_of_runs, with_confusions
from erc_bench.protocols.views import View, dialogue_confusions
from erc_bench.records.answers import NONE, Codes
from erc_bench.records.groups import NamedGroup
from erc_bench.records.predictions import iterate_predictions, predictions_path
from erc_bench.records.record import Run
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.kept import kept_estimates
from erc_bench.scoring.metrics import row_margins
from erc_bench.scoring.resampling import resample_weights

SUBSET = "forced choice"


def forced_choice(found: Measurements, named: NamedGroup) -> Scored | None:
    """The row of a group on emotional utterances, each answered with the emotion of the highest score.

    None where a run has an answer without scores: from its labels alone nothing follows.
    """
    part, labels = EMOTIONAL.view(found.dataset), found.dataset.labels
    answers = [_answers(run, part, found.dataset) for run in named.group.runs]
    by_dialogue = [dialogue_confusions(part, codes, labels) for codes in answers if codes is not None]
    if len(by_dialogue) < len(answers):
        return None
    (estimate,) = kept_estimates([row_margins(by_dialogue)], labels, resample_weights(len(part.dialogues)))
    row = row_of_runs(named.title, [run.record for run in named.group.runs], EMOTIONAL.name, SUBSET)
    row = with_confusions(row, np.stack([run.sum(axis=0) for run in by_dialogue]), labels)
    for name in METRICS:
        interval = estimate.interval(name)
        row.scores[name] = Score(float(estimate.score[name]), interval.low, interval.high)
    return Scored(row, measured_by(named))


def _answers(run: Run, part: View, dataset: Dataset) -> Codes | None:
    """Positions of the answers among the labels, one a test utterance, K for none usable; None without scores."""
    places = dict(zip(part.targets, part.places.tolist(), strict=True))
    codes = np.full(int(part.places.max()) + 1, NONE, np.int16)
    for prediction in iterate_predictions(predictions_path(run.folder)):
        if prediction.label is not None and not prediction.scores:
            return None
        if prediction.target in places:
            codes[places[prediction.target]] = _best_emotion(prediction, dataset.labels)
    return codes


def _best_emotion(prediction: Prediction, labels: LabelSet) -> int:
    scores: Mapping[str, float] = prediction.scores or {}
    known = [label for label in labels.emotions if label in scores]
    return labels.index(max(known, key=scores.__getitem__)) if known else len(labels)
