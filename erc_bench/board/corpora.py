"""The corpora of a results folder, and what boards need of them: measured one after another, or shared with other processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from erc_bench.board.beside import Beside
from erc_bench.board.contrasts import Contrasts
from erc_bench.board.model import ranked
from erc_bench.contract.domain import Dataset
from erc_bench.data import load_dataset
from erc_bench.errors import DataCorruptError, DataError, DataMissingError, UnknownNameError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.registry import find_protocol
from erc_bench.protocols.rows import Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ALL, subsets_beside
from erc_bench.records.groups import RunGroup, without_twins
from erc_bench.scoring.catalogue import METRICS, ranking_metric
from erc_bench.toolkit.threads import fixed_threads

FEWEST_RUNS_SHARED = 40
"""A process takes a second to start, in which this one measures as many."""
RUNS_A_TASK = 8


class Corpus:
    """A dataset and its runs, whose sections are ranked by the metric of the dataset or by another.

    Rows that contrasts name as no one's choice have no rank.
    """

    def __init__(
        self,
        dataset: Dataset,
        groups: Sequence[RunGroup],
        rank_by: str | None = None,
        progress: Progress | None = None,
        contrasts: Contrasts | None = None,
    ) -> None:
        self.dataset = dataset
        self.ranking = METRICS[rank_by] if rank_by else ranking_metric(dataset)
        kept, self._twins = without_twins(groups)
        self.runs = DatasetRuns.of(dataset, kept, progress)
        self._unranked = contrasts.without_rank(dataset.name, self.runs.rows) if contrasts else {}

    def sections(self, protocol: Protocol) -> tuple[Section, ...]:
        """The sections of a protocol as boards show them; none where it scores nothing here."""
        if not protocol.applies_to(self.dataset):
            return ()
        return tuple(
            replace(
                ranked(section, self.ranking, self._unranked),
                breakdowns=protocol.breakdowns(self.runs) if section.subset == ALL.name else (),
            )
            for section in self._noting_twins(protocol)
        )

    def _noting_twins(self, protocol: Protocol) -> list[Section]:
        """The sections, whose rows say where a run over last turns only is left out as the same system."""
        notes = {
            named.title: f"its runs with targets={twin.record.targets} are the same configuration and no row of their own"
            for twin, kept in self._twins
            for named in self.runs.rows
            if protocol.covers(twin) and named.group is kept
        }
        return [
            replace(
                section,
                rows=tuple(
                    replace(row, notes=(*row.notes, notes[row.title])) if row.title in notes else row
                    for row in section.rows
                ),
            )
            for section in protocol.sections(self.runs)
        ]


@dataclass(frozen=True, slots=True)
class Asked:
    """A dataset of a results folder whose runs are to be measured."""

    name: str
    groups: tuple[RunGroup, ...]
    results: Path
    data_dir: Path | None
    rank_by: str | None
    contrasts: Contrasts | None = None

    @classmethod
    def of(
        cls,
        groups: Sequence[RunGroup],
        results: Path,
        data_dir: Path | None,
        rank_by: str | None,
        contrasts: Contrasts | None = None,
    ) -> dict[str, Asked]:
        """The datasets of groups by their names, in order."""
        by_name: dict[str, list[RunGroup]] = {}
        for group in groups:
            by_name.setdefault(group.record.dataset, []).append(group)
        return {
            name: cls(name, tuple(by_name[name]), results, data_dir, rank_by, contrasts) for name in sorted(by_name)
        }

    def opened(self, progress: Progress | None) -> Corpus:
        """Its corpus.

        Raises
        ------
        DataError
            The dataset is not known here, not there, or not whole.
        """
        try:
            dataset = load_dataset(self.name, data_dir=self.data_dir)
        except UnknownNameError as error:
            raise DataCorruptError(
                f"the run in {self.groups[0].runs[0].folder} must be on a dataset that is known here: {error} Install the "
                "package that has it, name the folder that holds it with --data-dir, or remove the run."
            ) from None
        except DataMissingError as error:
            raise DataMissingError(
                f"{error}\nThe runs on {self.name} in {self.results} are scored against its gold labels. To leave them out, "
                "name a results folder without them with --results-dir."
            ) from None
        return Corpus(dataset, self.groups, self.rank_by, progress, self.contrasts)

    def read_for(self, wanted: Sequence[Protocol]) -> list[Path]:
        """The folders of the runs whose answers some of the protocols read."""
        reading = [protocol for protocol in wanted if isinstance(protocol, LabelProtocol)]
        kept, _ = without_twins(self.groups)
        covered = [group for group in kept if any(protocol.covers(group) for protocol in reading)]
        return [run.folder for group in covered for run in group.runs]


@dataclass(frozen=True, slots=True)
class Reading:
    """The task to read runs, so that they are kept for whoever needs them."""

    dataset: str
    folders: tuple[Path, ...]

    def done(self, corpus: Corpus) -> tuple[Section, ...]:
        """Read them."""
        corpus.runs.read_ahead(self.folders)
        return ()


@dataclass(frozen=True, slots=True)
class Choosing:
    """The task to find the dialogues of all subsets, which are kept, too."""

    dataset: str

    def done(self, corpus: Corpus) -> tuple[Section, ...]:
        """Find them."""
        for subset in subsets_beside():
            subset.dialogues(corpus.dataset)
        return ()


@dataclass(frozen=True, slots=True)
class Scoring:
    """The task to compute the sections of a protocol."""

    dataset: str
    protocol: str

    def done(self, corpus: Corpus) -> tuple[Section, ...]:
        """Compute them."""
        return corpus.sections(find_protocol(self.protocol))


Task = Reading | Choosing | Scoring
Sections = tuple[Section, ...]


class Corpora:
    """Corpora, each opened when it is first needed. As sent to another process they are opened anew there, and silent."""

    def __init__(
        self, asked: Mapping[str, Asked], progress: Progress | None = None, opened: Mapping[str, Corpus] | None = None
    ) -> None:
        self._asked = asked
        self._progress = progress
        self._open: dict[str, Corpus | DataError] = dict(opened or {})
        self._shared: dict[tuple[str, str], Sections] = {}

    def __reduce__(self) -> tuple[type[Corpora], tuple[Mapping[str, Asked]]]:
        return Corpora, (self._asked,)

    def __call__(self, task: Task) -> Sections:
        """Do a task; raises `DataError` where it cannot be done."""
        return task.done(self.corpus(task.dataset))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the datasets that have runs, in order."""
        return tuple(self._asked)

    def corpus(self, name: str) -> Corpus:
        """One of them; raises as `Asked.opened`."""
        if name not in self._open:
            try:
                self._open[name] = self._asked[name].opened(self._progress)
            except DataError as error:  # every task on it would try again
                self._open[name] = error
        found = self._open[name]
        if isinstance(found, DataError):
            raise found
        return found

    def sections(self, name: str, protocol: Protocol) -> Sections:
        """The sections of a protocol on one of them, computed unless they were shared; raises as `Asked.opened` and that."""
        found = self._shared.get((name, protocol.name))
        return self.corpus(name).sections(protocol) if found is None else found

    def share(self, wanted: Sequence[Protocol], processes: int) -> None:
        """Compute all sections of some protocols with so many processes, if there are runs enough to pay for starting them.

        What meets an error then is left to `sections`.
        """
        folders = {name: each.read_for(wanted) for name, each in self._asked.items()}
        total = sum(map(len, folders.values()))
        if processes < 2 or total < FEWEST_RUNS_SHARED:
            return
        names = sorted(folders, key=lambda name: len(folders[name]), reverse=True)
        ahead: list[Task] = []
        for name in names:
            ahead.append(Choosing(name))
            ahead += [
                Reading(name, tuple(folders[name][start : start + RUNS_A_TASK]))
                for start in range(0, len(folders[name]), RUNS_A_TASK)
            ]
        scoring: list[Task] = [Scoring(name, protocol.name) for name in names for protocol in wanted]
        # Threads of linear algebra would wait for each other in the cores that the processes use.
        with fixed_threads(1), Beside(self, processes - 1) as beside:
            with (self._progress or SilentProgress()).task("Reading runs", total, "runs") as shown:
                for task, _ in beside.results(ahead):
                    shown.advance(len(task.folders) if isinstance(task, Reading) else 0)
            for task, sections in beside.results(scoring):
                if isinstance(task, Scoring) and sections is not None:
                    self._shared[task.dataset, task.protocol] = sections
