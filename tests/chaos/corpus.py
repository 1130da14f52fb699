"""A corpus that exists for faults only: registered as a package of somebody's would be, downloaded from a local server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from erc_bench.contract.domain import SPLITS, Dataset, LabelSet, Split, content_fingerprint
from erc_bench.data.spec import DatasetSpec, Facts, SplitReading, measure_split
from erc_bench.data.table import Columns, read_csv

LABELS = LabelSet(("no emotion", "anger", "happiness", "sadness"), "no emotion")
SOURCE = Path(os.environ["CHAOS_SOURCE"])
"""Where the official files lie."""
FILES: Mapping[Split, str] = {split: f"{split}.csv" for split in SPLITS}


def write_source(folder: Path, dialogues: int = 400) -> None:
    """Write the official files: invented dialogues, the same in every call."""
    folder.mkdir(parents=True, exist_ok=True)
    for position, split in enumerate(SPLITS):
        lines = ["dialogue,speaker,text,label"]
        for number in range(dialogues):
            for turn in range(4):
                label = LABELS.names[(number * 7 + turn * 3 + position) % 4 if (number + turn) % 3 else 0]
                lines.append(
                    f"{split}-{number},{'AB'[turn % 2]},Line {turn} of talk {number} feels {label[:3]}.,{label}"
                )
        (folder / FILES[split]).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(folder: Path, split: Split) -> SplitReading:
    """One split."""
    return read_csv(folder / FILES[split], split, LABELS, Columns())


def _spec() -> DatasetSpec:
    parts = {split: read(SOURCE, split).dialogues for split in SPLITS}
    splits = {
        split: replace(
            measure_split(LABELS, split, parts[split]),
            file_sha256=hashlib.sha256((SOURCE / FILES[split]).read_bytes()).hexdigest(),
        )
        for split in SPLITS
    }
    fingerprint = content_fingerprint(LABELS, [(split, parts[split]) for split in SPLITS])
    assert fingerprint == Dataset("chaos", LABELS, *(tuple(parts[split]) for split in SPLITS)).fingerprint
    return DatasetSpec(
        name="chaos",
        title="A corpus for tests of faults",
        labels=LABELS,
        ranking_metric="micro_f1",
        licence="CC0",
        reference="-",
        link="-",
        read=read,
        files=FILES,
        facts=Facts(fingerprint, splits),
    )


def __getattr__(name: str) -> DatasetSpec:
    if name == "CHAOS":
        return _spec()
    raise AttributeError(name)
