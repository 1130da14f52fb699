from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.data.dailydialog import LABELS
from erc_bench.scoring import kept
from erc_bench.scoring.bootstrap import Estimate, Weights, estimates, resample_weights
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.kept import kept_estimates

WEIGHTS = resample_weights(30, resamples=40)


def some_run(seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).poisson(0.3, (30, 7, 8)) + np.eye(7, 8, dtype=np.int64)


ROWS = [[some_run(1), some_run(2)], [some_run(3)]]


def assert_same(found: Estimate, expected: Estimate) -> None:
    assert found.score == expected.score
    assert found.deviation == expected.deviation
    assert found.intervals == expected.intervals
    assert found.seed_variance == expected.seed_variance
    assert (found.seeds, found.dialogues) == (expected.seeds, expected.dialogues)
    for name in METRICS:
        np.testing.assert_array_equal(found.replicates[name], expected.replicates[name])
        np.testing.assert_array_equal(found.leave_one_out[name], expected.leave_one_out[name])
        assert found.interval(name) == expected.interval(name)


class Computed:
    """Counts the rows that were computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0
        monkeypatch.setattr(kept, "estimates", self)

    def __call__(self, rows: list[list[NDArray[np.int64]]], labels: LabelSet, weights: Weights) -> list[Estimate]:
        self.rows += len(rows)
        return estimates(rows, labels, weights)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Computed:
    return Computed(monkeypatch)


def test_kept_estimates_are_those_that_were_computed(tmp_path: Path, computed: Computed) -> None:
    expected = estimates(ROWS, LABELS, WEIGHTS)
    for _ in range(2):
        for found, wanted in zip(kept_estimates(ROWS, LABELS, WEIGHTS, tmp_path), expected, strict=True):
            assert_same(found, wanted)
    assert computed.rows == 2


def test_only_what_changed_is_computed_again(tmp_path: Path, computed: Computed) -> None:
    kept_estimates(ROWS, LABELS, WEIGHTS, tmp_path)
    changed = [[some_run(1), some_run(4)], ROWS[1], [some_run(3), some_run(3)]]
    found = kept_estimates(changed, LABELS, WEIGHTS, tmp_path)
    assert computed.rows == 2 + 2
    for one, wanted in zip(found, estimates(changed, LABELS, WEIGHTS), strict=True):
        assert one.score == wanted.score


def test_other_resamples_labels_code_or_metrics_are_other_estimates(
    tmp_path: Path, computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(labels: LabelSet = LABELS, weights: Weights = WEIGHTS) -> int:
        before = computed.rows
        kept_estimates(ROWS, labels, weights, tmp_path)
        return computed.rows - before

    assert count() == 2
    assert count() == 0
    assert count(weights=resample_weights(30, resamples=41)) == 2
    assert count(weights=resample_weights(30, resamples=40, seed=1)) == 2
    assert count(labels=replace(LABELS, neutral="anger")) == 2
    with monkeypatch.context() as context:
        context.setattr(kept, "_code", lambda: "other code")
        assert count() == 2
    # What another package computes follows from code that is not seen here: it is never kept.
    theirs = replace(METRICS["accuracy"], name="theirs", of=lambda counts: counts.total)
    monkeypatch.setitem(METRICS, "theirs", theirs)
    assert (count(), count()) == (2, 2)
    assert (
        kept_estimates(ROWS, LABELS, WEIGHTS, tmp_path)[0].score["theirs"]
        == ROWS[0][0].sum() / 2 + ROWS[0][1].sum() / 2
    )


def test_a_damaged_entry_is_computed_again(tmp_path: Path, computed: Computed) -> None:
    expected = kept_estimates(ROWS, LABELS, WEIGHTS, tmp_path)
    entries = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(entries) == 2
    entries[0].write_bytes(entries[0].read_bytes()[:-9])
    for found, wanted in zip(kept_estimates(ROWS, LABELS, WEIGHTS, tmp_path), expected, strict=True):
        assert_same(found, wanted)
    assert computed.rows == 3
