"""How much faster the bootstrap is than a loop over the same resamples that calls scikit-learn.

A board of 50 rows on 1,000 test dialogues (7,740 utterances) with 10,000 resamples each. The loop does what one would
write first: gather the utterances of the drawn dialogues and ask scikit-learn for the three scores of the board. It is
timed on a few resamples of one row and scaled; on those both must agree to 1e-9.

    python tests/benchmarks/bench_bootstrap.py
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from erc_bench.data.dailydialog import LABELS
from erc_bench.scoring.bootstrap import estimates
from erc_bench.scoring.resampling import RESAMPLES, resample_weights

K = len(LABELS)
ROWS = 50
DIALOGUES = 1_000
UTTERANCES = 7_740
TIMED_RESAMPLES = 20
METRICS = ("micro_f1", "macro_f1", "mcc")
FREQUENCIES = np.array([6321, 118, 47, 17, 1019, 102, 116]) / UTTERANCES


@dataclass(frozen=True)
class Result:
    """Seconds for the whole board, and the largest difference between the two ways."""

    ours: float
    loop: float
    difference: float

    @property
    def ratio(self) -> float:
        return self.loop / self.ours


def scikit_learn_scores(gold: NDArray[np.int64], predicted: NDArray[np.int64]) -> list[float]:
    from sklearn.metrics import f1_score, matthews_corrcoef

    emotions = list(range(1, K))
    return [
        100 * float(f1_score(gold, predicted, labels=emotions, average="micro", zero_division=0)),
        100 * float(f1_score(gold, predicted, labels=emotions, average="macro", zero_division=0)),
        float(matthews_corrcoef(gold, predicted)),
    ]


def measure(board_rows: int = ROWS, timed: int = TIMED_RESAMPLES) -> Result:
    """Time both ways on made-up predictions; the time of drawing the resamples counts as ours."""
    generator = np.random.default_rng(0)
    dialogue = np.sort(
        np.concatenate([np.arange(DIALOGUES), generator.integers(DIALOGUES, size=UTTERANCES - DIALOGUES)])
    )
    gold = generator.choice(K, UTTERANCES, p=FREQUENCIES)
    answers = np.where(
        generator.random((board_rows, UTTERANCES)) < 0.7, gold, generator.choice(K + 1, (board_rows, UTTERANCES))
    )
    runs = [
        np.bincount((dialogue * K + gold) * (K + 1) + answer, minlength=DIALOGUES * K * (K + 1)).reshape(
            DIALOGUES, K, K + 1
        )
        for answer in answers
    ]

    start = time.perf_counter()
    weights = resample_weights(DIALOGUES)
    rows = estimates([[run] for run in runs], LABELS, weights)
    for row in rows:
        for metric in METRICS:
            row.interval(metric), row.replicates[metric]
    ours = time.perf_counter() - start

    utterances = np.split(np.arange(UTTERANCES), np.flatnonzero(np.diff(dialogue)) + 1)
    scikit_learn_scores(gold, answers[0])  # the first call imports scikit-learn
    start = time.perf_counter()
    expected = []
    for drawn in islice(weights, timed):
        chosen = np.concatenate([utterances[index] for index in np.repeat(np.arange(DIALOGUES), drawn)])
        expected.append(scikit_learn_scores(gold[chosen], answers[0][chosen]))
    loop = (time.perf_counter() - start) / timed * RESAMPLES * board_rows

    found = np.stack([rows[0].replicates[metric][:timed] for metric in METRICS], axis=1)
    return Result(ours, loop, float(np.abs(found - np.array(expected)).max()))


LIMITS = {"times_loop": (">=", 100.0)}


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Seconds of both ways, their ratio, and how far they are apart."""
    result = measure(board_rows=2, timed=2) if tiny else measure()
    return {
        "our_seconds": result.ours,
        "loop_seconds": result.loop,
        "times_loop": result.ratio,
        "largest_difference": result.difference,
    }


def main() -> None:
    result = measure()
    sys.stdout.write(
        f"bootstrap of {ROWS} rows, {RESAMPLES:,} resamples: {result.ours:.2f} s\n"
        f"scikit-learn loop, scaled from {TIMED_RESAMPLES} resamples: {result.loop:,.0f} s\n"
        f"ratio {result.ratio:,.0f}, largest difference {result.difference:.1e}\n"
    )


if __name__ == "__main__":
    main()
