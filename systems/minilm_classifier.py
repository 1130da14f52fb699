"""The paper's utterance classifier (Table 4): a sentence encoder and a classification head, no context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Prediction, Report, System, SystemInfo
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress
from erc_bench.toolkit.encoders import (
    BatchInvariantEncoder,
    SentenceEncoder,
    SentenceEncoderConfig,
    check_trained_with,
    load_encoder,
    pick_device,
    resolve_encoder,
    tokenize,
)
from erc_bench.toolkit.threads import threads_option
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
    sampling_weights,
    save_model,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

ENCODER_FOLDER = "encoder"
TEXTS_A_CHUNK = 256
BATCHES_A_BUCKET = 20


@dataclass(frozen=True)
class MinilmClassifierConfig(SentenceEncoderConfig):
    """Settings of `minilm-classifier`."""

    fine_tune: bool = option(False, "train the encoder too, after the head; otherwise it stays frozen")
    labels: Literal["all", "emotions"] = option(
        "all", "what is learned and answered: all labels, or the emotions alone as in the paper's Table 4"
    )
    sampler_power: float = option(
        0.25, "utterances are sampled by label frequency ** -power (1: balanced batches)", at_least=0, at_most=4
    )
    weight_power: float = option(
        0.25, "class weights of the cross-entropy are label frequency ** -power", at_least=0, at_most=4
    )
    epochs: int = option(
        10, "passes of the head over as many utterances as the training split has", at_least=1, at_most=10_000
    )
    batch_size: int = option(256, "utterances in a batch of the head", at_least=1, at_most=1_000_000)
    learning_rate: float = option(1e-3, "highest learning rate of the head", above=0, at_most=1)
    hidden: int = option(1024, "width of the head's hidden layer", at_least=1, at_most=65_536)
    dropout: float = option(0.5, "dropout in the head", at_least=0, below=1)
    steps: int = option(1200, "batches of fine-tuning", at_least=1, at_most=1_000_000)
    fine_tune_batch_size: int = option(32, "utterances in a batch of fine-tuning", at_least=1, at_most=65_536)
    fine_tune_rate: float = option(1e-4, "highest learning rate of fine-tuning", above=0, at_most=1)
    max_length: int = option(64, "tokens of an utterance that fine-tuning reads", at_least=3, at_most=65_536)
    decision: Decision = option("calibrated", DECISION)
    threads: int = threads_option()


class MinilmClassifier(System[MinilmClassifierConfig]):
    """A head on sentence embeddings, frozen or fine-tuned; balanced batches and weighted cross-entropy."""

    info = SystemInfo(
        name="minilm-classifier",
        summary="Classifier on the sentence embedding of the utterance alone, encoder frozen or fine-tuned.",
        reference="Gendron and Guibon (WASSA 2024), Table 4",
        context="utterance",
        licence="Apache-2.0",
    )

    _head: torch.nn.Sequential
    _offset: float
    _tuned: BatchInvariantEncoder | None = None

    @classmethod
    def decision_of(cls, config: Mapping[str, Any]) -> str:
        """Among the emotions alone the likeliest: there is no neutral score to add an offset to."""
        return "argmax" if config.get("labels") == "emotions" else super().decision_of(config)

    @property
    def parameters(self) -> int | None:
        """Those of the sentence encoder and of the head."""
        return self._encoder.source.parameters + sum(p.numel() for p in self._head.parameters())

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        return SentenceEncoder(self.config.encoder, self.runtime, self.config.precision)

    @cached_property
    def _device(self) -> str:
        return pick_device(self.runtime.device)

    @property
    def _left_out(self) -> int | None:
        return self.labels.neutral_index if self.config.labels == "emotions" else None

    def _learned(self, dialogues: Sequence[Dialogue]) -> tuple[list[str], NDArray[np.int64]]:
        texts, gold = labelled_texts(dialogues, self.labels)
        if self._left_out is not None:
            texts = [text for text, label in zip(texts, gold, strict=True) if label != self._left_out]
            gold = gold[gold != self._left_out]
        return texts, gold

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        texts, gold = self._learned(train)
        if not texts:
            raise SystemFailedError("training dialogues must hold an utterance with a label to learn, got none.")
        with deterministic_training(seed) as generator:
            self._head = self._new_head()
            trainer = _Trainer(self.config, texts, gold, len(self.labels), self._device, generator)
            trainer.train_head(self._head, self._encoder.embed(texts, progress=progress), progress)
            if self.config.fine_tune:
                encoder = load_encoder(self._encoder.source, self._device)
                trainer.fine_tune(encoder, self._head, progress)
                self._tuned = self._invariant(encoder)
        texts, gold = self._learned(validation)
        self._offset, self._micro_f1 = 0.0, 0.0
        if texts:
            logits = self._logits(texts, progress)
            self._offset, self._micro_f1 = calibrate(logits, gold, self.labels.neutral_index, self.config.decision)
        if self._left_out is not None:
            self._offset = 0.0  # nothing to weigh emotions against

    def _new_head(self) -> torch.nn.Sequential:
        from torch import nn

        dim, hidden = self._encoder.source.dim, self.config.hidden
        return nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(self.config.dropout),
            nn.Linear(hidden, len(self.labels)),
        ).to(self._device)

    def _invariant(self, encoder: SentenceTransformer) -> BatchInvariantEncoder:
        return BatchInvariantEncoder(encoder, self._device, max_length=self.config.max_length)

    def _vectors(self, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        if self._tuned is None:
            return self._encoder.embed(texts, progress=progress)
        return self._tuned.embed(texts)

    def _logits(self, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        """Logits, float32 (texts, labels), text by text: their bits depend on no other text."""
        import numpy as np
        import torch

        self._head.eval()
        vectors = torch.from_numpy(self._vectors(texts, progress)).to(self._device)
        with one_thread(), torch.inference_mode():
            logits = torch.cat([self._head(row[None]) for row in vectors]).cpu().numpy()
        if self._left_out is not None:
            logits[:, self._left_out] = -np.inf
        return np.asarray(logits, np.float32)

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        texts = {target: u.text for d in dialogues for target, u in zip(d.targets(), d.utterances, strict=True)}
        if self._tuned is None:
            self._encoder.embed([texts[target] for target in targets], progress=progress)
        for start in range(0, len(targets), TEXTS_A_CHUNK):
            chunk = targets[start : start + TEXTS_A_CHUNK]
            logits = self._logits([texts[target] for target in chunk], progress)
            for target, row in zip(chunk, logits, strict=True):
                yield prediction(target, row, self._offset, self.labels)

    def save(self, folder: Path) -> None:
        settings = {
            "neutral_offset": self._offset,
            "validation_micro_f1": self._micro_f1,
            "encoder": self._encoder.source.identity,
        }
        save_model(folder, self._head.state_dict(), settings)
        if self._tuned is not None:
            self._tuned.model.save_pretrained(str(folder / ENCODER_FOLDER), create_model_card=False)

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        check_trained_with(self._encoder.source, settings.get("encoder"), folder)
        self._head = self._new_head()
        self._head.load_state_dict(tensors)
        self._offset, self._micro_f1 = settings["neutral_offset"], settings["validation_micro_f1"]
        if self.config.fine_tune:
            encoder = load_encoder(resolve_encoder(str(folder / ENCODER_FOLDER)), self._device)
            self._tuned = self._invariant(encoder)

    def report(self) -> Report:
        return Report(
            measurements={
                "validation_micro_f1": round(100 * self._micro_f1, 2),
                "neutral_offset": round(self._offset, 4),
                "encoder_sha256": self._encoder.source.weights_sha256,
            }
        )


class _Trainer:
    """First the head on frozen embeddings, then, if asked, head and encoder together."""

    def __init__(
        self,
        config: MinilmClassifierConfig,
        texts: Sequence[str],
        gold: NDArray[np.int64],
        labels: int,
        device: str,
        generator: torch.Generator,
    ) -> None:
        import torch

        self.config, self.texts, self.device, self.generator = config, texts, device, generator
        self.gold = torch.from_numpy(gold)
        self.sampling = sampling_weights(gold, labels, config.sampler_power).tolist()
        weights = torch.from_numpy(class_weights(gold, labels, config.weight_power)).to(device)
        self.cross_entropy = torch.nn.CrossEntropyLoss(weights)

    def draw(self, count: int) -> list[int]:
        """Rows with replacement, rare labels more often."""
        from torch.utils.data import WeightedRandomSampler

        return list(WeightedRandomSampler(self.sampling, count, generator=self.generator))

    def train_head(self, head: torch.nn.Module, embeddings: NDArray[np.float32], progress: Progress) -> None:
        import torch

        vectors, size = torch.from_numpy(embeddings), self.config.batch_size
        steps = self.config.epochs * -(-len(vectors) // size)
        optimiser = Schedule(head.parameters(), self.config.learning_rate, steps=steps)
        head.train()
        with progress.task("Training the head", total=steps, unit="batches") as task:
            for _ in range(self.config.epochs):
                for rows in torch.tensor(self.draw(len(vectors))).split(size):
                    logits = head(vectors[rows].to(self.device))
                    optimiser.step(self.cross_entropy(logits, self.gold[rows].to(self.device)))
                    task.advance()

    def fine_tune(self, encoder: SentenceTransformer, head: torch.nn.Module, progress: Progress) -> None:
        import torch

        for name, parameter in encoder.named_parameters():
            # Word vectors stay: most words are rare here, and half of the optimiser's work would be theirs.
            parameter.requires_grad_("word_embeddings" not in name)
        trained = [p for p in [*encoder.parameters(), *head.parameters()] if p.requires_grad]
        optimiser = Schedule(trained, self.config.fine_tune_rate, steps=self.config.steps)
        ids = tokenize(encoder, self.texts, self.config.max_length)
        padding = encoder.tokenizer.pad_token_id
        encoder.train()
        head.train()
        with progress.task("Fine-tuning", total=self.config.steps, unit="batches") as task:
            for batch in self._batches_of_like_length(ids):
                rows = [torch.tensor(ids[i]) for i in batch]
                tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=padding).to(self.device)
                lengths = torch.tensor([len(row) for row in rows], device=self.device)
                mask = (torch.arange(tokens.shape[1], device=self.device) < lengths[:, None]).long()
                vectors = encoder({"input_ids": tokens, "attention_mask": mask})["sentence_embedding"]
                optimiser.step(self.cross_entropy(head(vectors), self.gold[batch].to(self.device)))
                task.advance()
        encoder.eval()

    def _batches_of_like_length(self, ids: Sequence[Sequence[int]]) -> Iterable[list[int]]:
        import torch

        size, left = self.config.fine_tune_batch_size, self.config.steps
        while left > 0:
            bucket = sorted(self.draw(size * min(BATCHES_A_BUCKET, left)), key=lambda i: len(ids[i]))
            batches = [bucket[i : i + size] for i in range(0, len(bucket), size)]
            for i in torch.randperm(len(batches), generator=self.generator).tolist():
                yield batches[i]
            left -= len(batches)
