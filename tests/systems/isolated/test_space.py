from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from erc_bench.contract.domain import Dataset
from erc_bench.systems.isolated.space import MetricSpace, labelled_texts


def test_texts_are_counted_with_their_labels(sample: Dataset) -> None:
    dialogue = sample.train[0]
    utterance = dialogue.utterances[0]
    repeated = replace(
        dialogue,
        utterances=(
            replace(utterance, text="Yes .", label="anger"),
            replace(utterance, text="Yes .", label="fear"),
            replace(utterance, text="No .", label=None),
            replace(utterance, text="Yes .", label="anger"),
        ),
    )
    texts, counts = labelled_texts([repeated], sample.labels)
    assert texts == ["Yes ."]
    assert counts[0, sample.labels.index("anger")] == 2
    assert counts.sum() == 3


def blobs(spread: float) -> tuple[Any, Any, Any, Any]:
    """Two labels: one a tight cloud, the other on both sides of it, so that class means coincide."""
    generator = np.random.default_rng(0)
    centres = np.repeat([0.0, -5.0, 5.0], 60)
    points = np.stack([centres, np.zeros(180)], axis=1) + generator.normal(0, spread, (180, 2))
    counts = np.zeros((180, 7), np.int64)
    counts[:60, 0] = 1
    counts[60:, 4] = 1
    half = np.arange(180) % 2 == 0
    points = points.astype(np.float32)
    return points[half], counts[half], points[~half], counts[~half]


def test_the_reading_that_is_better_on_validation_is_chosen(sample: Dataset) -> None:
    known, counts, held_out, gold = blobs(0.3)
    neighbours, offset = MetricSpace.chosen(known, counts, held_out, gold, sample.labels, "argmax")
    assert offset == 0
    assert neighbours.neighbours is not None
    assert (neighbours.scores(held_out).argmax(axis=1) == gold.argmax(axis=1)).all()
    apart = known + np.where(counts[:, :1] == 1, 20, 0).astype(np.float32)
    means, _ = MetricSpace.chosen(
        apart, counts, held_out + np.where(gold[:, :1] == 1, 20, 0).astype(np.float32), gold, sample.labels, "argmax"
    )
    assert means.neighbours is None
    assert np.isneginf(means.scores(held_out)[:, 1]).all()


def test_the_neutral_offset_counts_every_utterance_of_a_text(sample: Dataset) -> None:
    points, held_out = np.array([[0.0], [1.0]], np.float32), np.array([[0.4], [0.45]], np.float32)
    known, gold = np.zeros((2, 7), np.int64), np.zeros((2, 7), np.int64)
    known[0, 0] = known[1, 4] = 1
    gold[0, 4] = gold[1, 4] = 1
    for neutral, called in ((1, [4, 4]), (3, [0, 4])):  # how often the first text is neutral as well
        gold[0, 0] = neutral
        space, offset = MetricSpace.chosen(points, known, held_out, gold, sample.labels, "calibrated")
        scores = space.scores(held_out)
        assert scores.argmax(axis=1).tolist() == [0, 0]
        scores[:, 0] += offset
        assert scores.argmax(axis=1).tolist() == called
    assert MetricSpace.chosen(points, known, held_out[:0], gold[:0], sample.labels, "calibrated")[1] == 0


def test_neighbours_agree_with_scikit_learn(sample: Dataset) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    generator = np.random.default_rng(1)
    points = generator.normal(size=(300, 5)).astype(np.float32)
    gold = generator.integers(0, 7, 300)
    space = MetricSpace(5, points, np.eye(7, dtype=np.float32)[gold])
    queries = generator.normal(size=(600, 5)).astype(np.float32)
    reference = KNeighborsClassifier(5).fit(points, gold).predict_proba(queries)
    np.testing.assert_allclose(space.scores(queries), reference, atol=1e-6)
    assert space.scores(queries[:0]).shape == (0, 7)
