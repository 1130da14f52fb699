"""A linear probe on frozen sentence embeddings: a package outside erc-bench, written with its toolkit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erc_bench import Dialogue, Prediction, Progress, Report, System, SystemInfo, Target, option
from erc_bench.toolkit.encoders import EncoderConfig, SentenceEncoder, check_trained_with
from erc_bench.toolkit.training import (
    DECISION,
    Decision,
    Schedule,
    calibrate,
    class_weights,
    deterministic_training,
    labelled_texts,
    load_model,
    one_thread,
    prediction,
    save_model,
)


@dataclass(frozen=True)
class ProbeConfig(EncoderConfig):
    """Settings of `mood-probe`."""

    epochs: int = option(20, "times that every training utterance is seen", at_least=1, at_most=10_000)
    batch: int = option(64, "utterances in a batch", at_least=1, at_most=65_536)
    learning_rate: float = option(0.01, "highest learning rate", above=0, at_most=1)
    weight_power: float = option(
        0.5, "class weights are label frequency ** -power (0: none, 1: inverse frequency)", at_least=0, at_most=4
    )
    decision: Decision = option("calibrated", DECISION)


class MoodProbe(System[ProbeConfig]):
    """Multinomial logistic regression on the embedding of one utterance."""

    info = SystemInfo(
        name="mood-probe",
        summary="Frozen sentence embeddings and one linear layer, class-weighted",
        reference="worked example of the toolkit",
        context="utterance",
        licence="Apache-2.0",
    )

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        return SentenceEncoder(self.config.encoder, self.runtime)

    @property
    def parameters(self) -> int:
        """Weights of the encoder and of the layer."""
        return self._encoder.source.parameters + int(self._weight.size + self._bias.size)

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        """Train the layer, then choose the decision rule on validation."""
        import torch

        texts, gold = labelled_texts(train, self.labels)
        vectors, labels = torch.from_numpy(self._encoder.embed(texts, progress=progress)), torch.from_numpy(gold)
        weights = torch.from_numpy(class_weights(gold, len(self.labels), self.config.weight_power))
        with deterministic_training(seed) as generator, one_thread():
            layer = torch.nn.Linear(vectors.shape[1], len(self.labels))
            loss = torch.nn.CrossEntropyLoss(weight=weights)
            batches = -(-len(texts) // self.config.batch)
            schedule = Schedule(layer.parameters(), self.config.learning_rate, steps=self.config.epochs * batches)
            with progress.task("Training", total=self.config.epochs, unit="epochs") as task:
                for _ in range(self.config.epochs):
                    for rows in torch.randperm(len(texts), generator=generator).split(self.config.batch):
                        schedule.step(loss(layer(vectors[rows]), labels[rows]))
                    task.advance()
        self._weight, self._bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        self._offset = 0.0
        texts, gold = labelled_texts(validation, self.labels)
        if texts:
            logits = self._logits(texts, progress)
            self._offset, _ = calibrate(logits, gold, self.labels.neutral_index, self.config.decision)

    def _logits(self, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        """Float32 (texts, labels), each row computed on its own: it does not depend on what else is asked."""
        rows = [self._weight @ vector + self._bias for vector in self._encoder.embed(texts, progress=progress)]
        return np.asarray(rows, np.float32)

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        """The likeliest label of each utterance, with the probabilities of all."""
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        texts = [by_id[target.dialogue].utterances[target.turn].text for target in targets]
        for target, logits in zip(targets, self._logits(texts, progress), strict=True):
            yield prediction(target, logits, self._offset, self.labels)

    def save(self, folder: Path) -> None:
        """Write the layer, and which encoder it belongs to."""
        import torch

        tensors = {"weight": torch.from_numpy(self._weight), "bias": torch.from_numpy(self._bias)}
        save_model(folder, tensors, {"neutral_offset": self._offset, "encoder": self._encoder.source.identity})

    def load(self, folder: Path) -> None:
        """Read the layer; refuse it beside another encoder than it was trained on."""
        tensors, settings = load_model(folder)
        check_trained_with(self._encoder.source, settings["encoder"], folder)
        self._weight, self._bias = tensors["weight"].numpy(), tensors["bias"].numpy()
        self._offset = settings["neutral_offset"]

    def report(self) -> Report:
        """Which encoder ran, and the decision rule."""
        return Report(
            notes=(f"sentence encoder {self._encoder.source.name}",),
            measurements={"encoder_sha256": self._encoder.source.weights_sha256, "neutral_offset": self._offset},
        )
