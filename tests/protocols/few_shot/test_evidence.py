from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import NoConfig, Prediction, System, SystemInfo
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.protocols.few_shot.episodes import EPISODES
from erc_bench.protocols.few_shot.evidence import FEW_SHOT_FILE, run_counts, write_evidence
from erc_bench.records.record import EMBEDDINGS_FILE


class Lengths(System[NoConfig]):
    """A space of one dimension: the length of a text."""

    info = SystemInfo("lengths", "length of the text", "none", "utterance", "CC0-1.0")

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> list[Prediction]:
        return []

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        for dialogue in dialogues:
            assert all(utterance.label is None for utterance in dialogue.utterances)
            yield np.array([[len(utterance.text)] for utterance in dialogue.utterances], np.float32)


@pytest.fixture
def folder(sample: Dataset, tmp_path: Path) -> Path:
    system = Lengths(labels=sample.labels)
    vectors = list(system.embed([d.without_labels() for d in sample.test], progress=SilentProgress()))
    lengths = np.array([len(each) for each in vectors])
    np.savez(tmp_path / EMBEDDINGS_FILE, embeddings=np.concatenate(vectors), lengths=lengths)
    write_evidence(tmp_path, sample, "anger", system, SilentProgress())
    return tmp_path


def test_what_is_kept_is_what_is_read(folder: Path, sample: Dataset) -> None:
    found = run_counts(folder, sample, "anger")
    utterances = sum(map(len, sample.test))
    assert found.withheld == "anger"
    for confusion in found.confusions.values():
        assert confusion.shape == (EPISODES, len(sample.labels), len(sample.labels) + 1)
        assert (confusion.sum(axis=(1, 2)) == utterances).all()
    (folder / EMBEDDINGS_FILE).unlink()
    again = run_counts(folder, sample, "anger")
    assert all((again.corrected[shot] == counts).all() for shot, counts in found.corrected.items())


def test_a_run_without_it_is_told_from_a_damaged_one(folder: Path, sample: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"must hold few_shot\.json, got none"):
        run_counts(tmp_path / "nowhere", sample, "anger")
    (folder / FEW_SHOT_FILE).write_text("{}")
    with pytest.raises(DataCorruptError, match="must hold the counts of few-shot episodes"):
        run_counts(folder, sample, "anger")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"dataset_fingerprint": "0" * 64}, "those of other data"),
        ({"seed": 7}, "another version of the protocol"),
        ({"withheld": "fear"}, "those of 'fear', where the run withheld 'anger'"),
        ({"corrected": {}}, "two readings of other episodes"),
        ({"confusions": {"1": [[[1]]]}, "corrected": {"1": [[[1]]]}}, "do not count every test utterance once"),
    ],
    ids=["data", "version", "label", "readings", "counts"],
)
def test_what_does_not_belong_to_the_run_is_refused(
    change: dict[str, object], problem: str, folder: Path, sample: Dataset
) -> None:
    content = json.loads((folder / FEW_SHOT_FILE).read_text())
    (folder / FEW_SHOT_FILE).write_text(json.dumps(content | change))
    with pytest.raises(DataCorruptError, match=problem):
        run_counts(folder, sample, "anger")
