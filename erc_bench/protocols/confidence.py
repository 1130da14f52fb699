"""Calibration and risk-coverage of the rows of a section, from the scores that their runs gave to their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from erc_bench.protocols.rows import Row, Sureness, spread_over
from erc_bench.protocols.views import View
from erc_bench.records.answers import Codes
from erc_bench.records.confidences import Confidences
from erc_bench.scoring import calibration
from erc_bench.scoring.catalogue import AURC, ECE


def with_confidences(row: Row, view: View, answers: Sequence[Codes], sure: Sequence[Confidences | None]) -> Row:
    """The row with how well each seed knew when it was right; as it is where a seed gave no scores.

    The calibration error is of probabilities only; any scores say which answers are surest.
    """
    found = [each for each in sure if each is not None]
    if len(found) < len(sure):
        return row
    pairs = [
        (each.values[view.places], given[view.places] == view.gold_codes)
        for each, given in zip(found, answers, strict=True)
    ]
    curves = [calibration.risks(*pair) for pair in pairs]
    scores = {AURC.name: spread_over(np.array([calibration.area(each) for each in curves]))}
    bins = None
    if all(each.probabilities for each in found):
        by_seed = [calibration.reliability(*pair) for pair in pairs]
        bins = calibration.pooled(by_seed)
        scores[ECE.name] = spread_over(np.array([each.error for each in by_seed]))
    risk: NDArray[np.float64] = np.mean([calibration.curve(each) for each in curves], axis=0)
    return replace(row, scores=row.scores | scores, sureness=Sureness(bins, risk))
