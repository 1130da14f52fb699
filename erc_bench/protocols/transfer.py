"""Protocol `transfer`: trained on one corpus, tested on another, on the utterances whose label both have.

A section a training corpus, called `transfer from NAME`, and its part that was not seen in training. Beside the rows that
were trained there stand those that were trained on the corpus itself, scored on the same utterances.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.rows import Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ALL, NOT_VERBATIM, Subset
from erc_bench.protocols.views import View
from erc_bench.records.groups import NamedGroup, RunGroup
from erc_bench.records.record import Run, TrainedOn
from erc_bench.records.seen import SEEN_FILE, read_seen


class Transfer(LabelProtocol):
    """Utterances with a label that the training corpus has too; an answer with any other label is wrong."""

    name = "transfer"
    meaning = (
        "Trained and calibrated on another corpus: test utterances count whose gold label has a counterpart there, and F1 is "
        "over these labels. Rows that do not name another corpus were trained on this one and are scored on the same "
        "utterances; an answer with a label that does not count is wrong. Not-verbatim leaves out, for all rows, utterances "
        "of six words or more that stand word for word in the other corpus’s training split, and dialogues that stand in "
        "either training split as a whole."
    )
    evidence_files = (SEEN_FILE,)
    by_phenomenon = False

    def turns(self, dialogue: Dialogue, labels: LabelSet) -> list[int]:
        """The turns whose gold label is one of the labels."""
        return [turn for turn, utterance in enumerate(dialogue.utterances) if utterance.label in labels.names]

    def covers(self, group: RunGroup) -> bool:
        """Whether the runs labelled every utterance, trained on another corpus or on the corpus with every label."""
        return group.record.withheld is None and group.record.targets == self.needs

    def sections(self, runs: DatasetRuns, subsets: Collection[str] | None = None) -> list[Section]:
        """Two sections a training corpus: all that counts, and what was not seen in training."""
        found: list[Section] = []
        for corpus, rows in self._by_corpus(runs).items():
            own = self._own(runs, {named.group.record.system for named in rows})
            runs.read([named.group for named in (*rows, *own)])
            trained_on, seen = _agreed(rows, runs.dataset)
            for subset, without in ((ALL, frozenset[Target]()), (NOT_VERBATIM, seen)):
                if subsets is not None and subset.name not in subsets:
                    continue
                try:
                    part = shared_part(runs.dataset, trained_on.labels.values(), subset, without)
                except DataError:
                    continue  # everything that counts was seen
                section = self.section(
                    runs, [*rows, *own], replace(part, protocol=f"{self.name} from {corpus}"), subset
                )
                found.append(_described(section, runs.dataset, trained_on))
        return found

    def _by_corpus(self, runs: DatasetRuns) -> dict[str, list[NamedGroup]]:
        found: dict[str, list[NamedGroup]] = {}
        for named in runs.rows:
            other = named.group.record.trained_on_name
            if other is not None and self.covers(named.group):
                found.setdefault(other, []).append(named)
        return found

    def _own(self, runs: DatasetRuns, systems: Collection[str]) -> list[NamedGroup]:
        """The rows trained on the corpus itself that the others are read against: the same systems, and floors."""
        return [
            named
            for named in runs.rows
            if (record := named.group.record).trained_on is None
            and (record.floor or record.system in systems)
            and self.covers(named.group)
        ]

    def differences(self, run: Run, dataset: Dataset) -> Iterator[str]:
        """What is wrong with the list of seen utterances; whether it is right takes the other corpus."""
        if run.record.trained_on is not None:
            try:
                read_seen(run.folder, dataset, run.record.trained_on.fingerprint)
            except DataError as error:
                yield str(error)


def training_corpus(section: Section) -> str | None:
    """The corpus that the rows of a section were trained on, if it is one of this protocol."""
    name, _, corpus = section.protocol.partition(" from ")
    return corpus if name == TRANSFER.name else None


def shared_part(
    dataset: Dataset, labels: Collection[str], subset: Subset = ALL, without: Collection[Target] = ()
) -> View:
    """The test utterances with one of the labels, without some, and answers read as positions among these labels.

    Raises
    ------
    DataError
        There is none.
    """
    names = tuple(name for name in dataset.labels.names if name in labels)
    shared = LabelSet(names, dataset.labels.neutral if dataset.labels.neutral in names else None)
    view = TRANSFER.view(dataset, subset, shared)
    kept = [target not in without for target in view.targets]
    if not any(kept):
        raise DataError(f"an utterance of {dataset.name} must have a label that counts and be unseen, got none.")
    return replace(
        view,
        targets=tuple(compress(view.targets, kept)),
        gold=tuple(compress(view.gold, kept)),
        gold_codes=view.gold_codes[kept],
        places=view.places[kept],
        dialogue_index=view.dialogue_index[kept],
    )


def _agreed(rows: Sequence[NamedGroup], dataset: Dataset) -> tuple[TrainedOn, frozenset[Target]]:
    """What the runs of rows trained on one corpus say of it, and the test utterances that stand in it: all the same.

    Raises
    ------
    DataMissingError, DataCorruptError
        They were trained on other data, or in other labels, or their list of seen utterances is damaged.
    """
    runs = [run for named in rows for run in named.group.runs]
    found: dict[tuple[str, str, frozenset[Target]], tuple[Run, TrainedOn]] = {}
    for run in runs:
        said = run.record.trained_on
        if said is not None:
            seen = read_seen(run.folder, dataset, said.fingerprint)
            found.setdefault((said.fingerprint, said.labels_sha256, seen), (run, said))
    if len(found) > 1:
        (first, said), (other, _), *_ = found.values()
        raise DataCorruptError(
            f"runs trained on {said.dataset} must have seen one corpus in the same labels, got others in {first.folder} and "
            f"{other.folder}. Make one of them again with --overwrite, or remove it."
        )
    ((_, _, seen), (_, said)) = next(iter(found.items()))
    return said, seen


def _described(section: Section, dataset: Dataset, trained_on: TrainedOn) -> Section:
    """The section with what the labels of the other corpus became and how much was left out."""
    counting = {test: train for train, test in trained_on.labels.items()}
    gold = Counter(u.label or "" for dialogue in dataset.test for u in dialogue.utterances)
    pairs = ", ".join(f"{name} ({counting[name]})" for name in dataset.labels.names if name in counting)
    notes = [
        f"The labels that count, with those of {trained_on.dataset}: {pairs}.",
        f"Test utterances with another label, not scored: {_counted({n: gold[n] for n in gold if n not in counting})}.",
        f"Training utterances of {trained_on.dataset} without a counterpart, not learned: {_counted(trained_on.left_out)}.",
    ]
    if len(counting) < len(dataset.labels):
        notes.append(
            f"Rows trained on {dataset.name} itself may give a label that does not count: it is in their share of unusable."
        )
    rows = (
        replace(
            row,
            notes=(*row.notes, *notes),
            unusable_as_neutral=row.unusable_as_neutral if row.trained_on else {},
        )
        for row in section.rows
    )
    return replace(section, rows=tuple(rows))


def _counted(labels: Mapping[str, int]) -> str:
    return f"{sum(labels.values()):,} ({', '.join(f'{n} {c:,}' for n, c in labels.items())})" if labels else "none"


TRANSFER = Transfer()
