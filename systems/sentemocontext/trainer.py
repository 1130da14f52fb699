"""How the network of `sentemocontext` is trained: its classifier alone at first, then everything on dialogues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.progress import Progress
from erc_bench.toolkit.training import Schedule, class_weights, gold_indices, mixed_precision, sampling_weights

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from .config import SentEmoContextConfig
    from .network import SentEmoContextNetwork

UTTERANCES_A_BATCH = 256
UTTERANCES_A_PASS = 4096
BATCHES_A_BUCKET = 20


@dataclass(frozen=True)
class EmbeddedDialogues:
    """Dialogues as three arrays, utterances one behind the other; nothing is copied when a batch is drawn but its rows.

    Parameters
    ----------
    vectors
        Frozen sentence embeddings, float32 (utterances, dim), on the device that computes.
    gold
        Label positions, int64 (utterances,), -1 where withheld, on the same device.
    lengths
        Utterances of each dialogue, int64 (dialogues,).
    speakers
        Who speaks, in the order of first appearance in the dialogue, int64 (utterances,), on the same device.
    """

    vectors: torch.Tensor
    gold: torch.Tensor
    lengths: NDArray[np.int64]
    speakers: torch.Tensor

    @classmethod
    def of(
        cls, dialogues: Sequence[Dialogue], vectors: NDArray[np.float32], labels: LabelSet, device: str
    ) -> EmbeddedDialogues:
        """Dialogues and the embeddings (utterances, dim) of all their utterances, in order."""
        import numpy as np
        import torch

        lengths = np.array([len(dialogue) for dialogue in dialogues], np.int64)
        gold = torch.from_numpy(gold_indices(dialogues, labels))
        speakers = torch.tensor(
            [place for dialogue in dialogues for place in dialogue.speaker_order], dtype=torch.int64
        )
        return cls(torch.from_numpy(vectors).to(device), gold.to(device), lengths, speakers.to(device))

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The row of each dialogue's first utterance, int64 (dialogues,)."""
        import numpy as np

        return np.asarray(self.lengths.cumsum() - self.lengths, np.int64)

    def rows(self, chosen: NDArray[np.int64]) -> torch.Tensor:
        """The rows of all utterances of some dialogues, in order: int64 (utterances,)."""
        import numpy as np
        import torch

        lengths = self.lengths[chosen]
        inside = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
        return torch.from_numpy(np.repeat(self.starts[chosen], lengths) + inside).to(self.vectors.device)

    def inputs(self, rows: torch.Tensor, chosen: NDArray[np.int64]) -> tuple[torch.Tensor, list[int], torch.Tensor]:
        """What the network reads of some dialogues with these rows: vectors, lengths and speakers."""
        return self.vectors.index_select(0, rows), self.lengths[chosen].tolist(), self.speakers.index_select(0, rows)


def speaker_vectors(dialogues: Sequence[Dialogue]) -> int:
    """How many speakers a network can tell apart that is trained on these dialogues: 2 to 16."""
    return min(16, max(2, *(max(dialogue.speaker_order, default=0) + 1 for dialogue in dialogues), 2))


def logits_of(network: SentEmoContextNetwork, data: EmbeddedDialogues) -> NDArray[np.float32]:
    """Logits, float32 (utterances, labels), of all utterances in order, many dialogues of like length at a time."""
    import numpy as np
    import torch

    logits = torch.empty(len(data.gold), network.classifier.output.out_features)
    order = np.argsort(data.lengths, kind="stable")
    passes = np.searchsorted(
        data.lengths[order].cumsum(), np.arange(UTTERANCES_A_PASS, len(data.gold), UTTERANCES_A_PASS)
    )
    network.eval()
    with torch.inference_mode():
        for chosen in np.split(order, passes):
            rows = data.rows(chosen)
            logits[rows.cpu()] = network(*data.inputs(rows, chosen))[1].cpu()
    return np.asarray(logits.numpy(), np.float32)


