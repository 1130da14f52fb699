"""`sample`: the small dataset that comes with the package (written for this project, CC0)."""

from __future__ import annotations

from pathlib import Path

from erc_bench.contract.domain import SPLITS, LabelSet, Split
from erc_bench.data.common_labels import published_labels
from erc_bench.data.jsonl import read_jsonl
from erc_bench.data.spec import DatasetSpec, Facts, SplitReading

FOLDER = Path(__file__).parent
FILES: dict[Split, str] = {split: f"{split}.jsonl" for split in SPLITS}
LABELS = LabelSet(("no emotion", "anger", "disgust", "fear", "happiness", "sadness", "surprise"), neutral="no emotion")


def _read(folder: Path, split: Split) -> SplitReading:
    return read_jsonl(folder / FILES[split], split, LABELS)


SAMPLE = DatasetSpec(
    name="sample",
    title="Dialogues written for this project, to try every command in seconds",
    labels=LABELS,
    common_labels=published_labels("sample"),
    ranking_metric="micro_f1",
    licence="CC0 1.0 (public domain)",
    reference="this project",
    link="comes with the package",
    read=_read,
    files=FILES,
    facts=Facts.from_json((FOLDER / "facts.json").read_text("utf-8")),
    how_to_get="Install erc-bench again.",
    fixed=FOLDER,
)
