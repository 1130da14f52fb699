"""Rows of the protocol `triplet`: every metric space with its controls, never ranked (`docs/triplet-protocol.md`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataError
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.rows import (
    Column,
    Layout,
    Row,
    Score,
    Section,
    control_row,
    row_of_runs,
    spread_over,
    with_confusions,
)
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ALL
from erc_bench.protocols.triplet.counts import TripletCounts, constant_counts, noise_counts, triplet_scores
from erc_bench.protocols.triplet.evidence import TRIPLETS_FILE, read_embeddings, run_counts, write_evidence
from erc_bench.protocols.views import gold_positions
from erc_bench.records.record import EMBEDDINGS_FILE
from erc_bench.scoring.catalogue import HALF_TIES, MACRO_F1, METRICS, MICRO_F1, TIE_RATE, headline

if TYPE_CHECKING:
    from erc_bench.contract.system import System
    from erc_bench.progress import Progress
    from erc_bench.records.groups import NamedGroup, RunGroup
    from erc_bench.records.record import Run

DEGENERATE_TIE_RATE = 0.5
DEGENERATE = "degenerate"
NOISE, CONSTANT = "Gaussian noise", "constant vector"
HALF = {metric.name: HALF_TIES.of(metric) for metric in headline(MICRO_F1)}
SHOWN = (*headline(MICRO_F1), *HALF.values(), TIE_RATE)
LAYOUT = Layout(tuple(Column(metric.words, metric) for metric in SHOWN))


class Triplet(Protocol):
    """Random triplets of test utterances, for systems that embed."""

    name = "triplet"
    meaning = (
        "Random triplets of test utterances, scored as the released SEC code does. Read it beside its controls; "
        "its numbers cannot be compared with those of the other protocols."
    )
    ranked = False
    must_hold = "two utterances or more of each of two labels"
    published_flag = "random triplets"
    evidence_files = (TRIPLETS_FILE,)

    def applies_to(self, dataset: Dataset) -> bool:
        """Whether triplets can be drawn from the test split: at least two labels have two utterances each."""
        return int((np.bincount(gold_positions(dataset)) >= 2).sum()) >= 2

    def covers(self, group: RunGroup) -> bool:
        """Whether every run has embeddings of the whole test split, or what was derived from them."""
        if not group.record.ordinary or group.record.targets != "all":
            return False
        names = (TRIPLETS_FILE, EMBEDDINGS_FILE)
        return all(any((run.folder / name).is_file() for name in names) for run in group.runs)

    def sections(self, runs: DatasetRuns, subsets: Collection[str] | None = None) -> list[Section]:
        """One section: runs that embed, then the controls.

        `scores` of a row are means over all resamplings of all seeds, `deviation` their standard deviation, `apart` its
        parts; there is no interval, since resamplings of one model say nothing of other dialogues or other models. Beside
        each metric stands its value with ties counted half (`micro_f1_half_ties` and so on), and `tie_rate`, a share. Rows
        of controls have `floor` set; a row where most triplets are ties carries the flag "degenerate".
        """
        covered = [named for named in runs.rows if self.covers(named.group)]
        if not covered or (subsets is not None and ALL.name not in subsets):
            return []
        dataset = runs.dataset
        rows = []
        for named in covered:
            runs.check(named.group)
            rows.append(self._of_runs(named, dataset))
        rows += self.controls(dataset)
        rows.sort(key=lambda row: (row.floor, DEGENERATE in row.flags, -row.scores[MICRO_F1.name].value, row.title))
        return [
            Section(
                dataset.name,
                self.name,
                ALL.name,
                len(dataset.test),
                sum(map(len, dataset.test)),
                tuple(rows),
                metrics=SHOWN,
                layout=LAYOUT,
            )
        ]

    def controls(self, dataset: Dataset) -> list[Row]:
        """The rows that need no system: noise, and one vector for every utterance."""
        gold = gold_positions(dataset)
        noise, constant = noise_counts(gold, dataset.labels), constant_counts(gold, dataset.labels)
        return [
            self._scored(control_row(title, f"Control: {what}", dataset.name, self.name, ALL.name), [counts], dataset)
            for title, what, counts in (
                (NOISE, "vectors without information", noise),
                (CONSTANT, "every triplet is a tie", constant),
            )
        ]

    def _of_runs(self, named: NamedGroup, dataset: Dataset) -> Row:
        records = [run.record for run in named.group.runs]
        row = row_of_runs(named.title, records, self.name, ALL.name)
        return self._scored(row, [run_counts(run.folder, dataset) for run in named.group.runs], dataset)

    @staticmethod
    def _scored(row: Row, counts: Sequence[TripletCounts], dataset: Dataset) -> Row:
        labels = dataset.labels
        published = [triplet_scores(found, labels) for found in counts]
        half = [triplet_scores(found, labels, "half") for found in counts]
        values = {name: _spread([each[name] for each in published]) for name in METRICS}
        values |= {tied.name: _spread([each[name] for each in half]) for name, tied in HALF.items()}
        tie_rate = float(np.mean([found.tie_rate for found in counts]))
        row = with_confusions(row, np.concatenate([found.confusions() for found in counts]), labels)
        return replace(
            row,
            scores=values | {TIE_RATE.name: Score(tie_rate)},
            flags=(DEGENERATE,) if tie_rate > DEGENERATE_TIE_RATE else (),
            notes=_notes(counts, dataset, values[MACRO_F1.name]),
        )

    def derive(self, run: Run, dataset: Dataset, system: System[Any], progress: Progress) -> None:
        """Keep the outcomes of triplets, about 10 kB, since the embeddings themselves are too large to commit."""
        if system.embeds and run.record.ordinary and self.applies_to(dataset):
            write_evidence(run.folder, dataset)

    def differences(self, run: Run, dataset: Dataset) -> Iterator[str]:
        """What is wrong with embeddings, and with the outcomes derived from them, recomputed where both are there."""
        embeds = (run.folder / EMBEDDINGS_FILE).is_file()
        try:
            if not (run.folder / TRIPLETS_FILE).is_file():
                if embeds:
                    read_embeddings(run.folder, dataset)
                return
            recorded = run_counts(run.folder, dataset)
            if not embeds:
                return
            recomputed = run_counts(run.folder, dataset, recompute=True)
        except DataError as error:
            yield str(error)
            return
        for name in ("correct", "ties", "wrong"):
            if (getattr(recorded, name) != getattr(recomputed, name)).any():
                yield f"the counts {name} of {TRIPLETS_FILE} do not follow from {EMBEDDINGS_FILE}"


def _spread(by_seed: Sequence[NDArray[np.float64]]) -> Score:
    """The score of a row from that of every resampling, one array a seed."""
    score = spread_over(np.concatenate(by_seed))
    if len(by_seed) == 1:
        return score
    draws = float(np.sqrt(np.mean([each.var(ddof=1) for each in by_seed])))
    return replace(score, apart=(draws, float(np.std([each.mean() for each in by_seed], ddof=1))))


def _notes(counts: Sequence[TripletCounts], dataset: Dataset, macro_f1: Score) -> tuple[str, ...]:
    utterances = sum(map(len, dataset.test))
    resamplings = sum(len(found.correct) for found in counts)
    notes = [f"mean ± standard deviation over {resamplings} resamplings of random triplets"]
    if macro_f1.apart is not None:
        draws, means = macro_f1.apart
        notes.append(
            f"± of macro F1 apart: {MACRO_F1.text(draws)} between resamplings of one seed, {MACRO_F1.text(means)} between the "
            f"means of {len(counts)} seeds"
        )
    fewest = min(found.vectors for found in counts)
    if fewest < utterances:
        notes.append(f"{utterances - fewest} of {utterances} test utterances have no vector and are never drawn")
    return tuple(notes)


TRIPLET = Triplet()
