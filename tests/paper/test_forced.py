from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from sklearn.metrics import f1_score

from erc_bench.contract.domain import Dataset, Target
from erc_bench.contract.system import Prediction
from erc_bench.paper.forced import forced_choice
from erc_bench.paper.measure import Measurements
from erc_bench.paper.tables import table_4
from erc_bench.records.predictions import PREDICTIONS_FILE, packed, predictions_bytes, published_bytes
from erc_bench.records.record import Run, write_record


def rewritten(
    run: Run, sample: Dataset, answer: Callable[[Target, str], Prediction], *, published: bool = False
) -> Run:
    """The run with other answers, of every test utterance and its gold label."""
    answers = [
        answer(target, dialogue.utterances[target.turn].label or "")
        for dialogue in sample.test
        for target in dialogue.targets()
    ]
    data = published_bytes(answers, scores=True) if published else predictions_bytes(answers)
    name = PREDICTIONS_FILE
    if published:
        (run.folder / PREDICTIONS_FILE).unlink()
        name = f"{PREDICTIONS_FILE}.gz"
    (run.folder / name).write_bytes(packed(data) if published else data)
    run.record.predictions_sha256 = hashlib.sha256(data).hexdigest()
    write_record(run.folder, run.record)
    return run


def cautious(target: Target, gold: str) -> Prediction:
    """Always neutral; of the emotions the right one is the likeliest at even turns, anger at odd ones."""
    scores = {
        "no emotion": 0.9,
        "anger": 0.02,
        "fear": 0.0,
        "happiness": 0.01,
        gold: 0.03 if target.turn % 2 == 0 else 0.01,
    }
    return Prediction(*target, "no emotion", scores | {"no emotion": 0.9})


@pytest.mark.parametrize("published", [False, True])
def test_the_best_of_the_emotions_is_scored(make_run: Callable[..., Run], sample: Dataset, published: bool) -> None:
    run = rewritten(make_run("sentemocontext", config={"decision": "argmax"}), sample, cautious, published=published)
    found = Measurements(sample, [run])
    forced = forced_choice(found, found.rows[0])
    assert forced is not None
    gold = [
        (u.label, turn) for d in sample.test for turn, u in enumerate(d.utterances) if u.label != sample.labels.neutral
    ]
    expected = [label if turn % 2 == 0 else "anger" for label, turn in gold]
    emotions = list(sample.labels.emotions)
    for name, average in (("micro_f1", "micro"), ("macro_f1", "macro")):
        reference = f1_score([label for label, _ in gold], expected, labels=emotions, average=average, zero_division=0)
        assert forced.values[name].value == pytest.approx(100 * reference)
        assert forced.values[name].low is not None
    lines = {line.name: line for line in table_4(found).lines}
    given, choice = (lines[f"sentemocontext (decision=argmax), {what}"] for what in ("as given", "forced choice"))
    assert choice.measured["micro_f1"] == forced.values["micro_f1"]
    assert getattr(given.measured["micro_f1"], "value", None) == 0


def test_labels_alone_give_no_forced_choice(make_run: Callable[..., Run], sample: Dataset) -> None:
    found = Measurements(sample, [make_run("sentemocontext", config={"decision": "argmax"}), make_run("lookup")])
    assert forced_choice(found, found.rows[0]) is None
    lines = [line for line in table_4(found).lines if line.name.endswith("forced choice")]
    assert [(line.name, dict(line.measured)) for line in lines] == [
        ("sentemocontext (decision=argmax), forced choice", {})
    ]
    assert lines[0].missing.startswith("records of its runs hold labels only: erc-bench run --system sentemocontext")


def test_an_answer_that_is_not_usable_stays_so(make_run: Callable[..., Run], sample: Dataset) -> None:
    run = rewritten(make_run("raw-encoder"), sample, lambda target, gold: Prediction(*target, None))
    found = Measurements(sample, [run])
    forced = forced_choice(found, found.rows[0])
    assert forced is not None
    assert forced.values["unusable_rate"].value == 1
    assert forced.values["micro_f1"].value == 0
