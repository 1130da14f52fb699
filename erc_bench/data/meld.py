"""MELD (Poria et al., ACL 2019), the text of it, read from its official CSV files.

A row is an utterance; the rows of a dialogue follow each other. `Dialogue_ID` counts from 0 in each split, with gaps, and
so does `Utterance_ID` in a dialogue, where the authors left utterances out: a turn is the position among those present.
"""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path

from erc_bench.contract.domain import LabelSet, Split
from erc_bench.data.common_labels import published_labels
from erc_bench.data.spec import DatasetSpec, Facts, Mirror, SplitReading
from erc_bench.data.table import Columns, read_csv

LABELS = LabelSet(("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear"), neutral="neutral")
FILES: dict[Split, str] = {
    "train": "train_sent_emo.csv",
    "validation": "dev_sent_emo.csv",
    "test": "test_sent_emo.csv",
}
COLUMNS = Columns(dialogue="Dialogue_ID", speaker="Speaker", text="Utterance", label="Emotion")


def read_split(folder: Path, split: Split) -> SplitReading:
    """Read one split; raises as `read_csv` does."""
    return read_csv(folder / FILES[split], split, LABELS, COLUMNS, keep_ids=False)


MELD = DatasetSpec(
    name="meld",
    title="MELD, text of the official splits: conversations of the series Friends, up to nine speakers",
    labels=LABELS,
    common_labels=published_labels("meld"),
    ranking_metric="weighted_f1_all",
    licence="GPL-3.0, as its repository says (texts of a television series: research use)",
    reference='Poria et al., "MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations", ACL 2019',
    link="https://aclanthology.org/P19-1050/",
    read=read_split,
    files=FILES,
    subfolders=["MELD", "data/MELD"],
    facts=Facts.from_json(package_files("erc_bench.data").joinpath("meld.json").read_text("utf-8")),
    mirrors=[
        Mirror(
            "the authors' repository, declare-lab/MELD",
            "https://raw.githubusercontent.com/declare-lab/MELD/master/data/MELD",
        ),
    ],
)