class Trainer:
    """The two phases of training: the classifier alone on single utterances, then everything on dialogues."""

    def __init__(
        self,
        config: SentEmoContextConfig,
        network: SentEmoContextNetwork,
        data: EmbeddedDialogues,
        generator: torch.Generator,
    ) -> None:
        import numpy as np
        import torch

        from .network import BalancedTripletLoss

        self.config, self.network, self.data, self.generator = config, network, data, generator
        self.device = data.vectors.device
        gold, labels = data.gold.cpu().numpy(), network.classifier.output.out_features
        self.class_weights = torch.from_numpy(class_weights(gold, labels, config.weight_power)).to(self.device)
        self.triplet_loss = BalancedTripletLoss(config.margin, config.triplets)
        self.utterance_weights = torch.from_numpy(sampling_weights(gold, labels, config.sampler_power))
        summed = np.add.reduceat(self.utterance_weights.numpy(), data.starts)
        self.dialogue_weights = torch.from_numpy(summed / data.lengths)
        self.batches_an_epoch = -(-len(data) // config.batch_size)
        self.optimiser = Schedule(
            network.parameters(), config.learning_rate, steps=config.epochs * self.batches_an_epoch
        )

    def pretrain_classifier(self, progress: Progress) -> None:
        """Teach the classifier emotions on single utterances, classes rebalanced; no context yet."""
        import torch

        if self.config.pretrain_epochs == 0:
            return
        encoder, classifier = self.network.encoder, self.network.classifier
        steps = self.config.pretrain_epochs * -(-len(self.data.gold) // UTTERANCES_A_BATCH)
        trained = [*encoder.normalise.parameters(), *classifier.parameters()]
        optimiser = Schedule(trained, self.config.learning_rate, steps=steps)
        self.network.train()
        with progress.task("Pre-training the classifier", total=steps, unit="batches") as task:
            for _ in range(self.config.pretrain_epochs):
                for rows in torch.split(self._draw(self.utterance_weights).to(self.device), UTTERANCES_A_BATCH):
                    with mixed_precision(self.device):
                        logits = classifier(encoder.utterances(self.data.vectors.index_select(0, rows)))
                        loss = self.cross_entropy(logits, self.data.gold[rows])
                    optimiser.step(loss)
                    task.advance()

    def cross_entropy(self, logits: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
        """Class-weighted cross-entropy of logits (utterances, labels) with label positions (utterances,), -1 withheld."""
        import torch

        weights = self.class_weights
        if self.config.weights_from == "batch":
            of_batch = class_weights(gold.cpu().numpy(), logits.shape[1], self.config.weight_power)
            weights = torch.from_numpy(of_batch).to(self.device)
        loss: torch.Tensor = torch.nn.functional.cross_entropy(logits, gold, weights, ignore_index=-1)
        return loss

    def losses(self, batch: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy and triplet loss of some dialogues: scalars, each of them reaching the contextual encoder."""
        rows = self.data.rows(batch)
        gold = self.data.gold[rows]
        with mixed_precision(self.device):
            vectors, logits = self.network(*self.data.inputs(rows, batch))
            return self.cross_entropy(logits, gold), self.triplet_loss(vectors, gold)

    def epoch(self, advance: Callable[[], None]) -> tuple[float, float]:
        """One pass; returns the means of both losses."""
        import torch

        self.network.train()
        total = torch.zeros(2, device=self.device)
        for batch in self.batches():
            cross_entropy, triplets = self.losses(batch)
            self.optimiser.step(cross_entropy + self.config.triplet_weight * triplets)
            total += torch.stack([cross_entropy.detach(), triplets.detach()])
            advance()
        means = (total / self.batches_an_epoch).tolist()
        return means[0], means[1]

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """Dialogues sampled by inverse label frequency, those of a batch about equally long (less padding)."""
        import numpy as np
        import torch

        drawn = self._draw(self.dialogue_weights).numpy()
        size = self.config.batch_size
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(drawn), size * BATCHES_A_BUCKET):
            bucket = drawn[start : start + size * BATCHES_A_BUCKET]
            bucket = bucket[np.argsort(self.data.lengths[bucket], kind="stable")]
            batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
        for i in torch.randperm(len(batches), generator=self.generator).tolist():
            yield batches[i]

    def _draw(self, weights: torch.Tensor) -> torch.Tensor:
        """As many positions as there are weights, drawn with replacement: int64 (weights,)."""
        import torch

        return torch.multinomial(weights, len(weights), replacement=True, generator=self.generator)
