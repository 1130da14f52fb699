"""The complete runs of one dataset as protocols read them: every run checked once, its labels read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.protocols.views import View, dialogue_confusions, dialogue_margins
from erc_bench.records.answers import AnswerReader, Answers, Codes
from erc_bench.records.confidences import Confidences
from erc_bench.records.groups import NamedGroup, RunGroup, check_run, named_groups
from erc_bench.records.predictions import predictions_path

Counted = TypeVar("Counted")


class DatasetRuns:
    """Groups of runs with the titles of their rows, and what was read of them so far."""

    def __init__(self, dataset: Dataset, rows: Iterable[NamedGroup], progress: Progress | None = None) -> None:
        self.dataset = dataset
        self.rows = tuple(rows)
        self._progress = progress or SilentProgress()
        self._checked: set[Path] = set()
        self._reader = AnswerReader(dataset)
        self._answers: dict[Path, Answers] = {}

    @classmethod
    def of(cls, dataset: Dataset, groups: Iterable[RunGroup], progress: Progress | None = None) -> DatasetRuns:
        """The groups that were made on a dataset of this name."""
        return cls(dataset, named_groups([found for found in groups if found.record.dataset == dataset.name]), progress)

    def check(self, group: RunGroup) -> None:
        """Refuse runs made on other data or whose predictions were altered; see `check_run`."""
        for run in group.runs:
            if run.folder not in self._checked:
                check_run(run, self.dataset)
                self._checked.add(run.folder)

    def read(self, groups: Sequence[RunGroup]) -> None:
        """Read the answers of runs that were not read yet, and show how many."""
        runs = [run for group in groups for run in group.runs if run.folder not in self._answers]
        if not runs:
            return
        with self._progress.task(f"Reading runs on {self.dataset.name}", total=len(runs), unit="runs") as task:
            for run in runs:
                self._answers[run.folder] = self._reader.of_run(run)
                self._checked.add(run.folder)
                task.advance()

    def read_ahead(self, folders: Iterable[Path]) -> None:
        """Let what stands in folders of runs be kept on disk (`erc_bench.records.answers`), for processes beside this one.

        A run that cannot be read is left to `read`, which says why.
        """
        for folder in folders:
            with suppress(DataError):
                self._reader.of_file(predictions_path(folder))

    def answers(self, group: RunGroup) -> list[Codes]:
        """What every run of a group answered to each test utterance."""
        self.read([group])
        return [self._answers[run.folder].codes for run in group.runs]

    def confidences(self, group: RunGroup) -> list[Confidences | None]:
        """How sure every run of a group was of its answers; None for one without scores."""
        self.read([group])
        return [self._answers[run.folder].confidences for run in group.runs]

    def confusions(self, part: View, group: RunGroup) -> list[NDArray[np.int64]]:
        """Confusion counts by dialogue of every run of a group, each int64 (D, K, K + 1).

        Raises
        ------
        DataCorruptError
            A run that cannot be scored.
        """
        return self._counted(group, lambda codes: dialogue_confusions(part, codes, part.labels))

    def margins(self, part: View, group: RunGroup) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The `row_margins` of these counts, int64 (D, S, 3K + 1), and their sums over dialogues, (S, K, K + 1)."""
        found = self._counted(group, lambda codes: dialogue_margins(part, codes))
        return np.stack([by_dialogue for by_dialogue, _ in found], axis=1), np.stack([total for _, total in found])

    def _counted(self, group: RunGroup, count: Callable[[Codes], Counted]) -> list[Counted]:
        self.read([group])
        found = []
        for run in group.runs:
            try:
                found.append(count(self._answers[run.folder].codes))
            except DataError as error:
                raise DataCorruptError(f"the complete run in {run.folder} cannot be scored: {error}") from None
        return found
