from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.data.dailydialog import LABELS
from erc_bench.scoring import kept
from erc_bench.scoring.bootstrap import Estimate, estimates, without_replicates
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.kept import kept_estimates
from erc_bench.scoring.metrics import row_margins
from erc_bench.scoring.resampling import Resampling, Weights, resample_weights

WEIGHTS = resample_weights(30, resamples=40)


def some_run(seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).poisson(0.3, (30, 7, 8)) + np.eye(7, 8, dtype=np.int64)


ROWS = [[some_run(1), some_run(2)], [some_run(3)]]
COLUMNS = [row_margins(runs) for runs in ROWS]


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
    """Counts the rows that were computed, and the metrics of rows that were drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = self.drawn = 0
        monkeypatch.setattr(kept, "without_replicates", self.without_replicates)
        draw = Resampling.draw

        def counted(of: Resampling, metric: str, places: Sequence[int]) -> list[NDArray[np.float64]]:
            self.drawn += len(places)
            return draw(of, metric, places)

        monkeypatch.setattr(Resampling, "draw", counted)

    def without_replicates(self, columns: NDArray[np.int64], labels: LabelSet) -> Estimate:
        self.rows += 1
        return without_replicates(columns, labels)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Computed:
    return Computed(monkeypatch)


def entries_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_kept_estimates_are_those_that_were_computed(tmp_path: Path, computed: Computed) -> None:
    expected = estimates(ROWS, LABELS, WEIGHTS)
    for row in expected:
        assert all(len(row.replicates[name]) == 40 for name in METRICS)
    before = computed.drawn
    for _ in range(2):
        for found, wanted in zip(kept_estimates(COLUMNS, LABELS, WEIGHTS, tmp_path), expected, strict=True):
            assert_same(found, wanted)
    assert computed.rows == len(ROWS)
    assert computed.drawn - before == len(ROWS) * len(METRICS)


def test_only_what_is_asked_for_is_drawn(tmp_path: Path, computed: Computed) -> None:
    found = kept_estimates(COLUMNS, LABELS, WEIGHTS, tmp_path)
    assert (computed.rows, computed.drawn) == (2, 0)
    assert len(found[1].replicates["mcc"]) == len(found[0].replicates["mcc"]) == 40
    assert computed.drawn == 2
    assert len(found[0].replicates) == len(METRICS)
    assert set(found[0].replicates) == set(METRICS)


def test_only_what_changed_is_computed_again(tmp_path: Path, computed: Computed) -> None:
    assert kept_estimates(COLUMNS, LABELS, WEIGHTS, tmp_path)[0].replicates["mcc"].any()
    changed = [[some_run(1), some_run(4)], ROWS[1], [some_run(3), some_run(3)]]
    found = kept_estimates([row_margins(runs) for runs in changed], LABELS, WEIGHTS, tmp_path)
    assert computed.rows == 2 + 2
    assert found[1].replicates["mcc"].any()
    assert computed.drawn == 2 + 2
    for one, wanted in zip(found, estimates(changed, LABELS, WEIGHTS), strict=True):
        assert_same(one, wanted)


def test_other_resamples_labels_code_or_metrics_are_other_estimates(
    tmp_path: Path, computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(labels: LabelSet = LABELS, weights: Weights = WEIGHTS) -> tuple[int, int]:
        before = computed.rows, computed.drawn
        assert kept_estimates(COLUMNS, labels, weights, tmp_path)[0].replicates["micro_f1"].any()
        return computed.rows - before[0], computed.drawn - before[1]

    assert count() == (2, 2)
    assert count() == (0, 0)
    assert count(weights=resample_weights(30, resamples=41)) == (2, 2)
    assert count(weights=resample_weights(30, resamples=40, seed=1)) == (2, 2)
    assert count(labels=replace(LABELS, neutral="anger")) == (2, 2)
    with monkeypatch.context() as context:
        context.setattr(kept, "_code", lambda: "other code")
        assert count() == (2, 2)
    # What another package computes follows from code that is not seen here: it is never kept.
    theirs = replace(METRICS["accuracy"], name="theirs", of=lambda counts: counts.total)
    monkeypatch.setitem(METRICS, "theirs", theirs)
    assert count() == (0, 2)
    found = kept_estimates(COLUMNS, LABELS, WEIGHTS, tmp_path)[0]
    assert found.score["theirs"] == ROWS[0][0].sum() / 2 + ROWS[0][1].sum() / 2
    assert len(entries_of(tmp_path)) == 5 * 4


def test_code_of_this_folder_and_numpy_make_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for name, content in (("kept.py", "1"), ("kept.py", "2"), ("more.py", "1")):
        (tmp_path / name).write_text(content)
        seen.append(kept._digest(tmp_path))
    assert len(set(seen)) == 3
    (tmp_path / "notes.txt").write_text("no code")
    assert kept._digest(tmp_path) == seen[-1]
    monkeypatch.setattr(np, "__version__", "another")
    assert kept._digest(tmp_path) not in seen


def test_a_damaged_entry_is_computed_again(tmp_path: Path, computed: Computed) -> None:
    expected = kept_estimates(COLUMNS, LABELS, WEIGHTS, tmp_path)
    estimated = entries_of(tmp_path)
    assert len(estimated) == 2
    for row in expected:
        assert all(len(row.replicates[name]) for name in METRICS)
    drawn = [path for path in entries_of(tmp_path) if path not in estimated]
    assert len(drawn) == 2 * len(METRICS)
    for path in (estimated[0], drawn[0]):
        path.write_bytes(path.read_bytes()[:-9])
    before = computed.drawn
    for found, wanted in zip(kept_estimates(COLUMNS, LABELS, WEIGHTS, tmp_path), expected, strict=True):
        assert_same(found, wanted)
    assert (computed.rows, computed.drawn - before) == (3, 1)
