"""Loading a dataset, with every check that stands between a file on disk and a number on the board."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from erc_bench.contract.domain import DAILYDIALOG_LABELS, SPLITS, Dataset, Dialogue, Split
from erc_bench.data.archives import Layout
from erc_bench.data.bundled import read_bundled
from erc_bench.data.dailydialog import parse_split
from erc_bench.data.locate import BUNDLED, Place, layout_at, place_of, ways_out
from erc_bench.data.manifest import DatasetFacts, Manifest, SplitFacts, measure_split, package_manifest
from erc_bench.errors import DataCorruptError, DataError

MAX_PROBLEMS = 20


@dataclass(frozen=True)
class Inspection:
    """What was found where a dataset lies, and everything that is wrong with it.

    `measured` and `archives` lack a split that could not be read; `archives` is the SHA-256 (hex) of each split's
    archive, None for files that lie outside one. `dataset` is None where a problem was found.
    """

    facts: DatasetFacts
    place: Place
    measured: Mapping[Split, SplitFacts]
    archives: Mapping[Split, str | None]
    problems: tuple[str, ...]
    dataset: Dataset | None

    def refusal(self) -> DataCorruptError:
        """The error that lists the problems (at most twenty) and what to do."""
        lines = [f"- {problem}" for problem in self.problems[:MAX_PROBLEMS]]
        if len(self.problems) > MAX_PROBLEMS:
            lines.append(f"- and {len(self.problems) - MAX_PROBLEMS:,} more")
        heading = f"{self.facts.name} in {self.place.folder} must be the official release, but:"
        return DataCorruptError("\n".join([heading, *lines, ways_out(self.facts.name, self.place)]))


def dataset_names() -> list[str]:
    """Names of the datasets that the harness knows."""
    return list(package_manifest().datasets)


def load_dataset(name: str, *, data_dir: Path | None = None, manifest: Manifest | None = None) -> Dataset:
    """Read a dataset and check its content against the manifest.

    `dailydialog` is read from `data_dir`, else from the folder in ERC_BENCH_DATA_DIR, else from the download folder;
    `sample` comes with the package, wherever those point. `manifest` replaces the package's own.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataMissingError
        It is not where it was looked for.
    DataCorruptError
        It is there, but truncated, altered or mislabelled.
    """
    inspection = inspect_dataset(name, data_dir=data_dir, manifest=manifest)
    if inspection.dataset is None:
        raise inspection.refusal()
    return inspection.dataset


def inspect_dataset(name: str, *, data_dir: Path | None = None, manifest: Manifest | None = None) -> Inspection:
    """Read a dataset as far as it can be read and find everything that is wrong with it.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataMissingError
        There is nothing of it where it was looked for.
    """
    facts = (manifest or package_manifest()).facts(name)
    place = place_of(name, data_dir)
    layout = None if name == BUNDLED else layout_at(name, place)
    parts: dict[Split, tuple[Dialogue, ...]] = {}
    measured: dict[Split, SplitFacts] = {}
    archives: dict[Split, str | None] = {}
    problems: list[str] = []
    for split in SPLITS:
        try:
            parts[split], archives[split], found = _read(layout, split)
        except DataError as error:
            problems.append(str(error))
            continue
        measured[split] = measure_split(DAILYDIALOG_LABELS, split, parts[split])
        problems += found or split_problems(facts, split, measured[split])
    dataset = None if problems else Dataset(name, DAILYDIALOG_LABELS, **parts)
    return Inspection(facts, place, measured, archives, tuple(problems), dataset)


def check_fingerprint(name: str, fingerprint: str, *, manifest: Manifest | None = None) -> None:
    """Refuse a fingerprint (SHA-256, hex) that is not the one of the dataset of that name.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataCorruptError
        The fingerprint is another.
    """
    expected = (manifest or package_manifest()).facts(name).fingerprint
    if fingerprint != expected:
        raise DataCorruptError(
            f"the fingerprint of {name} must be {expected}, got {fingerprint}: other data than this version of "
            f"erc-bench knows. Check the data with `erc-bench data verify {name}` and run again on it."
        )


def split_problems(facts: DatasetFacts, split: Split, measured: SplitFacts) -> list[str]:
    """How a split that was read differs from what it must be; empty if it does not."""
    expected = facts.splits[split]
    if measured.fingerprint == expected.fingerprint:
        return []
    name = f"the {split} split of {facts.name}"
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
    twin = next((other for other in SPLITS if other != split and _same_counts(measured, facts.splits[other])), None)
    if twin:
        problems.append(f"the files of the {split} split must not be those of the {twin} split, got its counts.")
    if not problems:
        problems.append(
            f"the content of {name} must have the SHA-256 {expected.fingerprint}, got {measured.fingerprint}: "
            "the counts are right, but a text, a label or the order differs."
        )
    return problems


def _read(layout: Layout | None, split: Split) -> tuple[tuple[Dialogue, ...], str | None, list[str]]:
    if layout is None:
        return read_bundled(split), None, []
    files = layout.read(split)
    dialogues, problems = parse_split(files)
    return dialogues, files.archive_sha256, problems


def _same_counts(one: SplitFacts, other: SplitFacts) -> bool:
    return dataclasses.replace(one, fingerprint="", archive_sha256=None) == dataclasses.replace(
        other, fingerprint="", archive_sha256=None
    )
