from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from erc_bench.contract.domain import Dataset, Target
from erc_bench.contract.system import Prediction, Runtime
from erc_bench.errors import SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.running.context_check import check_context
from erc_bench.systems.dialogue_encoder import fine_tuning
from erc_bench.systems.dialogue_encoder.network import DialogueNetwork
from erc_bench.systems.dialogue_encoder.system import (
    CHECKPOINT_FOLDER,
    ENCODER_FOLDER,
    DialogueEncoder,
    DialogueEncoderConfig,
)
from erc_bench.toolkit.training import WEIGHTS_FILE

SILENT = SilentProgress()
FAST: dict[str, Any] = {"precision": "float32", "batch_tokens": 512}


@pytest.fixture(scope="module")
def small(sample: Dataset) -> Dataset:
    return replace(sample, train=sample.train[:12], validation=sample.validation[:4], test=sample.test[:6])


def build(dataset: Dataset, folder: Path | None = None, **settings: Any) -> DialogueEncoder:
    config = DialogueEncoderConfig(**(FAST | settings))
    return DialogueEncoder(config, labels=dataset.labels, runtime=Runtime(device="cpu", run_dir=folder))


def fitted(dataset: Dataset, folder: Path | None = None, **settings: Any) -> DialogueEncoder:
    made = build(dataset, folder, **settings)
    made.fit(dataset.train, dataset.validation, seed=0, progress=SILENT)
    return made


def answers(system: DialogueEncoder, dataset: Dataset) -> dict[Target, Prediction]:
    bare = [dialogue.without_labels() for dialogue in dataset.test]
    targets = [target for dialogue in bare for target in dialogue.targets()]
    return {p.target: p for p in system.predict(bare, targets, progress=SILENT)}


def test_what_is_saved_answers_the_same_when_loaded(small: Dataset, tmp_path: Path) -> None:
    system = fitted(small, epochs=1)
    system.save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".txt"}
    loaded = build(small, epochs=1)
    loaded.load(tmp_path)
    assert answers(loaded, small) == answers(system, small)
    assert loaded.parameters == system.parameters


@pytest.mark.parametrize("context", ["utterance", "past"])
def test_the_harness_proves_what_it_reads(small: Dataset, context: str) -> None:
    system = fitted(small, epochs=1, context=context, precision="bf16")
    checked = check_context(system, [dialogue.without_labels() for dialogue in small.test])
    assert checked.tested
    assert checked.targets > 0


@pytest.mark.parametrize("context", ["dialogue", "utterance"])
def test_batches_of_an_accelerator_answer_what_single_windows_do(small: Dataset, tmp_path: Path, context: str) -> None:
    trained = fitted(small, context=context)
    trained.save(tmp_path)
    batched = DialogueEncoder(trained.config, labels=small.labels, runtime=Runtime(device="cpu:0"))  # not "cpu"
    batched.load(tmp_path)
    alone, together = answers(trained, small), answers(batched, small)
    assert alone.keys() == together.keys()
    for target, prediction in alone.items():
        assert prediction.scores is not None
        assert together[target].scores == pytest.approx(prediction.scores, abs=1e-3)


def test_training_moves_the_transformer_but_not_its_word_vectors(small: Dataset, tmp_path: Path) -> None:
    from transformers import AutoModel

    from erc_bench.toolkit.encoders import resolve_encoder

    fitted(small, epochs=1).save(tmp_path)
    # Loaded, since transformers 5.0 gives some weights other names in files.
    before, after = (
        AutoModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
        for folder in (resolve_encoder("minilm").folder, tmp_path / ENCODER_FOLDER)
    )
    equal = {name for name, tensor in after.items() if torch.equal(tensor, before[name])}
    assert equal == {"embeddings.word_embeddings.weight", *(n for n in equal if "token_type" in n)}


class KilledError(RuntimeError):
    pass


def test_a_run_killed_after_an_epoch_trains_on_from_there_with_the_same_result(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    unbroken = fitted(small, whole, epochs=2)
    assert not (whole / CHECKPOINT_FOLDER).exists()
    original = fine_tuning.Trainer._one_epoch
    seen: list[int] = []

    def stop_in_the_second(self: fine_tuning.Trainer, *arguments: Any) -> None:
        if self.epoch == 1:
            raise KilledError
        original(self, *arguments)

    def counted(self: fine_tuning.Trainer, *arguments: Any) -> None:
        seen.append(self.epoch)
        original(self, *arguments)

    monkeypatch.setattr(fine_tuning.Trainer, "_one_epoch", stop_in_the_second)
    with pytest.raises(KilledError):
        fitted(small, cut, epochs=2)
    assert (cut / CHECKPOINT_FOLDER).is_dir()
    monkeypatch.setattr(fine_tuning.Trainer, "_one_epoch", counted)
    resumed = fitted(small, cut, epochs=2)
    assert seen == [1]
    for folder, system in ((tmp_path / "a", unbroken), (tmp_path / "b", resumed)):
        folder.mkdir()
        system.save(folder)
    names = [WEIGHTS_FILE, f"{ENCODER_FOLDER}/model.safetensors"]
    assert [(tmp_path / "a" / n).read_bytes() for n in names] == [(tmp_path / "b" / n).read_bytes() for n in names]


def test_gradients_of_parts_add_up_to_those_of_the_whole_batch(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_dropout(self: DialogueNetwork, mode: bool = True) -> DialogueNetwork:
        return torch.nn.Module.train(self, False)

    monkeypatch.setattr(DialogueNetwork, "train", without_dropout)
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: None)
    whole, parts = (
        fitted(small, epochs=1, batch_tokens=tokens, accumulate=1000)._network.speakers.weight.grad
        for tokens in (100_000, 400)
    )
    assert whole is not None
    assert parts is not None
    assert whole.abs().max() > 1e-3
    assert torch.allclose(whole, parts, atol=1e-5)


def test_without_labels_there_is_nothing_to_learn(small: Dataset) -> None:
    bare = replace(small, train=tuple(dialogue.without_labels() for dialogue in small.train))
    with pytest.raises(SystemFailedError, match="must hold an utterance with a label"):
        fitted(bare)


def test_an_overlap_must_leave_room_in_a_sequence() -> None:
    with pytest.raises(ValueError, match="overlap must be at least 8 below limit=500, got 495"):
        DialogueEncoderConfig(overlap=495)
