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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Context, Prediction, Report, System, SystemInfo
from erc_bench.progress import Progress
from erc_bench.toolkit.encoders import SentenceEncoder, pick_device
from erc_bench.toolkit.training import (
    DECISION,
    Decision,
    Schedule,
    calibrate,
    class_weights,
    deterministic_training,
    gold_indices,
    load_model,
    one_thread,
    prediction,
    sampling_weights,
    save_model,
    turns_by_dialogue,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from .network import SentEmoContextNetwork

UTTERANCES_A_BATCH = 256
BATCHES_A_BUCKET = 20


@dataclass(frozen=True)
class SentEmoContextConfig:
    """Settings of `sentemocontext`."""

    encoder: str = option("minilm", "sentence encoder: minilm, mpnet, roberta, a Hugging Face id or a folder")
    context: Literal["dialogue", "past"] = option(
        "dialogue", "what an utterance may attend to: the whole dialogue, or the past only (live use)"
    )
    triplets: Literal["random", "batch-hard"] = option(
        "random", "triplets of a batch: random ones, or the hardest one for each anchor (the paper's section 6.2)"
    )
    margin: float = option(1.0, "margin of the triplet loss; distances of unit vectors are at most 2")
    triplet_weight: float = option(0.1, "weight of the triplet loss beside the cross-entropy; 0 switches it off")
    sampler_power: float = option(
        0.25, "dialogues are sampled by the mean label frequency ** -power of their utterances"
    )
    weight_power: float = option(0.25, "class weights of the cross-entropy are label frequency ** -power")
    epochs: int = option(5, "passes over as many dialogues as the training split has; the best on validation is kept")
    pretrain_epochs: int = option(4, "passes of the classifier's pre-training on single utterances")
    batch_size: int = option(32, "dialogues in a batch")
    learning_rate: float = option(1e-3, "highest learning rate of AdamW, after a warm-up and before a linear decay")
    dropout: float = option(0.2, "dropout in the network")
    heads: int = option(6, "attention heads")
    feed_forward: int = option(1024, "width of the feed-forward part of each Transformer encoder layer")
    decision: Decision = option("calibrated", DECISION)

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.heads, self.feed_forward) < 1:
            raise ValueError("epochs, batch_size, heads and feed_forward must be 1 or more")
        if self.pretrain_epochs < 0 or self.triplet_weight < 0 or not 0 <= self.dropout < 1:
            raise ValueError("pretrain_epochs and triplet_weight must not be negative, dropout must be in [0, 1)")


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
        return SentenceEncoder(self.config.encoder, self.runtime)

    @cached_property
    def _device(self) -> str:
        return pick_device(self.runtime.device)

    def _new_network(self) -> SentEmoContextNetwork:
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
            past=config.context == "past",
        ).to(self._device)

    def _embeddings(self, dialogues: Sequence[Dialogue], progress: Progress) -> list[torch.Tensor]:
        """Frozen sentence embeddings, one float32 (utterances, dim) tensor a dialogue, on the CPU."""
        import torch

        vectors = torch.from_numpy(
            self._encoder.embed([u.text for dialogue in dialogues for u in dialogue.utterances], progress=progress)
        )
        return list(vectors.split([len(dialogue) for dialogue in dialogues]))

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        data = _TrainingData(self._embeddings(train, progress), [gold_indices([d], self.labels) for d in train])
        held_out = _TrainingData(
            self._embeddings(validation, progress), [gold_indices([d], self.labels) for d in validation]
        )
        with deterministic_training(seed) as generator:
            self._network = self._new_network()
            trainer = _Trainer(self.config, self._network, data, len(self.labels), generator)
            trainer.pretrain_classifier(progress)
            best = -1.0
            steps = self.config.epochs * trainer.batches_an_epoch
            with progress.task("Training", total=steps, unit="batches") as task:
                for epoch in range(1, self.config.epochs + 1):
                    losses = trainer.epoch(task.advance)
                    offset, micro_f1 = self._calibrate(held_out)
                    note = f"Epoch {epoch}: cross-entropy {losses[0]:.3f}, triplets {losses[1]:.3f}"
                    progress.note(f"{note}, validation micro F1 {100 * micro_f1:.2f}")
                    if micro_f1 > best or not held_out:
                        best, self._offset = micro_f1, offset
                        weights = copy.deepcopy(self._network.state_dict())
                        self._measurements = {"best_epoch": epoch, "validation_micro_f1": round(100 * micro_f1, 2)}
        self._network.load_state_dict(weights)
        self._measurements |= {
            "neutral_offset": round(self._offset, 4),
            "encoder_sha256": self._encoder.source.weights_sha256,
        }

    def _calibrate(self, held_out: _TrainingData) -> tuple[float, float]:
        import numpy as np

        if not held_out:
            return 0.0, 0.0
        logits = np.concatenate([self._run(embeddings)[1] for embeddings in held_out.embeddings])
        gold = np.concatenate(held_out.gold)
        return calibrate(logits[gold >= 0], gold[gold >= 0], self.labels.neutral_index, self.config.decision)

    def _run(self, embeddings: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Contextual vectors and logits of one dialogue: alone, unpadded, so that no other dialogue has a part in it."""
        import torch

        self._network.eval()
        with one_thread(), torch.inference_mode():
            vectors, logits = self._network([embeddings.to(self._device)])
            return vectors.cpu().numpy(), logits.cpu().numpy()

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        turns = turns_by_dialogue(targets)
        asked = [dialogue for dialogue in dialogues if dialogue.id in turns]
        for dialogue, embeddings in zip(asked, self._embeddings(asked, progress), strict=True):
            logits = self._run(embeddings)[1]
            for turn in turns[dialogue.id]:
                yield prediction(Target(dialogue.id, turn), logits[turn], self._offset, self.labels)

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        """Contextual utterance vectors scaled to length 1, as the triplet loss compares them."""
        import numpy as np

        for embeddings in self._embeddings(dialogues, progress):
            vectors = self._run(embeddings)[0]
            yield vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))

    def save(self, folder: Path) -> None:
        settings = {"neutral_offset": self._offset, "measurements": self._measurements}
        save_model(folder, self._network.state_dict(), settings)

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        self._network = self._new_network()
        self._network.load_state_dict(tensors)
        self._offset, self._measurements = settings["neutral_offset"], settings["measurements"]

    def report(self) -> Report:
        return Report(measurements=self._measurements)


@dataclass(frozen=True, slots=True)
class _TrainingData:
    """Dialogues as tensors: frozen embeddings (utterances, dim) and label positions (utterances,), -1 withheld."""

    embeddings: list[torch.Tensor]
    gold: list[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.gold)


class _Trainer:
    """The two phases of training: the classifier alone on single utterances, then everything on dialogues."""

    def __init__(
        self,
        config: SentEmoContextConfig,
        network: SentEmoContextNetwork,
        data: _TrainingData,
        labels: int,
        generator: torch.Generator,
    ) -> None:
        import numpy as np
        import torch

        from .network import BalancedTripletLoss

        self.config, self.network, self.data, self.generator = config, network, data, generator
        self.device = next(network.parameters()).device
        self.gold = np.concatenate(data.gold)
        self.labels = labels
        weights = torch.from_numpy(class_weights(self.gold, labels, config.weight_power)).to(self.device)
        self.cross_entropy = torch.nn.CrossEntropyLoss(weights, ignore_index=-1)
        self.triplet_loss = BalancedTripletLoss(config.margin, hard=config.triplets == "batch-hard")
        self.batches_an_epoch = -(-len(data) // config.batch_size)
        self.optimiser = Schedule(
            network.parameters(), config.learning_rate, steps=config.epochs * self.batches_an_epoch
        )

    def pretrain_classifier(self, progress: Progress) -> None:
        """Teach the classifier emotions on single utterances, classes rebalanced; no context yet."""
        import torch
        from torch.utils.data import WeightedRandomSampler

        if self.config.pretrain_epochs == 0:
            return
        vectors, gold = torch.cat(self.data.embeddings), torch.from_numpy(self.gold)
        weights = sampling_weights(self.gold, self.labels, self.config.sampler_power)
        sampler = WeightedRandomSampler(weights.tolist(), len(gold), generator=self.generator)
        encoder, classifier = self.network.encoder, self.network.classifier
        steps = self.config.pretrain_epochs * -(-len(gold) // UTTERANCES_A_BATCH)
        trained = [*encoder.normalise.parameters(), *classifier.parameters()]
        optimiser = Schedule(trained, self.config.learning_rate, steps=steps)
        self.network.train()
        with progress.task("Pre-training the classifier", total=steps, unit="batches") as task:
            for _ in range(self.config.pretrain_epochs):
                for rows in torch.tensor(list(sampler)).split(UTTERANCES_A_BATCH):
                    logits = classifier(encoder.utterances(vectors[rows].to(self.device)))
                    optimiser.step(self.cross_entropy(logits, gold[rows].to(self.device)))
                    task.advance()

    def losses(self, batch: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy and triplet loss of some dialogues: scalars, each of them reaching the contextual encoder."""
        import numpy as np
        import torch

        gold = torch.from_numpy(np.concatenate([self.data.gold[i] for i in batch])).to(self.device)
        vectors, logits = self.network([self.data.embeddings[i].to(self.device) for i in batch])
        labelled = gold >= 0
        return self.cross_entropy(logits, gold), self.triplet_loss(vectors[labelled], gold[labelled])

    def epoch(self, advance: Any) -> tuple[float, float]:
        """One pass; returns the means of both losses."""
        self.network.train()
        totals = [0.0, 0.0]
        for batch in self.batches():
            cross_entropy, triplets = self.losses(batch)
            self.optimiser.step(cross_entropy + self.config.triplet_weight * triplets)
            totals[0] += cross_entropy.item()
            totals[1] += triplets.item()
            advance()
        return totals[0] / self.batches_an_epoch, totals[1] / self.batches_an_epoch

    def batches(self) -> Iterator[list[int]]:
        """Dialogues sampled by inverse label frequency, those of a batch about equally long (less padding)."""
        import torch
        from torch.utils.data import WeightedRandomSampler

        weights = sampling_weights(self.gold, self.labels, self.config.sampler_power)
        ends = [len(gold) for gold in self.data.gold]
        per_dialogue = [float(part.mean()) for part in torch.from_numpy(weights).split(ends)]
        drawn = list(WeightedRandomSampler(per_dialogue, len(self.data), generator=self.generator))
        size = self.config.batch_size
        batches = []
        for start in range(0, len(drawn), size * BATCHES_A_BUCKET):
            bucket = sorted(drawn[start : start + size * BATCHES_A_BUCKET], key=lambda i: len(self.data.gold[i]))
            batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
        for i in torch.randperm(len(batches), generator=self.generator).tolist():
            yield batches[i]
