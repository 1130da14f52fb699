from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.protocols.triplet.evidence import TRIPLETS_FILE, read_embeddings, run_counts, write_evidence
from erc_bench.records.record import EMBEDDINGS_FILE


def folder_with_embeddings(folder: Path, dataset: Dataset, seed: int = 0) -> Path:
    lengths = np.array([len(dialogue) for dialogue in dataset.test])
    vectors = np.random.default_rng(seed).normal(size=(lengths.sum(), 6)).astype(np.float32)
    folder.mkdir(exist_ok=True)
    np.savez(folder / EMBEDDINGS_FILE, embeddings=vectors, lengths=lengths)
    return folder


def test_evidence_gives_the_scores_without_the_embeddings(sample: Dataset, tmp_path: Path) -> None:
    folder = folder_with_embeddings(tmp_path / "run", sample)
    direct = run_counts(folder, sample)
    write_evidence(folder, sample)
    assert (folder / TRIPLETS_FILE).stat().st_size < 20_000
    (folder / EMBEDDINGS_FILE).unlink()
    kept = run_counts(folder, sample)
    for ties in ("published", "half"):
        np.testing.assert_array_equal(direct.confusions(ties), kept.confusions(ties))
    assert kept.vectors == sum(map(len, sample.test))
    with pytest.raises(DataMissingError, match="got neither"):
        run_counts(folder, sample, recompute=True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seed": 9}, "another version of the protocol"),
        ({"dataset_fingerprint": "0" * 64}, "those of other data"),
        ({"vectors": 12}, "do not count 12 triplets"),
        ({"ties": []}, "."),
        ({"surprise": 1}, "."),
    ],
)
def test_altered_evidence_is_refused(
    sample: Dataset, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    folder = folder_with_embeddings(tmp_path / "run", sample)
    write_evidence(folder, sample)
    content = json.loads((folder / TRIPLETS_FILE).read_text()) | change
    (folder / TRIPLETS_FILE).write_text(json.dumps(content))
    with pytest.raises(DataCorruptError, match=complaint):
        run_counts(folder, sample)


def test_evidence_of_other_embeddings_is_refused(sample: Dataset, tmp_path: Path) -> None:
    folder = folder_with_embeddings(tmp_path / "run", sample)
    write_evidence(folder, sample)
    folder_with_embeddings(folder, sample, seed=1)
    with pytest.raises(DataCorruptError, match=r"another embeddings\.npz"):
        run_counts(folder, sample)


def test_embeddings_of_other_dialogues_are_refused(sample: Dataset, tmp_path: Path) -> None:
    np.savez(tmp_path / EMBEDDINGS_FILE, embeddings=np.zeros((3, 2), np.float32), lengths=np.array([3]))
    with pytest.raises(DataCorruptError, match="one vector for each"):
        run_counts(tmp_path, sample)
    (tmp_path / EMBEDDINGS_FILE).write_bytes(b"not an archive")
    with pytest.raises(DataCorruptError, match="must hold embeddings"):
        run_counts(tmp_path, sample)


def damaged(content: bytes, kind: str) -> bytes:
    if kind == "truncated":
        return content[: len(content) // 2]
    place = {"a vector flipped": len(content) // 2, "the archive's index flipped": len(content) - 6}[kind]
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.parametrize("kind", ["truncated", "a vector flipped", "the archive's index flipped"])
def test_damaged_embeddings_are_refused(sample: Dataset, tmp_path: Path, kind: str) -> None:
    path = folder_with_embeddings(tmp_path / "run", sample) / EMBEDDINGS_FILE
    path.write_bytes(damaged(path.read_bytes(), kind))
    with pytest.raises(DataCorruptError, match=r"must hold embeddings, got .+ Make the run again with --overwrite"):
        run_counts(path.parent, sample)


def test_any_damaged_byte_is_refused_or_changes_nothing(sample: Dataset, tmp_path: Path) -> None:
    path = folder_with_embeddings(tmp_path / "run", sample) / EMBEDDINGS_FILE
    intact, vectors = path.read_bytes(), read_embeddings(path.parent, sample)
    starts = [found.start() for found in re.finditer(b"PK", intact)]
    for place in {start + offset for start in starts for offset in range(90) if start + offset < len(intact)}:
        path.write_bytes(intact[:place] + bytes([intact[place] ^ 0x01]) + intact[place + 1 :])
        with contextlib.suppress(DataCorruptError):
            np.testing.assert_array_equal(read_embeddings(path.parent, sample), vectors)
