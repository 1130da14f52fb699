"""The metrics: one entry each. Boards, files, `compare`, `verify` and pictures follow (docs/adding-a-metric.md).

Packages add theirs through the entry-point group `erc_bench.metrics`.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterator, Mapping
from pickle import PicklingError

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import METRIC_GROUP, origin_of, registered
from erc_bench.errors import DataError, UnknownNameError
from erc_bench.scoring.metric import CORRELATION, SHARE, Margins, Metric, Reading, ratio

EMOTIONS = "the emotions"
ALL_LABELS = "all labels"


def _micro_f1(counts: Margins) -> NDArray[np.float64]:
    emotions = counts.emotions
    total = counts.gold[..., emotions].sum(axis=-1) + counts.predicted[..., emotions].sum(axis=-1)
    return 100 * ratio(2 * counts.hits[..., emotions].sum(axis=-1), total)


def _mcc(counts: Margins) -> NDArray[np.float64]:
    """Gorodkin 2004, over all labels and the unusable class, as in scikit-learn."""
    covariance = counts.correct * counts.total - counts.agreement_by_chance
    gold_variance = counts.total**2 - (counts.gold**2).sum(axis=-1)
    predicted_variance = counts.total**2 - (counts.predicted**2).sum(axis=-1)
    # The product of two rounded roots can be smaller than the covariance by its last digit.
    return np.clip(ratio(covariance, np.sqrt(gold_variance) * np.sqrt(predicted_variance)), -1, 1)


MICRO_F1 = Metric("micro_f1", "micro F1", EMOTIONS, _micro_f1, pooled=True)
MACRO_F1 = Metric(
    "macro_f1",
    "macro F1",
    EMOTIONS,
    lambda counts: np.asarray(counts.f1[..., counts.emotions].mean(axis=-1)),
    parts=lambda counts: (counts.f1[..., counts.emotions], counts.f1_sizes[..., counts.emotions]),
)
UNUSABLE_RATE = Metric(
    "unusable_rate",
    "unusable answers",
    "all answers",
    lambda counts: ratio(counts.predicted[..., -1], counts.total),
    SHARE,
    higher_is_better=False,
)
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        MICRO_F1,
        MACRO_F1,
        Metric("mcc", "MCC", f"{ALL_LABELS} and the unusable answers", _mcc, CORRELATION, headline=True),
        Metric(
            "macro_f1_all",
            "macro F1, all labels",
            ALL_LABELS,
            lambda counts: np.asarray(counts.f1.mean(axis=-1)),
            parts=lambda counts: (counts.f1, counts.f1_sizes),
        ),
        Metric(
            "weighted_f1_all",
            "weighted F1, all labels",
            ALL_LABELS,
            lambda counts: ratio((counts.f1 * counts.gold).sum(axis=-1), counts.total),
            beside=("accuracy", "macro_f1", "micro_f1"),
        ),
        Metric("accuracy", "accuracy", ALL_LABELS, lambda counts: 100 * ratio(counts.correct, counts.total)),
        UNUSABLE_RATE,
    )
}


def _of_packages() -> Iterator[Metric]:
    for name, point in sorted(registered(METRIC_GROUP).items()):
        where = f"{point.value} of {origin_of(point)}"
        try:
            metric = point.load()
        except (Exception, SystemExit) as error:
            raise DataError(
                f"the metric {name} cannot be imported from {where}: {type(error).__name__}: {error}. Reinstall that "
                "package or report it to its authors."
            ) from error
        if not isinstance(metric, Metric) or metric.of is None or metric.name != name or name in METRICS:
            raise DataError(
                f"{where} must be a Metric with a function and the name {name!r}, which no other metric has, got "
                f"{metric!r}. Report it to its authors or remove that package."
            )
        yield metric


METRICS |= {metric.name: metric for metric in _of_packages()}

# Scores that a protocol computes from more than the counts of one run.
TIE_RATE = Metric("tie_rate", "ties", "all triplets", None, SHARE, higher_is_better=False)
WITHHELD_F1 = Metric("withheld_f1", "F1 of the withheld label", "the withheld label", None)
ECE = Metric("ece", "calibration error", "all answers", None, SHARE, higher_is_better=False)
AURC = Metric("aurc", "area under risk-coverage", "all answers", None, SHARE, higher_is_better=False)
OF_PROTOCOLS: dict[str, Metric] = {metric.name: metric for metric in (TIE_RATE, WITHHELD_F1, ECE, AURC)}

HALF_TIES = Reading("half_ties", "ties half")
CORRECTED = Reading("corrected", "corrected")
READINGS = (HALF_TIES, CORRECTED)


def find_metric(name: str) -> Metric:
    """The metric of a name: an entry, a score of a protocol, or one of these under a second reading.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    for reading in READINGS:
        base = name.removesuffix(f"_{reading.suffix}")
        if base != name:
            return reading.of(find_metric(base))
    if name not in METRICS and name not in OF_PROTOCOLS:
        raise UnknownNameError("a metric", name, METRICS)
    return METRICS.get(name) or OF_PROTOCOLS[name]


def _sent(metric: Metric) -> tuple[Callable[[str], Metric], tuple[str]]:
    """To another process goes its name alone, because functions cannot; so goes no metric that the name does not mean."""
    if find_metric(metric.name) != metric:
        raise PicklingError(f"{metric.name} must be the metric of that name to be sent to another process")
    return find_metric, (metric.name,)


copyreg.pickle(Metric, _sent)


def ranking_metric(dataset: Dataset | str) -> Metric:
    """The metric that rows on a dataset are ranked by unless the reader chooses another.

    A dataset known by its name only, and to none of the packages installed, is ranked by micro F1.

    Raises
    ------
    UnknownNameError
        The dataset asks for a metric that does not exist.
    """
    if isinstance(dataset, Dataset):
        return find_metric(dataset.ranking_metric)
    from erc_bench.data.registry import dataset_names, dataset_spec

    return find_metric(dataset_spec(dataset).ranking_metric) if dataset in dataset_names() else MICRO_F1


def headline(ranking: Metric = MICRO_F1) -> tuple[Metric, ...]:
    """The columns of a board: the metric that ranks it, those that stand beside it, and those on every board."""
    names = [*ranking.beside, *(metric.name for metric in METRICS.values() if metric.headline)]
    others = (find_metric(name) for name in dict.fromkeys(names) if name != ranking.name)
    return (ranking, *others)


def over_all_labels(ranking: Metric = MICRO_F1) -> tuple[Metric, ...]:
    """What much of the literature reports, the neutral label included, as far as it is no column of the board anyway."""
    shown = {metric.name for metric in headline(ranking)}
    return tuple(metric for metric in METRICS.values() if metric.over == ALL_LABELS and metric.name not in shown)


def in_words(dataset: str, scores: Mapping[str, float]) -> str:
    """The headline scores of a run on a dataset, as far as they are given: `micro F1 57.71, macro F1 42.20, MCC 0.490`."""
    columns = headline(ranking_metric(dataset))
    return ", ".join(
        f"{metric.words} {metric.text(scores[metric.name])}" for metric in columns if metric.name in scores
    )
