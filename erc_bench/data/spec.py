"""What a dataset is to the harness: one `DatasetSpec` a corpus, defined in the corpus's own module.

A spec is found by name through the entry-point group `erc_bench.datasets` (`erc_bench.data.registry`). It says what is
known of the corpus before it is read, and how a split is read from the folder that holds it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import SPLITS, Dataset, Dialogue, LabelSet, Split, content_fingerprint


@dataclass(frozen=True)
class SplitFacts:
    """One split: SHA-256 (hex) of its content and of its official file, and its counts.

    `labels` maps each label name to its number of utterances. `file_sha256` is None where the official file is not
    known, or a split is not one file.
    """

    fingerprint: str
    dialogues: int
    utterances: int
    labels: Mapping[str, int]
    file_sha256: str | None = None


@dataclass(frozen=True)
class Facts:
    """What the official release of a dataset is known to be: the SHA-256 (hex) of its content, and its splits."""

    fingerprint: str
    splits: Mapping[Split, SplitFacts]

    @classmethod
    def from_json(cls, text: str) -> Facts:
        """Facts as `erc-bench data facts` prints them."""
        content: Mapping[str, Any] = json.loads(text)
        return cls(content["fingerprint"], {split: SplitFacts(**content["splits"][split]) for split in SPLITS})


@dataclass(frozen=True)
class SplitReading:
    """A split as it was read: its dialogues, a sentence for each place where its files are malformed, and the
    SHA-256 (hex) of the file it was read from, None where it was not one file.
    """

    dialogues: tuple[Dialogue, ...]
    problems: tuple[str, ...] = ()
    file_sha256: str | None = None


@dataclass(frozen=True)
class Mirror:
    """A place to download from: one archive that holds the official files, or a base address below which they lie.

    `url` ending in `.zip` is one archive; any other is a base, and the files are at `URL/FILE`.
    """

    name: str
    url: str

    @property
    def single(self) -> bool:
        """Whether one archive holds all files."""
        return self.url.partition("?")[0].endswith(".zip")

    def file_url(self, file: str) -> str:
        """Where one file is."""
        return f"{self.url.rstrip('/')}/{file}"


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A corpus: what is known of it, and how it is read.

    Parameters
    ----------
    name
        The name it is registered under and asked for by.
    title, licence, reference, link
        What `erc-bench data list` says of it.
    labels
        Its labels in their fixed order, with the neutral one or none.
    ranking_metric
        Name of the metric that its board is ranked by, for example `micro_f1` or `weighted_f1_all`.
    read
        Reads one split from the folder that holds the corpus. Problems that it can name go into the reading, so that
        all are found at once; it raises `DataMissingError` or `DataCorruptError` where it cannot go on.
    files
        The official file of each split, by which a folder is recognised and which a download brings.
    subfolders
        Where below a folder the files may lie too, as the official release has them.
    recognised
        Whether a folder holds the corpus, where one of `files` being there is not the way to tell.
    contents
        What a folder must hold, in words; default the names of `files`.
    facts
        What the official release is known to be; without them the content is not checked.
    mirrors
        Where `erc-bench data download` gets it, tried in turn.
    how_to_get
        Where to get a corpus that may not be downloaded without asking its owners.
    common_labels
        Of labels the word that other corpora have for them too (`erc_bench.data.common_labels`), each at most once; what
        systems trained on one corpus and tested on another go by.
    fixed, fixed_by
        The folder that holds the corpus wherever one looks, inside an installed package or one's own, and what says so.
    """

    name: str
    title: str
    labels: LabelSet
    ranking_metric: str
    licence: str
    reference: str
    link: str
    read: Callable[[Path, Split], SplitReading]
    files: Mapping[Split, str] = field(default_factory=dict)
    subfolders: Sequence[str] = ()
    recognised: Callable[[Path], bool] | None = None
    contents: str = ""
    facts: Facts | None = None
    mirrors: Sequence[Mirror] = ()
    how_to_get: str = ""
    common_labels: Mapping[str, str] = field(default_factory=dict)
    fixed: Path | None = None
    fixed_by: str = "the package"

    def found_in(self, folder: Path) -> Path | None:
        """The folder that holds the corpus: `folder`, or one of the known subfolders; None where neither does.

        Says nothing of whether it is whole.
        """
        recognised = self.recognised or self._has_a_file
        candidates = (folder, *(folder / subfolder for subfolder in self.subfolders))
        return next((candidate for candidate in candidates if recognised(candidate)), None)

    def _has_a_file(self, folder: Path) -> bool:
        return any((folder / file).is_file() for file in self.files.values())

    @property
    def wanted(self) -> str:
        """What a folder must hold, in words."""
        *most, last = dict.fromkeys(self.files.values()) or ("its files",)
        return self.contents or (f"{', '.join(most)} and {last}" if most else last)


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
