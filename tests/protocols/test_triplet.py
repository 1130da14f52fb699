from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.protocols.triplet import (
    RESAMPLINGS,
    TIE,
    TRIPLETS_FILE,
    applies_to,
    constant_counts,
    gold_positions,
    noise_counts,
    read_embeddings,
    run_counts,
    triplet_counts,
    triplet_scores,
    write_evidence,
)
from erc_bench.records.record import EMBEDDINGS_FILE
from erc_bench.toolkit.triplets import draw_triplets

THREE = LabelSet(("calm", "joy", "rage"), neutral="calm")
# The label counts of DailyDialog's test split.
SUPPORT = (6321, 118, 47, 17, 1019, 102, 116)


@pytest.fixture(scope="module")
def gold() -> NDArray[np.intp]:
    return np.repeat(np.arange(7), SUPPORT)


def test_outcomes_agree_with_a_loop_over_triplets() -> None:
    generator = np.random.default_rng(3)
    gold = generator.integers(0, 3, 90)
    vectors = generator.integers(0, 2, (90, 3)).astype(np.float32)  # a coarse grid: many exact ties
    drawn = draw_triplets(gold, triplets=90, resamplings=4, seed=5)
    expected = np.zeros((3, 4, 3, 3), np.int64)
    for resampling in range(4):
        for a, p, n in zip(
            drawn.anchors[resampling], drawn.positives[resampling], drawn.negatives[resampling], strict=True
        ):
            gap = np.linalg.norm(vectors[a] - vectors[p]) - np.linalg.norm(vectors[a] - vectors[n])
            outcome = 2 if gap > TIE else 0 if gap < -TIE else 1
            expected[outcome, resampling, gold[a], gold[n]] += 1
    found = triplet_counts(vectors, gold, THREE, resamplings=4, seed=5)
    np.testing.assert_array_equal(np.stack([found.correct, found.ties, found.wrong]), expected)
    assert 0 < found.tie_rate < 1


def test_ties_are_the_anchors_label_or_half_each() -> None:
    gold = np.array([0] * 5 + [1] * 5)
    counts = triplet_counts(np.zeros((10, 2), np.float32), gold, THREE, resamplings=2)
    published, half = counts.confusions(), counts.confusions("half")
    assert published[..., [0, 1], [0, 1]].sum() == 20
    assert (published.sum(axis=(1, 2)) == 10).all()
    assert (half[:, 0, 0] == half[:, 0, 1]).all()
    assert (half.sum(axis=(1, 2)) == 20).all()


def test_noise_is_right_half_of_the_time(gold: NDArray[np.intp]) -> None:
    scores = triplet_scores(noise_counts(gold, LABELS, resamplings=60), LABELS)
    assert scores["macro_f1"].mean() == pytest.approx(50, abs=0.5)
    assert scores["micro_f1"].mean() == pytest.approx(50, abs=0.5)
    assert scores["mcc"].mean() == pytest.approx(5 / 12, abs=0.005)


def test_a_constant_vector_is_perfect_as_published_and_chance_with_half_ties(gold: NDArray[np.intp]) -> None:
    counts = constant_counts(gold, LABELS)
    assert counts.tie_rate == 1
    published = triplet_scores(counts, LABELS)
    assert (published["macro_f1"] == 100).all()
    assert published["mcc"] == pytest.approx(1)
    half = triplet_scores(counts, LABELS, "half")
    assert half["macro_f1"].mean() == pytest.approx(50, abs=0.2)
    assert half["mcc"].mean() == pytest.approx(5 / 12, abs=0.002)


def test_a_space_that_separates_labels_is_perfect_without_any_tie() -> None:
    gold = np.repeat(np.arange(3), 9)
    vectors = np.eye(3, dtype=np.float32)[gold] + np.random.default_rng(0).normal(0, 0.01, (27, 3)).astype(np.float32)
    counts = triplet_counts(vectors, gold, THREE)
    assert counts.tie_rate < 0.01
    assert (triplet_scores(counts, THREE, "half")["macro_f1"] > 99).all()


def test_utterances_without_a_vector_are_never_drawn() -> None:
    gold = np.repeat(np.arange(3), 20)
    vectors = np.eye(3, dtype=np.float32)[gold]
    vectors[::4] = np.nan
    counts = triplet_counts(vectors, gold, THREE)
    assert counts.vectors == 45
    assert (counts.correct.sum(axis=(1, 2)) == 45).all()


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


def test_it_applies_only_where_triplets_can_be_drawn(sample: Dataset) -> None:
    assert applies_to(sample)
    lonely = Dialogue("test-00000", (Utterance("Hello.", "A", "calm"), Utterance("Hurray!", "B", "joy")))
    assert not applies_to(Dataset("lonely", THREE, (), (), (lonely,)))


def test_gold_positions_follow_the_dataset(sample: Dataset) -> None:
    first = sample.test[0]
    expected = [sample.labels.index(u.label) for u in first.utterances if u.label is not None]
    assert gold_positions(sample)[: len(first)].tolist() == expected


@pytest.mark.data
def test_on_dailydialog_a_resampling_has_as_many_triplets_as_test_utterances(dailydialog: Dataset) -> None:
    gold = gold_positions(dailydialog)
    assert np.bincount(gold).tolist() == list(SUPPORT)
    counts = constant_counts(gold, dailydialog.labels)
    assert counts.vectors == 7740
    assert counts.ties.shape == (RESAMPLINGS, 7, 7)
