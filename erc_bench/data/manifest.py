"""What the datasets must be: fingerprints, archive checksums, counts, licence, mirrors (`manifest.json`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from erc_bench.contract.domain import SPLITS, Dataset, Dialogue, LabelSet, Split, content_fingerprint
from erc_bench.errors import UnknownNameError


@dataclass(frozen=True)
class SplitFacts:
    """One split: SHA-256 (hex) of its content and of its official archive, and its counts.

    `labels` maps each label name to its number of utterances. `archive_sha256` is None for a dataset that is
    not distributed as archives.
    """

    fingerprint: str
    dialogues: int
    utterances: int
    labels: Mapping[str, int]
    archive_sha256: str | None = None


@dataclass(frozen=True)
class Mirror:
    """A place to download from: one archive that holds those of the splits, or a base URL with one a split.

    `url` ending in `.zip` is one archive; any other is a base, and the splits are at `URL/SPLIT.zip`.
    """

    name: str
    url: str

    @property
    def single(self) -> bool:
        """Whether one archive holds all splits."""
        return self.url.partition("?")[0].endswith(".zip")

    def split_url(self, split: Split) -> str:
        """Where the archive of one split is."""
        return f"{self.url.rstrip('/')}/{split}.zip"


@dataclass(frozen=True)
class DatasetFacts:
    """Everything the harness knows of a dataset before it reads it."""

    name: str
    title: str
    licence: str
    reference: str
    link: str
    fingerprint: str
    splits: Mapping[Split, SplitFacts]
    mirrors: Sequence[Mirror] = ()


@dataclass(frozen=True)
class Manifest:
    """The facts of every dataset by name."""

    datasets: Mapping[str, DatasetFacts]

    def facts(self, name: str) -> DatasetFacts:
        """The facts of one dataset.

        Raises
        ------
        UnknownNameError
            No dataset of that name.
        """
        if name not in self.datasets:
            raise UnknownNameError("dataset", name, self.datasets)
        return self.datasets[name]


def measure_split(labels: LabelSet, split: Split, dialogues: Sequence[Dialogue]) -> SplitFacts:
    """The facts of a split as it was read."""
    counts = Counter(utterance.label for dialogue in dialogues for utterance in dialogue.utterances)
    return SplitFacts(
        fingerprint=content_fingerprint(labels, [(split, dialogues)]),
        dialogues=len(dialogues),
        utterances=counts.total(),
        labels={name: counts[name] for name in labels.names},
    )


def measure(dataset: Dataset) -> dict[Split, SplitFacts]:
    """The facts of every split of a dataset as it was read."""
    return {split: measure_split(dataset.labels, split, dataset.split(split)) for split in SPLITS}


@cache
def package_manifest() -> Manifest:
    """The manifest that comes with the package."""
    return parse_manifest(json.loads(files("erc_bench.data").joinpath("manifest.json").read_text("utf-8")))


def parse_manifest(content: Mapping[str, Any]) -> Manifest:
    """A manifest from the JSON object of `manifest.json`."""
    return Manifest({name: _facts(name, entry) for name, entry in content.items()})


def _facts(name: str, entry: Mapping[str, Any]) -> DatasetFacts:
    plain = dict(entry)
    splits = plain.pop("splits")
    mirrors = plain.pop("mirrors", [])
    return DatasetFacts(
        name=name,
        splits={split: SplitFacts(**splits[split]) for split in SPLITS},
        mirrors=tuple(Mirror(**mirror) for mirror in mirrors),
        **plain,
    )
