"""Loading a dataset, with every check that stands between a file on disk and a number on the board."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from erc_bench.contract.domain import SPLITS, Dataset, Dialogue, Split
from erc_bench.data.locate import Place, place_of, require_present, ways_out
from erc_bench.data.registry import dataset_spec, remember
from erc_bench.data.spec import DatasetSpec, Facts, SplitFacts, measure_split
from erc_bench.errors import DataCorruptError, DataError

MAX_PROBLEMS = 20


@dataclass(frozen=True)
class Inspection:
    """What was found where a dataset lies, and everything that is wrong with it.

    `measured` and `files` lack a split that could not be read; `files` is the SHA-256 (hex) of the file that each
    split was read from, None where it was not one file. `dataset` is None where a problem was found.
    """

    spec: DatasetSpec
    place: Place
    measured: Mapping[Split, SplitFacts]
    files: Mapping[Split, str | None]
    problems: tuple[str, ...]
    dataset: Dataset | None

    def refusal(self) -> DataCorruptError:
        """The error that lists the problems (at most twenty) and what to do."""
        lines = [f"- {problem}" for problem in self.problems[:MAX_PROBLEMS]]
        if len(self.problems) > MAX_PROBLEMS:
            lines.append(f"- and {len(self.problems) - MAX_PROBLEMS:,} more")
        what = "the official release" if self.spec.facts else "a whole dataset"
        heading = f"{self.spec.name} in {self.place.folder} must be {what}, but:"
        return DataCorruptError("\n".join([heading, *lines, ways_out(self.spec, self.place)]))


def load_dataset(dataset: str | DatasetSpec, *, data_dir: Path | None = None) -> Dataset:
    """Read a dataset, given by name, by the path of a folder with a `dataset.toml` or as a spec, and check its content
    against the facts of its spec. A folder used by its path is later found by its name.

    It is read from `data_dir` if given; else from the folder in ERC_BENCH_DATA_DIR, if it lies there; else from the
    download folder. Such a folder holds the dataset itself, or in a subfolder of the dataset's name. A dataset that
    comes with a package, as `sample` does, is read from there wherever those point.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataMissingError
        It is not where it was looked for.
    DataCorruptError
        It is there, but truncated, altered or mislabelled.
    """
    inspection = inspect_dataset(dataset, data_dir=data_dir)
    if inspection.dataset is None:
        raise inspection.refusal()
    remember(inspection.spec)
    return inspection.dataset


def inspect_dataset(dataset: str | DatasetSpec, *, data_dir: Path | None = None) -> Inspection:
    """Read a dataset as far as it can be read and find everything that is wrong with it.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataMissingError
        There is nothing of it where it was looked for.
    """
    spec = dataset if isinstance(dataset, DatasetSpec) else dataset_spec(dataset, data_dir)
    place = place_of(spec, data_dir)
    require_present(spec, place)
    parts: dict[Split, tuple[Dialogue, ...]] = {}
    measured: dict[Split, SplitFacts] = {}
    files: dict[Split, str | None] = {}
    problems: list[str] = []
    for split in SPLITS:
        try:
            reading = spec.read(place.folder, split)
        except DataError as error:
            problems.append(str(error))
            continue
        parts[split], files[split] = reading.dialogues, reading.file_sha256
        measured[split] = measure_split(spec.labels, split, reading.dialogues)
        problems += reading.problems or split_problems(spec, split, measured[split])
    found = None if problems else _dataset(spec, parts)
    return Inspection(spec, place, measured, files, tuple(problems), found)


def _dataset(spec: DatasetSpec, parts: Mapping[Split, tuple[Dialogue, ...]]) -> Dataset:
    dialogues = [parts[split] for split in SPLITS]
    return Dataset(
        spec.name, spec.labels, *dialogues, ranking_metric=spec.ranking_metric, common_labels=spec.common_labels
    )


def split_problems(spec: DatasetSpec, split: Split, measured: SplitFacts) -> list[str]:
    """How a split that was read differs from what it must be; empty if it does not."""
    name = f"the {split} split of {spec.name}"
    if not measured.dialogues:
        return [f"{name} must have a dialogue or more, got none."]
    if spec.facts is None or measured.fingerprint == spec.facts.splits[split].fingerprint:
        return []
    expected = spec.facts.splits[split]
    problems = [
        f"{name} must have {getattr(expected, counted):,} {counted}, got {getattr(measured, counted):,}."
        for counted in ("dialogues", "utterances")
        if getattr(measured, counted) != getattr(expected, counted)
    ]
    differing = [label for label, count in expected.labels.items() if measured.labels[label] != count]
    if differing:
        wanted, got = (
            ", ".join(f"{label} {labels[label]:,}" for label in differing)
            for labels in (expected.labels, measured.labels)
        )
        problems.append(f"{name} must have the labels {wanted}; got {got}.")
    if twin := _twin(spec.facts, split, measured):
        problems.append(f"the files of the {split} split must not be those of the {twin} split, got its counts.")
    if not problems:
        problems.append(
            f"the content of {name} must have the SHA-256 {expected.fingerprint}, got {measured.fingerprint}: "
            "the counts are right, but a text, a label or the order differs."
        )
    return problems


def _twin(facts: Facts, split: Split, measured: SplitFacts) -> Split | None:
    """The other split that has the counts measured for this one."""

    def counts(of: SplitFacts) -> SplitFacts:
        return dataclasses.replace(of, fingerprint="", file_sha256=None)

    others = (other for other in SPLITS if other != split)
    return next((other for other in others if counts(facts.splits[other]) == counts(measured)), None)
