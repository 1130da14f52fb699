from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import DataCorruptError
from erc_bench.paper.measure import Measurements, of_matrix
from erc_bench.paper.published import Counterpart, paper_tables
from erc_bench.protocols.emotional import EMOTIONAL
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.triplet.protocol import TRIPLET
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.predictions import PREDICTIONS_FILE, read_predictions
from erc_bench.scoring import metrics

if TYPE_CHECKING:
    from .conftest import MakeRun


def test_weighted_precision_and_recall_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import precision_recall_fscore_support

    generator = np.random.default_rng(0)
    names = np.array(LABELS.names)
    gold, predicted = names[generator.integers(7, size=500)], names[generator.integers(7, size=500)]
    confusion = metrics.confusion_counts(gold.tolist(), predicted.tolist(), LABELS)
    found = metrics.weighted_over_emotions(confusion, LABELS)
    p, r, _, _ = precision_recall_fscore_support(
        gold, predicted, labels=list(LABELS.emotions), average="weighted", zero_division=0
    )
    assert (found["precision"], found["recall"]) == pytest.approx((100 * p, 100 * r))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Llama2-7b", {"precision": 26.77, "recall": 24.77, "macro_f1": 9.70, "micro_f1": 24.92, "mcc": 0.008}),
        ("Llama2-13b", {"precision": 32.63, "recall": 83.49, "macro_f1": 22.26, "micro_f1": 43.37, "mcc": 0.152}),
        ("Falcon-7b", {"precision": 24.81, "recall": 86.85, "macro_f1": 7.41, "micro_f1": 42.84, "mcc": 0.026}),
    ],
)
def test_scores_of_the_released_confusion_matrices(name: str, expected: dict[str, float]) -> None:
    found = of_matrix(paper_tables().confusion(name), LABELS)
    for key, value in expected.items():
        assert found[key].value == pytest.approx(value, abs=0.00051 if key == "mcc" else 0.0051)


def test_scores_and_intervals_over_seeds(make_run: MakeRun, sample: Dataset) -> None:
    runs = [make_run("parrot", seed=0, wrong=3), make_run("parrot", seed=1, wrong=5)]
    found = Measurements(sample, runs)
    scored = found.score(found.rows[0], UTTERANCE)
    assert scored is not None
    assert scored.measured_by == "parrot, 2 seeds"
    gold = [u.label or "" for d in sample.test for u in d.utterances]
    by_seed = [
        metrics.scores(
            metrics.confusion_counts(gold, [p.label for p in read_predictions(run.folder).values()], sample.labels),
            sample.labels,
        )
        for run in runs
    ]
    for name in ("macro_f1", "micro_f1", "mcc"):
        value = scored.values[name]
        seeds = [float(scores[name]) for scores in by_seed]
        assert value.value == pytest.approx(np.mean(seeds))
        assert value.deviation == pytest.approx(np.std(seeds, ddof=1))
        assert value.low is not None
        assert value.high is not None
        assert value.low < value.value < value.high
    assert scored.row.per_label["anger"]["support"] == gold.count("anger")


def test_emotional_utterances_leave_neutral_ones_out(make_run: MakeRun, sample: Dataset) -> None:
    found = Measurements(sample, [make_run("parrot")])
    scored = found.score(found.rows[0], EMOTIONAL)
    assert scored is not None
    gold = [u.label for d in sample.test for u in d.utterances]
    assert sum(column["support"] for column in scored.row.per_label.values()) == sum(
        label != "no emotion" for label in gold
    )
    assert scored.row.per_label["no emotion"]["support"] == 0


def test_protocols_that_a_run_does_not_cover(make_run: MakeRun, sample: Dataset) -> None:
    found = Measurements(sample, [make_run("parrot", targets="last")])
    row = found.rows[0]
    assert found.score(row, LAST_TURN) is not None
    assert found.score(row, UTTERANCE) is None
    assert found.score(row, TRIPLET) is None
    assert found.score(None, LAST_TURN) is None
    assert found.under(UTTERANCE) == []


def test_triplets_are_scored_over_resamplings_and_seeds(make_run: MakeRun, sample: Dataset) -> None:
    found = Measurements(sample, [make_run("space", seed=seed, embeds=True) for seed in (0, 1)])
    scored = found.score(found.rows[0], TRIPLET)
    assert scored is not None
    np.testing.assert_allclose(scored.shares.sum(axis=1), 1)
    assert 60 < scored.values["micro_f1"].value < 100
    deviation = scored.values["micro_f1"].deviation
    assert deviation is not None
    assert deviation > 0
    utterances = sum(len(dialogue) for dialogue in sample.test)
    assert sum(column["support"] for column in scored.row.per_label.values()) == pytest.approx(utterances)


def test_a_space_whose_triplets_tie_says_so(make_run: MakeRun, sample: Dataset) -> None:
    found = Measurements(sample, [make_run("space", embeds=True), make_run("flat", embeds=True, spread=0.0)])
    by_title = {scored.title: scored.measured_by for scored in found.under(TRIPLET)}
    assert by_title == {"space": "space, seed 0", "flat": "flat, seed 0, 100% of its triplets tie"}


def test_controls_of_the_protocol_triplet(sample: Dataset) -> None:
    noise, ties_right, ties_half = Measurements(sample, []).controls()
    for name in ("macro_f1", "micro_f1"):
        assert noise.values[name].value == pytest.approx(50, abs=1)
        assert ties_right.values[name].value == 100
        assert ties_half.values[name].value == pytest.approx(50, abs=1)
    assert ties_right.values["mcc"].value == 1
    assert "degenerate" in ties_right.title


def test_the_counterpart_of_a_row_is_found_by_settings(make_run: MakeRun, sample: Dataset) -> None:
    runs = [make_run("parrot"), make_run("parrot", settings={"loud": True}), make_run("parrot", targets="last", seed=5)]
    found = Measurements(sample, runs)
    loud = found.counterpart(Counterpart(system="parrot", settings={"loud": True}))
    assert loud is not None
    assert loud.title == "parrot (loud=true)"
    assert found.counterpart(Counterpart(system="parrot", settings={"loud": False})) is None
    assert found.named("parrot") is not None
    assert found.named("cockatoo") is None


def test_runs_with_a_withheld_label_of_another_corpus_or_unfinished_take_no_part(
    make_run: MakeRun, sample: Dataset
) -> None:
    elsewhere = {"dataset": "meld", "fingerprint": "0" * 64, "labels": {"joy": "happiness"}, "labels_sha256": "0" * 64}
    runs = [make_run("a", withheld="fear"), make_run("b", status="failed"), make_run("c", dataset="dailydialog")]
    runs += [make_run("d", trained_on=elsewhere), make_run("e", train_subset="novel")]
    assert Measurements(sample, runs).rows == ()


def test_altered_predictions_are_refused(make_run: MakeRun, sample: Dataset, tmp_path: Path) -> None:
    run = make_run("parrot")
    path = run.folder / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes().replace(b"anger", b"happiness", 1))
    with pytest.raises(DataCorruptError, match="it was altered"):
        Measurements(sample, [run])


@pytest.mark.data
def test_constant_happiness_on_the_real_last_turns(dailydialog: Dataset) -> None:
    found = Measurements(dailydialog, [])
    scores = found.constant("happiness", LAST_TURN)
    assert scores["macro_f1"].value == pytest.approx(7.37, abs=0.005)
    assert scores["micro_f1"].value == pytest.approx(42.80, abs=0.005)
    assert scores["mcc"].value == 0
    assert found.constant("happiness", UTTERANCE)["micro_f1"].value == pytest.approx(22.25, abs=0.005)
