"""Rows of the protocol `few-shot`: a section for each number of examples of the label that training never saw."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet
from erc_bench.errors import DataError
from erc_bench.protocols.few_shot.episodes import EPISODES, SHOTS, FewShotCounts, chance_confusion
from erc_bench.protocols.few_shot.evidence import FEW_SHOT_FILE, run_counts, write_evidence
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.rows import EPISODES as DRAWN
from erc_bench.protocols.rows import Column, Layout, Row, Score, Section, control_row, row_of_runs
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.views import gold_positions
from erc_bench.records.groups import source_of
from erc_bench.records.record import RunRecord
from erc_bench.scoring import metrics
from erc_bench.scoring.catalogue import CORRECTED, MACRO_F1, MICRO_F1, WITHHELD_F1

if TYPE_CHECKING:
    from erc_bench.contract.system import System
    from erc_bench.progress import Progress
    from erc_bench.records.groups import RunGroup
    from erc_bench.records.record import Run

CHANCE = "chance: one of all labels at random"
SCORES = (WITHHELD_F1, MACRO_F1, MICRO_F1)
SHOWN = (WITHHELD_F1, CORRECTED.of(WITHHELD_F1), MICRO_F1, MACRO_F1)
# Two-sided 95% quantile of the normal distribution: there are at least 50 episodes in every mean.
QUANTILE_95 = 1.959964


@dataclass(frozen=True, eq=False)
class _Evidence:
    """One run and its episodes."""

    record: RunRecord
    counts: FewShotCounts


class FewShot(Protocol):
    """Labels withheld from training one after the other, for systems that learn and embed."""

    name = "few-shot"
    meaning = (
        "One emotion’s labels are withheld from training, each in turn; at test time it is known by a few examples "
        "only. Every utterance gets the label of the nearest prototype; corrected: with distances corrected for the number of "
        "examples. Scores are means over the emotions withheld in turn; micro and macro F1 run over all emotions, the withheld "
        "one included. Brackets here: 95% intervals over the drawn examples only, with the same test set and model."
    )
    ranked = False
    evidence_files = (FEW_SHOT_FILE,)

    def covers(self, group: RunGroup) -> bool:
        """Whether a label was withheld."""
        return group.record.withheld is not None

    def sections(self, runs: DatasetRuns, subsets: Collection[str] | None = None) -> list[Section]:
        """One section for each number of examples ("1 example", "5 examples", …): a row a system, and chance.

        `per_label` of a row has, for each label that was withheld in turn, the `precision`, `recall` and `f1` (percent)
        that the label reached in the runs that never saw it, with `low` and `high` (95% interval of the F1), its
        `support`, and `macro_f1` and `micro_f1` over all emotions, the withheld one included, in those runs. `scores`
        has `withheld_f1`, `macro_f1` and `micro_f1`, each the mean over the withheld labels with its 95% interval.
        Beside each of these stands the one from distances corrected for the number of examples (`withheld_f1_corrected`
        and so on; see `erc_bench.protocols.few_shot.episodes`). A row that lacks some of the emotions is flagged.

        Intervals are of the mean over episodes: normal, cut at 0 and 100. What varies in them is the examples drawn; test
        set and models stay. The seeds of a label share the draws of examples, so that an episode counts once, with the
        mean of its seeds.
        """
        dataset = runs.dataset
        rows: dict[int, list[Row]] = {shot: [] for shot in SHOTS if subsets is None or subset_of(shot) in subsets}
        for title, evidence in self._by_title(runs).items():
            for shot, found in rows.items():
                held = [one for one in evidence if shot in one.counts.confusions]
                if held:
                    found.append(self._row(title, held, shot, dataset))
        return [self._section(shot, found, dataset) for shot, found in rows.items() if found]

    def _section(self, shot: int, found: Sequence[Row], dataset: Dataset) -> Section:
        rows = sorted(found, key=lambda row: (-row.scores[WITHHELD_F1.name].value, row.title))
        return Section(
            dataset.name,
            self.name,
            subset_of(shot),
            len(dataset.test),
            sum(map(len, dataset.test)),
            (*rows, self._chance(shot, dataset)),
            metrics=SHOWN,
            layout=layout_of(shot, dataset.labels),
        )

    def _by_title(self, runs: DatasetRuns) -> dict[str, list[_Evidence]]:
        """Runs with a withheld label, by the title that their system and settings would have without it."""
        found: dict[str, list[_Evidence]] = {}
        for named in runs.rows:
            record = named.group.record
            if record.withheld is None:
                continue
            runs.check(named.group)
            title = record.model_copy(update={"withheld": None}).title
            found.setdefault(title, []).extend(
                _Evidence(run.record, run_counts(run.folder, runs.dataset, record.withheld)) for run in named.group.runs
            )
        return found

    def _row(self, title: str, evidence: Sequence[_Evidence], shot: int, dataset: Dataset) -> Row:
        by_label = {
            label: sorted((one for one in evidence if one.counts.withheld == label), key=lambda one: one.record.seed)
            for label in dataset.labels.emotions
        }
        missing = [label for label, held in by_label.items() if not held]
        by_label = {label: held for label, held in by_label.items() if held}
        episodes = {label: _values(held, shot, label, dataset.labels) for label, held in by_label.items()}
        return replace(
            row_of_runs(title, [one.record for one in evidence], self.name, subset_of(shot)),
            source=_source({label: [one.record for one in held] for label, held in by_label.items()}),
            scores={
                metric.name: _mean_of_labels([values[metric.name] for values in episodes.values()])
                for metric in (*SCORES, *map(CORRECTED.of, SCORES))
            },
            per_label={label: _of_label(values) for label, values in episodes.items()},
            drawn=DRAWN,
            flags=(f"without {', '.join(missing)}",) if missing else (),
            notes=(_note([len(held) for held in by_label.values()]),),
        )

    def _chance(self, shot: int, dataset: Dataset) -> Row:
        labels = dataset.labels
        confusion = chance_confusion(gold_positions(dataset), labels)
        found, by_label = metrics.scores(confusion, labels), metrics.per_label(confusion, labels)
        per_label = {
            label: {name: float(values[labels.index(label)]) for name, values in by_label.items()}
            for label in labels.emotions
        }
        means = {name: float(value) for name, value in found.items()}
        means[WITHHELD_F1.name] = float(np.mean([values["f1"] for values in per_label.values()]))
        summary = "Expected scores of an answer drawn uniformly from all labels"
        return replace(
            control_row(CHANCE, summary, dataset.name, self.name, subset_of(shot)),
            # A guess knows no distances: both readings expect the same of it.
            scores={
                read.name: Score(means[metric.name]) for metric in SCORES for read in (metric, CORRECTED.of(metric))
            },
            per_label=per_label,
        )

    def derive(self, run: Run, dataset: Dataset, system: System[Any], progress: Progress) -> None:
        """Embed the training split and keep the counts of all episodes; its embeddings are not kept."""
        if run.record.withheld is not None:
            write_evidence(run.folder, dataset, run.record.withheld, system, progress)

    def differences(self, run: Run, dataset: Dataset) -> Iterator[str]:
        """What is wrong with the counts of episodes; the training embeddings behind them are not kept."""
        if run.record.withheld is None and not (run.folder / FEW_SHOT_FILE).is_file():
            return
        try:
            run_counts(run.folder, dataset, run.record.withheld)
        except DataError as error:
            yield str(error)


def subset_of(shot: int) -> str:
    """The name of the section of that many examples: `1 example`, `5 examples`."""
    return f"{shot} example{'s' if shot > 1 else ''}"


def layout_of(shot: int, labels: LabelSet) -> Layout:
    """The columns of that section: the withheld label in both readings, each emotion, and all of them."""
    return Layout(
        (
            Column("withheld F1", WITHHELD_F1),
            Column("withheld F1, corrected", CORRECTED.of(WITHHELD_F1)),
            *(Column(f"F1 of {label}", label=label) for label in labels.emotions),
            Column(MACRO_F1.words, MACRO_F1),
        ),
        facts=("seeds", "flags"),
        subset=("examples", f"{shot}"),
    )


def _source(records: Mapping[str, Sequence[RunRecord]]) -> str:
    """The command that makes the runs of all withheld labels again; several where seeds or settings differ."""
    commands = {label: source_of(seeds) for label, seeds in records.items()}
    options = {label: f' --withhold "{label}"' if " " in label else f" --withhold {label}" for label in records}
    plain = {command.removesuffix(options[label]) for label, command in commands.items()}
    if len(plain) == 1 and not any(option in command for command in plain for option in options.values()):
        return "".join([*plain, *options.values()])
    return "; ".join(commands.values())


def _note(seeds: Sequence[int]) -> str:
    note = f"{EPISODES} episodes for each withheld label"
    if max(seeds) == 1:
        return note
    count = f"{seeds[0]}" if len(set(seeds)) == 1 else f"{min(seeds)} to {max(seeds)}"
    return f"{note}, an episode is the mean of {count} seeds that share its examples"


def _values(evidence: Sequence[_Evidence], shot: int, label: str, labels: LabelSet) -> dict[str, NDArray[np.float64]]:
    """Scores of one withheld label, each float64 (episodes,), the mean over seeds."""
    found: dict[str, NDArray[np.float64]] = {}
    for reading in ("", f"_{CORRECTED.suffix}"):
        confusions = np.stack([(one.counts.corrected if reading else one.counts.confusions)[shot] for one in evidence])
        every = metrics.scores(confusions, labels)
        own = metrics.per_label(confusions, labels)
        values = {f"withheld_{name}": column[..., labels.index(label)] for name, column in own.items()}
        values |= every
        found |= {f"{name}{reading}": each.mean(axis=0) for name, each in values.items()}
    return found


def _of_label(values: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    f1 = _mean_of_labels([values[WITHHELD_F1.name]])
    return {
        **{name: float(values[f"withheld_{name}"].mean()) for name in ("precision", "recall", "f1", "support")},
        "low": f1.value if f1.low is None else f1.low,
        "high": f1.value if f1.high is None else f1.high,
        "macro_f1": float(values["macro_f1"].mean()),
        "micro_f1": float(values["micro_f1"].mean()),
        "f1_corrected": float(values[CORRECTED.of(WITHHELD_F1).name].mean()),
    }


def _mean_of_labels(values: Sequence[NDArray[np.float64]]) -> Score:
    """The mean over labels of the mean over episodes (percent); episodes are drawn, labels given."""
    mean = float(np.mean([each.mean() for each in values]))
    variance = sum(each.var(ddof=1) / len(each) for each in values) / len(values) ** 2
    margin = QUANTILE_95 * float(np.sqrt(variance))
    return Score(mean, max(0.0, mean - margin), min(100.0, mean + margin))


FEW_SHOT = FewShot()
