"""Protocols that score the labels of a run: each selects utterances of the test split, and all the rest is the same."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target, Targets
from erc_bench.errors import DataError
from erc_bench.protocols.confidence import with_confidences
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.rows import Row, Score, Section, row_of_runs, with_confusions
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ALL, SUBSETS, Subset, subsets_beside
from erc_bench.protocols.views import View, dialogue_confusions
from erc_bench.records.answers import NONE
from erc_bench.scoring import metrics
from erc_bench.scoring.bootstrap import Estimate
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.kept import kept_estimates
from erc_bench.scoring.resampling import Weights, resample_weights

if TYPE_CHECKING:
    from erc_bench.records.groups import NamedGroup, RunGroup

ANNOTATORS = "second annotation"


class LabelProtocol(Protocol):
    """A choice of test utterances, scored by comparing labels; `turns` is all that a subclass must say."""

    needs: ClassVar[Targets] = "all"
    """What a run must have labelled at least."""
    apart: ClassVar[tuple[str, ...]] = ()
    """Subsets that get a section of their own though they stand in no column beside the whole test split."""

    by_phenomenon: ClassVar[bool] = True
    """Whether what counts depends on the dataset alone, so that it can be cut into phenomena."""

    @abstractmethod
    def turns(self, dialogue: Dialogue, labels: LabelSet) -> Sequence[int]:
        """The turns of a labelled dialogue that count, from 0, in order."""

    def applies_to(self, dataset: Dataset) -> bool:
        """Whether any test utterance counts."""
        return any(self.turns(dialogue, dataset.labels) for dialogue in dataset.test)

    def covers(self, group: RunGroup) -> bool:
        """Whether the runs labelled what counts, and were trained on the corpus with every label."""
        return group.record.ordinary and group.record.targets in ("all", self.needs)

    def view(self, dataset: Dataset, subset: Subset = ALL, labels: LabelSet | None = None) -> View:
        """The test utterances of a dataset that count.

        Parameters
        ----------
        labels
            Those that count, where they are not all of the dataset's; `turns` must then choose utterances that have them.

        Raises
        ------
        DataError
            A test utterance without a label, or a subset without any utterance that counts.
        """
        known = labels or dataset.labels
        dialogues = [dialogue for dialogue in subset.dialogues(dataset) if len(dialogue)]
        lengths = [len(dialogue) for dialogue in dataset.test]
        first = dict(zip((dialogue.id for dialogue in dataset.test), np.cumsum([0, *lengths]).tolist(), strict=False))
        targets: list[Target] = []
        gold: list[str] = []
        index: list[int] = []
        for position, dialogue in enumerate(dialogues):
            for turn in self.turns(dialogue, known):
                targets.append(Target(dialogue.id, turn))
                gold.append(_gold(dialogue, turn))
                index.append(position)
        if not targets:
            raise DataError(
                f"the subset {subset.name} of {dataset.name} must hold at least one utterance of the protocol {self.name}, "
                "got none."
            )
        return View(
            self.name,
            subset.name,
            tuple(dialogue.id for dialogue in dialogues),
            tuple(targets),
            tuple(gold),
            metrics.label_indices(gold, known),
            np.array([first[target.dialogue] + target.turn for target in targets], np.intp),
            np.array(index, np.intp),
            known,
            None if labels is None else _codes(dataset.labels, labels),
        )

    def sections(self, runs: DatasetRuns, subsets: Collection[str] | None = None) -> list[Section]:
        """A section a subset: `scores` of a row have the mean over seeds with its interval over dialogues.

        Without `subsets` there is none for a subset without dialogues, nor a table of its own for a single one.
        """
        covered = [named for named in runs.rows if self.covers(named.group)]
        if not covered:
            return []
        runs.read([named.group for named in covered])
        shown = {subset.name for subset in (ALL, *subsets_beside())} | set(self.apart)
        return [
            self.section(runs, covered, self.view(runs.dataset, subset), subset)
            for subset in SUBSETS.values()
            if (subset.name in subsets if subsets is not None else subset.name in shown and self._any(runs, subset))
        ]

    def _any(self, runs: DatasetRuns, subset: Subset) -> bool:
        """Whether a subset has dialogues that count: for a table of its own at least two, since intervals need two."""
        labels = runs.dataset.labels
        found = sum(bool(self.turns(dialogue, labels)) for dialogue in subset.dialogues(runs.dataset))
        return found >= (1 if subset.beside else 2)

    def section(self, runs: DatasetRuns, covered: Sequence[NamedGroup], part: View, subset: Subset) -> Section:
        """The section of some rows on some utterances of a subset."""
        labels = part.labels
        weights = resample_weights(len(part.dialogues))
        counts = [runs.margins(part, named.group) for named in covered]
        found = kept_estimates([margins for margins, _ in counts], labels, weights)
        rows = [
            _row(part, named, estimated, by_seed, labels)
            for named, estimated, (_, by_seed) in zip(covered, found, counts, strict=True)
        ]
        if labels == runs.dataset.labels:
            rows = [
                with_confidences(row, part, runs.answers(named.group), runs.confidences(named.group))
                for row, named in zip(rows, covered, strict=True)
            ]
        if subset.annotated is not None:
            rows.insert(0, _annotators_row(runs.dataset, part, subset.annotated(runs.dataset), weights))
        return Section(
            runs.dataset.name,
            part.protocol,
            part.subset,
            len(part.dialogues),
            len(part),
            tuple(rows),
            {named.title: estimated for named, estimated in zip(covered, found, strict=True)},
            ranked=subset.beside,
        )


def _codes(every: LabelSet, counting: LabelSet) -> NDArray[np.intp]:
    """The position among the labels that count of every label and of an unusable answer; all others are as wrong as that."""
    names = counting.names
    return np.array(
        [*(names.index(name) if name in names else len(names) for name in every.names), len(names)], np.intp
    )


def _gold(dialogue: Dialogue, turn: int) -> str:
    label = dialogue.utterances[turn].label
    if label is None:
        raise DataError(f"turn {turn} of {dialogue.id} must have a gold label, got none. Score labelled dialogues.")
    return label


def _annotators_row(dataset: Dataset, part: View, answers: Mapping[Target, str], weights: Weights) -> Row:
    """What the labels that people gave a second time score as answers."""
    labels = dataset.labels
    answered = np.full(int(part.places.max()) + 1, NONE, np.int16)
    answered[part.places] = metrics.label_indices([answers[target] for target in part.targets], labels)
    confusions = dialogue_confusions(part, answered, labels)
    (found,) = kept_estimates([metrics.row_margins([confusions])], labels, weights)
    total = confusions.sum(axis=0)
    row = Row(
        ANNOTATORS,
        dataset.name,
        part.protocol,
        part.subset,
        "annotation",
        "the labels of the same dialogues in the training split",
        summary="the second annotation of dialogues that stand in the training split, scored like the answers of a system",
    )
    scores = {name: _score(found, name) for name in METRICS}
    return replace(with_confusions(row, total[None], labels), scores=scores)


def _row(part: View, named: NamedGroup, found: Estimate, by_seed: NDArray[np.int64], labels: LabelSet) -> Row:
    records = [run.record for run in named.group.runs]
    row = with_confusions(row_of_runs(named.title, records, part.protocol, part.subset), by_seed, labels)
    folded: dict[str, float] = {}
    if labels.neutral is not None and by_seed[..., -1].any():
        as_neutral = metrics.scores(metrics.unusable_as_neutral(by_seed, labels), labels)
        folded = {name: float(values.mean()) for name, values in as_neutral.items()}
    empty = metrics.without_support(by_seed.sum(axis=0), labels)
    return replace(
        row,
        scores={name: _score(found, name) for name in METRICS},
        unusable_as_neutral=folded,
        # The macro F1 is a mean over the emotions: a neutral label that nothing has costs nothing there.
        without_support=tuple(label for label in empty if label in labels.emotions),
        train_seconds=_mean([record.timings.get("train") for record in records]),
        utterances_per_second=_mean([record.utterances_per_second for record in records]),
        notes=tuple(dict.fromkeys(note for record in records for note in record.notes)),
    )


def _score(found: Estimate, name: str) -> Score:
    interval = found.interval(name)
    deviation = None if found.deviation is None else float(found.deviation[name])
    return Score(float(found.score[name]), interval.low, interval.high, deviation)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
