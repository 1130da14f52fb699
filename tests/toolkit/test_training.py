from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from sklearn.metrics import f1_score

from erc_bench.contract.domain import Dialogue, LabelSet, Target, Utterance
from erc_bench.data.dailydialog import DAILYDIALOG
from erc_bench.errors import SystemFailedError
from erc_bench.toolkit.training import (
    SETTINGS_FILE,
    WEIGHTS_FILE,
    Schedule,
    calibrate,
    class_weights,
    deterministic_training,
    gold_indices,
    label_counts,
    labelled_texts,
    load_model,
    one_thread,
    prediction,
    sampling_weights,
    save_model,
    turns_by_dialogue,
)

LABELS = LabelSet(("neutral", "joy", "grief"), neutral="neutral")
GOLD = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])


def dialogue(*labels: str | None) -> Dialogue:
    return Dialogue("d", tuple(Utterance(f"text {i}", "AB"[i % 2], label) for i, label in enumerate(labels)))


def test_a_withheld_label_has_no_position_and_no_text_to_learn_from() -> None:
    dialogues = [dialogue("joy", None, "neutral")]
    np.testing.assert_array_equal(gold_indices(dialogues, LABELS), [1, -1, 0])
    texts, gold = labelled_texts(dialogues, LABELS)
    assert texts == ["text 0", "text 2"]
    np.testing.assert_array_equal(gold, [1, 0])
    assert label_counts(dialogues) == {"joy": 1, "neutral": 1}


@pytest.mark.parametrize("power", [0.0, 0.25, 1.0])
def test_class_weights_fall_with_frequency_and_average_one(power: float) -> None:
    weights = class_weights(GOLD, 3, power)
    assert weights.dtype == np.float32
    assert weights[GOLD].mean() == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx(2**power)
    assert weights[2] / weights[0] == pytest.approx(6**power)


def test_a_label_without_rows_weighs_nothing() -> None:
    weights = class_weights(np.array([0, 0, 1, -1]), 3, 1.0)
    assert weights[2] == 0
    assert np.isfinite(weights).all()


def test_full_inverse_frequency_samples_each_label_equally() -> None:
    weights = sampling_weights(GOLD, 3, 1.0)
    totals = [weights[label == GOLD].sum() for label in range(3)]
    assert totals == pytest.approx([totals[0]] * 3)
    assert sampling_weights(np.array([0, 1, -1]), 3, 1.0)[2] == 0


def micro_f1(logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]], gold: object, offset: float) -> float:
    shifted = logits.astype(np.float64)
    shifted[:, 0] += offset
    return float(f1_score(gold, shifted.argmax(axis=1), labels=[1, 2], average="micro", zero_division=0))


@pytest.mark.parametrize("seed", range(5))
def test_the_calibrated_offset_gives_the_best_micro_f1_there_is(seed: int) -> None:
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, 3, 200)
    logits = np.round(generator.normal(size=(200, 3)) + np.eye(3)[gold], 1).astype(np.float32)  # with ties
    offset, reached = calibrate(logits, gold, 0, "calibrated")
    assert micro_f1(logits, gold, offset) == pytest.approx(reached)
    assert reached >= max(micro_f1(logits, gold, tried) for tried in np.arange(-6, 6, 0.05)) - 1e-9


def test_argmax_shifts_nothing_and_reports_its_micro_f1() -> None:
    generator = np.random.default_rng(0)
    gold, logits = generator.integers(0, 3, 100), generator.normal(size=(100, 3)).astype(np.float32)
    offset, reached = calibrate(logits, gold, 0, "argmax")
    assert offset == 0.0
    assert reached == pytest.approx(micro_f1(logits, gold, 0))


@pytest.mark.parametrize("decision", ["argmax", "calibrated"])
def test_without_an_emotion_there_is_nothing_to_calibrate(decision: Literal["argmax", "calibrated"]) -> None:
    logits = np.zeros((4, 3), np.float32)
    assert calibrate(logits, np.zeros(4, np.int64), 0, decision) == (0.0, 0.0)


def test_a_prediction_carries_the_scores_of_the_decision() -> None:
    logits = np.log(np.array([0.6, 0.3, 0.1], np.float32))
    made = prediction(Target("d", 2), logits, 0.0, LABELS)
    assert (made.dialogue, made.turn, made.label) == ("d", 2, "neutral")
    assert made.scores == {"neutral": 0.6, "joy": 0.3, "grief": 0.1}
    shifted = prediction(Target("d", 2), logits, -1.0, LABELS)
    assert shifted.label == "joy"
    scores = shifted.scores
    assert scores is not None
    assert max(scores, key=lambda name: scores[name]) == "joy"


def test_a_label_that_cannot_be_given_scores_zero() -> None:
    made = prediction(Target("d", 0), np.array([-np.inf, 0, 1], np.float32), 0.0, LABELS)
    assert made.label == "grief"
    assert made.scores is not None
    assert made.scores["neutral"] == 0.0


def test_turns_are_grouped_in_order() -> None:
    assert turns_by_dialogue([Target("b", 3), Target("a", 0), Target("b", 1)]) == {"b": [3, 1], "a": [0]}


def test_training_is_seeded_and_leaves_the_global_state_alone() -> None:
    import torch

    torch.manual_seed(7)
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with deterministic_training(3) as generator:
            assert torch.are_deterministic_algorithms_enabled()
            drawn.append((torch.rand(2).tolist(), torch.rand(2, generator=generator).tolist()))
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_one_thread_inside_and_as_many_as_before_outside() -> None:
    import torch

    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_the_schedule_warms_up_and_ends_at_zero() -> None:
    import torch

    parameter = torch.nn.Parameter(torch.ones(1))
    schedule = Schedule([parameter], 0.1, steps=40)
    rates = []
    for _ in range(40):
        rates.append(schedule.optimiser.param_groups[0]["lr"])
        schedule.step((parameter * 1).sum())
    assert rates[0] < rates[1] == max(rates) == pytest.approx(0.1)
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert schedule.optimiser.param_groups[0]["lr"] == pytest.approx(0)


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    import torch

    save_model(tmp_path, {"w": torch.arange(3.0)}, {"offset": 0.1})
    tensors, settings = load_model(tmp_path)
    assert tensors["w"].tolist() == [0, 1, 2]
    assert settings == {"offset": 0.1}
    assert {path.name for path in tmp_path.iterdir()} == {WEIGHTS_FILE, SETTINGS_FILE}


@pytest.mark.parametrize("damaged", [WEIGHTS_FILE, SETTINGS_FILE])
def test_a_damaged_model_is_refused(tmp_path: Path, damaged: str) -> None:
    import torch

    save_model(tmp_path, {"w": torch.arange(3.0)}, {})
    (tmp_path / damaged).write_bytes(b"{")
    with pytest.raises(SystemFailedError, match="Delete the folder"):
        load_model(tmp_path)


def test_the_paper_s_labels_are_what_the_tests_think() -> None:
    assert DAILYDIALOG.labels.index("no emotion") == 0
