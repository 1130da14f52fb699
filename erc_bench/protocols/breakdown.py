"""The rows of a section by phenomenon: the score of each on the utterances of each group, with support and interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet
from erc_bench.protocols.phenomena import PHENOMENA, Phenomenon
from erc_bench.protocols.rows import Breakdown, Score
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.views import View
from erc_bench.records.groups import NamedGroup
from erc_bench.scoring.catalogue import MICRO_F1, ranking_metric
from erc_bench.scoring.limits import measured
from erc_bench.scoring.metric import Margins, Metric
from erc_bench.scoring.metrics import pooled

OTHERS = "any other label"


@dataclass(frozen=True, eq=False)
class Group:
    """The utterances of one group: `support` of them, in `dialogues` dialogues, and how they are scored.

    `inside` (N,) marks the utterances of the view that are scored. Where `label` is set these are all, and it is that label
    against the others; `labels` are then these two.
    """

    name: str
    support: int
    dialogues: int
    metric: Metric
    labels: LabelSet
    inside: NDArray[np.bool_]
    label: int | None = None

    def view(self, whole: View) -> View:
        """The part of a view that is scored; its dialogues are those of the whole."""
        kept = np.flatnonzero(self.inside)
        return replace(
            whole,
            targets=tuple(whole.targets[place] for place in kept),
            gold=tuple(whole.gold[place] for place in kept),
            gold_codes=whole.gold_codes[kept],
            places=whole.places[kept],
            dialogue_index=whole.dialogue_index[kept],
        )

    def counts(self, confusions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Confusion counts (..., K, K + 1) of that part as it is scored: as they are, or one label against the others."""
        if self.label is None:
            return confusions
        place, whole = self.label, confusions.sum(axis=(-1, -2))
        gold, answered = confusions[..., place, :].sum(axis=-1), confusions[..., place].sum(axis=-1)
        hits, lost, unusable = (
            confusions[..., place, place],
            confusions[..., place, -1],
            confusions[..., -1].sum(axis=-1),
        )
        others = whole - gold - (answered - hits) - (unusable - lost)
        cells = [[others, answered - hits, unusable - lost], [gold - hits - lost, hits, lost]]
        return np.stack([np.stack(row, axis=-1) for row in cells], axis=-2)


def groups_of(phenomenon: Phenomenon, dataset: Dataset, view: View, metric: Metric | None = None) -> list[Group]:
    """The groups that hold any utterance of a view, scored by the metric that ranks the dataset or by another.

    A group that is a label has its F1, whatever the metric.
    """
    codes = phenomenon.codes(dataset)[view.places]
    found, every = [], np.ones(len(view), np.bool_)
    for place, name in enumerate(phenomenon.names(dataset.labels)):
        members = codes == place
        support = int(members.sum())
        if not support:
            continue
        dialogues = len(np.unique(view.dialogue_index[members]))
        if not phenomenon.groups:
            pair = LabelSet((OTHERS, name), neutral=OTHERS)
            found.append(Group(name, support, dialogues, MICRO_F1, pair, every, place))
        else:
            chosen = metric or ranking_metric(dataset)
            found.append(Group(name, support, dialogues, chosen, dataset.labels, members))
    return found


def breakdowns(runs: DatasetRuns, rows: Sequence[NamedGroup], view: View) -> tuple[Breakdown, ...]:
    """Every phenomenon that tells utterances of a view apart, for rows that cover it."""
    found = []
    for phenomenon in PHENOMENA.values():
        if phenomenon.applies_to(runs.dataset):
            groups = groups_of(phenomenon, runs.dataset, view)
            if len(groups) > 1:
                found.append(_breakdown(phenomenon, groups, runs, rows, view))
    return tuple(found)


def _breakdown(
    phenomenon: Phenomenon, groups: Sequence[Group], runs: DatasetRuns, rows: Sequence[NamedGroup], view: View
) -> Breakdown:
    scores: dict[str, list[Score]] = {named.title: [] for named in rows}
    counted: dict[int, list[NDArray[np.int64]]] = {}  # the labels share one choice of utterances
    for group in groups:
        if id(group.inside) not in counted:
            part = group.view(view)
            counted[id(group.inside)] = [runs.margins(part, named.group)[0] for named in rows]
        for named, columns in zip(rows, counted[id(group.inside)], strict=True):
            scores[named.title].append(_score(group, columns))
    return Breakdown(
        phenomenon.name,
        phenomenon.meaning,
        groups[0].metric,
        tuple(group.name for group in groups),
        tuple(group.support for group in groups),
        tuple(group.dialogues for group in groups),
        {title: tuple(by_group) for title, by_group in scores.items()},
    )


def _score(group: Group, columns: NDArray[np.int64]) -> Score:
    """The score of a row on a group from its margins (D, S, 3K + 1) there."""
    labels = group.labels
    if group.label is not None:  # its F1 needs no more than its own counts
        columns, labels = pooled(columns, [group.label]), LabelSet((group.name,), neutral=None)
    total = columns.sum(axis=0)
    whole, without = Margins.of(total, labels), Margins.of(total - columns, labels)
    found = measured(group.metric, whole, without)
    return Score(found.value, *found.interval(), found.deviation)
