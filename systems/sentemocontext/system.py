"""SentEmoContext as the SEC paper (Gendron and Guibon, WASSA 2024) describes it: context-aware metric learning.

Frozen sentence embeddings of a dialogue go through a Transformer encoder layer that attends over its utterances. The
contextual vectors are trained by two losses at once: the triplet loss of a Siamese network (three towers that share
their weights, so one module) and the weighted cross-entropy of an emotion classifier, which is pre-trained on single
utterances and stays trainable. Imbalance is met three times: dialogues are sampled by inverse label frequency, the
cross-entropy is class-weighted, and triplets are balanced.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Context, Prediction, Report, System, SystemInfo
from erc_bench.progress import Progress
from erc_bench.toolkit.encoders import SentenceEncoder, check_trained_with, pick_device
from erc_bench.toolkit.precision import native_precision
from erc_bench.toolkit.training import (
    calibrate,
    deterministic_training,
    load_model,
    one_thread,
    prediction,
    save_model,
    turns_by_dialogue,
)

from .config import SentEmoContextConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .network import SentEmoContextNetwork
    from .trainer import EmbeddedDialogues


class SentEmoContext(System[SentEmoContextConfig]):
    """A contextual encoder over frozen sentence embeddings, trained by triplet loss and weighted cross-entropy."""

    info = SystemInfo(
        name="sentemocontext",
        summary="Attention over a dialogue's frozen sentence embeddings; triplet loss and weighted cross-entropy.",
        reference="Gendron and Guibon (WASSA 2024), as the paper describes it",
        context="dialogue",
        licence="Apache-2.0",
    )

    _network: SentEmoContextNetwork
    _offset: float
    _measurements: dict[str, Any]

    @property
    def context(self) -> Context:
        return self.config.context

    @property
    def parameters(self) -> int | None:
        """Those of the sentence encoder and of the network on top of it."""
        return self._encoder.source.parameters + sum(p.numel() for p in self._network.parameters())

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        return SentenceEncoder(self.config.encoder, self.runtime, self.config.precision)

    @cached_property
    def _device(self) -> str:
        return pick_device(self.runtime.device)

    def _new_network(self, speakers: int) -> SentEmoContextNetwork:
        from .network import SentEmoContextNetwork

        config, dim = self.config, self._encoder.source.dim
        if dim % config.heads:
            from erc_bench.errors import ConfigError

            raise ConfigError(
                f"the setting heads of {self.info.name} must divide the encoder's {dim} components, got {config.heads}."
            )
        return SentEmoContextNetwork(
            dim,
            len(self.labels),
            heads=config.heads,
            feed_forward=config.feed_forward,
            dropout=config.dropout,
            context=config.context,
            speakers=speakers if config.speakers else 0,
            positions=config.positions,
        ).to(self._device)

    def _embed(self, dialogues: Sequence[Dialogue], progress: Progress) -> NDArray[np.float32]:
        """Frozen sentence embeddings of all utterances in order, float32 (utterances, dim)."""
        return self._encoder.embed([u.text for dialogue in dialogues for u in dialogue.utterances], progress=progress)

    def _embedded(self, dialogues: Sequence[Dialogue], progress: Progress) -> EmbeddedDialogues:
        from .trainer import EmbeddedDialogues

        return EmbeddedDialogues.of(dialogues, self._embed(dialogues, progress), self.labels, self._device)

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        from .trainer import Trainer, speaker_vectors

        data, held_out = self._embedded(train, progress), self._embedded(validation, progress)
        with deterministic_training(seed) as generator:
            self._network = self._new_network(speaker_vectors(train))
            trainer = Trainer(self.config, self._network, data, generator)
            if self.config.arithmetic == "bf16" and (trainer.twin is None or native_precision() != "bf16"):
                progress.note(
                    "arithmetic=bf16 gains nothing here: it is for a processor that multiplies bfloat16 natively."
                )
            trainer.pretrain_classifier(progress)
            best = -1.0
            steps = self.config.epochs * trainer.batches_an_epoch
            with progress.task("Training", total=steps, unit="batches") as task:
                for epoch in range(1, self.config.epochs + 1):
                    losses = trainer.epoch(task.advance)
                    offset, micro_f1 = self._calibrate(held_out)
                    note = f"Epoch {epoch}: cross-entropy {losses[0]:.3f}, triplets {losses[1]:.3f}"
                    progress.note(f"{note}, validation micro F1 {100 * micro_f1:.2f}")
                    if micro_f1 > best or not held_out or self.config.keep == "last":
                        best, self._offset = micro_f1, offset
                        weights = copy.deepcopy(self._network.state_dict())
                        self._measurements = {"best_epoch": epoch, "validation_micro_f1": round(100 * micro_f1, 2)}
        self._network.load_state_dict(weights)
        self._measurements |= {
            "neutral_offset": round(self._offset, 4),
            "encoder_sha256": self._encoder.source.weights_sha256,
        }

    def _calibrate(self, held_out: EmbeddedDialogues) -> tuple[float, float]:
        from .trainer import logits_of

        if not held_out:
            return 0.0, 0.0
        logits, gold = logits_of(self._network, held_out), held_out.gold.cpu().numpy()
        return calibrate(logits[gold >= 0], gold[gold >= 0], self.labels.neutral_index, self.config.decision)

    def _run(
        self, dialogue: Dialogue, embeddings: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Contextual vectors and logits of one dialogue: alone, so that no other dialogue has a part in it."""
        import torch

        self._network.eval()
        with one_thread(), torch.inference_mode():
            speakers = torch.tensor(dialogue.speaker_order, dtype=torch.int64)
            vectors, logits = self._network(
                torch.from_numpy(embeddings).to(self._device), [len(embeddings)], speakers.to(self._device)
            )
            return vectors.cpu().numpy(), logits.cpu().numpy()

    def _alone(
        self, dialogues: Sequence[Dialogue], progress: Progress
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Contextual vectors and logits of each dialogue, in order."""
        vectors, start = self._embed(dialogues, progress), 0
        for dialogue in dialogues:
            yield self._run(dialogue, vectors[start : start + len(dialogue)])
            start += len(dialogue)

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        turns = turns_by_dialogue(targets)
        asked = [dialogue for dialogue in dialogues if dialogue.id in turns]
        for dialogue, (_, logits) in zip(asked, self._alone(asked, progress), strict=True):
            for turn in turns[dialogue.id]:
                yield prediction(Target(dialogue.id, turn), logits[turn], self._offset, self.labels)

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        """Contextual utterance vectors scaled to length 1, as the triplet loss compares them."""
        import numpy as np

        for vectors, _ in self._alone(dialogues, progress):
            yield vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))

    def save(self, folder: Path) -> None:
        settings = {
            "neutral_offset": self._offset,
            "measurements": self._measurements,
            "encoder": self._encoder.source.identity,
        }
        save_model(folder, self._network.state_dict(), settings)

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        check_trained_with(self._encoder.source, settings.get("encoder"), folder)
        self._network = self._new_network(len(tensors["encoder.speaker"]))
        self._network.load_state_dict(tensors)
        self._offset, self._measurements = settings["neutral_offset"], settings["measurements"]

    def report(self) -> Report:
        return Report(measurements=self._measurements)
