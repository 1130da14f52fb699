from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from erc_bench.contract.domain import Dataset
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.rows import Row, control_row, row_of_runs, spread_over, with_confusions
from erc_bench.scoring.metrics import confusion_counts

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def test_a_row_says_what_its_records_say(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    records = [write_run(tmp_path, mini, gold(mini), seed=seed).record for seed in (0, 1)]
    row = row_of_runs("echo", records, "utterance", "all")
    assert (row.dataset, row.protocol, row.subset, row.seeds) == ("mini", "utterance", "all", 2)
    assert row.source.endswith("--seeds 0-1")
    assert len(row.commands) == 2
    assert row.scores == {}
    control = control_row("noise", "nothing", "mini", "triplet", "all")
    assert (control.floor, control.evidence, control.seeds) == (True, "measured", None)


def test_what_follows_from_confusions_is_a_mean_over_them() -> None:
    generator = np.random.default_rng(0)
    names = np.array(LABELS.names)
    gold, answers = names[generator.integers(7, size=300)], names[generator.integers(7, size=(2, 300))]
    counts = np.stack([confusion_counts(gold.tolist(), found.tolist(), LABELS) for found in answers])
    row = with_confusions(Row("a", "mini", "utterance", "all", "measured", ""), counts, LABELS)
    expected = [
        precision_recall_fscore_support(gold, found, labels=list(LABELS.emotions), average="weighted", zero_division=0)
        for found in answers
    ]
    for position, name in enumerate(("precision", "recall")):
        values = [100 * scores[position] for scores in expected]
        assert row.weighted[name].value == pytest.approx(np.mean(values))
        assert row.weighted[name].deviation == pytest.approx(np.std(values, ddof=1))
    assert row.confusion is not None
    assert row.shares is not None
    assert row.confusion.sum() == 600
    np.testing.assert_allclose(row.shares.sum(axis=1), 1)
    assert row.per_label["anger"]["support"] == (gold == "anger").sum()


def test_one_value_has_no_deviation() -> None:
    assert spread_over(np.array([3.0])).deviation is None
    assert spread_over(np.array([3.0, 5.0])).deviation == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("system", "config", "decision"),
    [
        ("sentemocontext", {"decision": "calibrated"}, "calibrated"),
        ("sentemocontext", {"decision": "argmax"}, "argmax"),
        ("raw-encoder", {"encoder": "minilm"}, "argmax"),  # older than the setting
        ("raw-encoder", {"encoder": "minilm", "decision": "calibrated"}, "calibrated"),
        ("lookup", {}, "none"),
        ("not-installed", {"decision": "argmax"}, "argmax"),
        ("not-installed", {}, ""),
    ],
)
def test_a_row_says_how_labels_were_chosen(
    system: str, config: dict[str, str], decision: str, tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    record = write_run(tmp_path, mini, gold(mini)).record.model_copy(update={"system": system, "config": config})
    assert row_of_runs("t", [record], "utterance", "all").decision == decision
    made_elsewhere = record.model_copy(update={"evidence": "predictions"})
    assert row_of_runs("t", [made_elsewhere], "utterance", "all").decision == ""
