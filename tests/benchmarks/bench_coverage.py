"""How often 95% intervals hold the true score, on real data: the share of test sets, and on which side the others miss.

The training dialogues of DailyDialog are the population. `tfidf-logreg` labels each fifth of them, trained on the other
four; scored on all of them, its labels have the true scores. Test sets of 1,000 dialogues are drawn, and each method
gives its interval on each: percentiles of 10,000 resamples, bias-corrected and accelerated ones at Student's quantiles,
Wald's on the logit with the jackknife's variance, and those of erc_bench.scoring.limits.

    python tests/benchmarks/bench_coverage.py [--data-dir FOLDER] [--test-sets 400] [--last]
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet, targets_of
from erc_bench.contract.registry import system_class
from erc_bench.data import load_dataset
from erc_bench.progress import SilentProgress
from erc_bench.scoring.bootstrap import Estimate, estimate
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.limits import degrees_of_freedom, influences, student_quantile
from erc_bench.scoring.metrics import scores
from erc_bench.scoring.resampling import RESAMPLES, resample_weights

SYSTEM = "tfidf-logreg"
FOLDS = 5
DIALOGUES = 1_000
Counts = NDArray[np.int64]
Limits = tuple[float, float]


@dataclass(frozen=True)
class Coverage:
    """Shares of the test sets whose interval held the truth, lay below it, and lay above it; and the mean width."""

    held: float
    below: float
    above: float
    width: float


def population(dataset: Dataset, *, last: bool = False) -> Counts:
    """Confusion counts of the training dialogues, each labelled by a system that was trained without it: (D, K, K + 1)."""
    size = len(dataset.labels)
    counts = np.zeros((len(dataset.train), size, size + 1), np.int64)
    places = {dialogue.id: place for place, dialogue in enumerate(dataset.train)}
    for fold in range(FOLDS):
        system = system_class(SYSTEM)(labels=dataset.labels)
        trained = [dialogue for place, dialogue in enumerate(dataset.train) if place % FOLDS != fold]
        held_out = dataset.train[fold::FOLDS]
        system.fit(trained, dataset.validation, seed=0, progress=SilentProgress())
        targets = targets_of(held_out, "last" if last else "all")
        for found in system.predict(held_out, targets, progress=SilentProgress()):
            gold = dataset.train[places[found.dialogue]].utterances[found.turn].label
            answer = size if found.label is None else dataset.labels.index(found.label)
            counts[places[found.dialogue], dataset.labels.index(str(gold)), answer] += 1
    return counts


def percentile(found: Estimate, metric: str) -> Limits:
    low, high = np.quantile(found.replicates[metric], (0.025, 0.975))
    return float(low), float(high)


def accelerated(found: Estimate, metric: str) -> Limits:
    """BCa (Efron 1987) at Student's quantiles: what the board had before."""
    normal, replicates, value = NormalDist(), found.replicates[metric], found.score[metric]
    count = len(replicates)
    below = float((replicates < value).sum() + (replicates <= value).sum()) / (2 * count)
    bias = normal.inv_cdf(min(max(below, 0.5 / count), 1 - 0.5 / count))
    moved = influences(found.leave_one_out[metric])
    variance = float((moved**2).sum())
    acceleration = float((moved**3).sum()) / (6 * variance**1.5) if variance > 0 else 0.0
    reach = student_quantile(0.975, degrees_of_freedom(moved))
    levels = []
    for shift in (bias - reach, bias + reach):
        slope = 1 - acceleration * shift
        levels.append(normal.cdf(bias + shift / slope) if slope > 0 else float(shift > 0))
    low, high = np.quantile(replicates, levels)
    return float(low), float(high)


def logit_wald(found: Estimate, metric: str) -> Limits:
    first, last = METRICS[metric].limits
    share = (found.score[metric] - first) / (last - first)
    moved = influences(found.leave_one_out[metric])
    if not 0 < share < 1:
        return found.score[metric], found.score[metric]
    error = np.sqrt(float((moved**2).sum())) / (last - first) / (share * (1 - share))
    reach = student_quantile(0.975, degrees_of_freedom(moved)) * error
    low, high = (first + (last - first) / (1 + np.exp(-np.log(share / (1 - share)) - s)) for s in (-reach, reach))
    return float(low), float(high)


METHODS: dict[str, Callable[[Estimate, str], Limits]] = {
    "percentile": percentile,
    "BCa, Student's quantiles": accelerated,
    "Wald on the logit": logit_wald,
    "used": lambda found, metric: found.interval(metric),
}


def measure(
    counts: Counts, labels: LabelSet, *, test_sets: int, dialogues: int = DIALOGUES, resamples: int = RESAMPLES
) -> dict[tuple[str, str], Coverage]:
    """Coverage by method and metric."""
    truth = {name: float(value) for name, value in scores(counts.sum(axis=0), labels).items()}
    generator = np.random.default_rng(7)
    limits: dict[tuple[str, str], list[Limits]] = defaultdict(list)
    for test_set in range(test_sets):
        drawn = counts[generator.integers(len(counts), size=dialogues)]
        found = estimate([drawn], labels, resample_weights(dialogues, resamples=resamples, seed=test_set))
        for method, limits_of in METHODS.items():
            for metric in METRICS:
                limits[method, metric].append(limits_of(found, metric))
    return {key: _coverage(np.array(ends), truth[key[1]]) for key, ends in limits.items()}


def _coverage(ends: NDArray[np.float64], truth: float) -> Coverage:
    low, high = ends.T
    below, above = float((high < truth).mean()), float((low > truth).mean())
    return Coverage(1 - below - above, below, above, float((high - low).mean()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--test-sets", type=int, default=400)
    parser.add_argument("--last", action="store_true", help="score the last utterance of each dialogue only")
    options = parser.parse_args()
    dataset = load_dataset("dailydialog", data_dir=options.data_dir)
    found = measure(population(dataset, last=options.last), dataset.labels, test_sets=options.test_sets)
    for (method, metric), each in found.items():
        sys.stdout.write(
            f"{method:26}{metric:18}held {each.held:6.1%}, truth above {each.below:5.1%}, below {each.above:5.1%}, "
            f"width {each.width:.3f}\n"
        )


if __name__ == "__main__":
    main()
