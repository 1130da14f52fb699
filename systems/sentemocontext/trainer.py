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

    def positions(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows, places of the dialogue among the chosen, and turns of all their utterances, in order: int64 (3, utterances)."""
        import numpy as np

        lengths = self.lengths[chosen]
        turns = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
        return np.stack(
            [np.repeat(self.starts[chosen], lengths) + turns, np.repeat(np.arange(len(chosen)), lengths), turns]
        )

    def rows(self, chosen: NDArray[np.int64]) -> torch.Tensor:
        """The rows of all utterances of some dialogues, in order: int64 (utterances,)."""
        import torch

        return torch.from_numpy(self.positions(chosen)[0]).to(self.vectors.device)

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

        from .captured import CapturedStep
        from .network import BalancedTripletLoss, sinusoids
        from .twin import Twin

        self.config, self.network, self.data, self.generator = config, network, data, generator
        self.device = data.vectors.device
        gold, labels = data.gold.cpu().numpy(), network.classifier.output.out_features
        self.gold = gold
        self.class_weights = torch.from_numpy(class_weights(gold, labels, config.weight_power)).to(self.device)
        self.triplet_loss = BalancedTripletLoss(config.margin, config.triplets)
        self.utterance_weights = torch.from_numpy(sampling_weights(gold, labels, config.sampler_power))
        summed = np.add.reduceat(self.utterance_weights.numpy(), data.starts)
        self.dialogue_weights = torch.from_numpy(summed / data.lengths)
        self.batches_an_epoch = -(-len(data) // config.batch_size)
        self.pretrained = [*network.encoder.normalise.parameters(), *network.classifier.parameters()]
        in_bf16 = config.arithmetic == "bf16" and self.device.type == "cpu"
        self.twin = Twin(network, self.pretrained) if in_bf16 else None
        self.computing = network if self.twin is None else self.twin.network
        self.optimiser = self._schedule(config.epochs * self.batches_an_epoch)
        self.codes = sinusoids(max(data.lengths.tolist(), default=0), data.vectors.shape[1]).to(self.device)
        self.captures = self.device.type == "cuda"
        self.captured = CapturedStep(self._packed_step, self.device)

    def pretrain_classifier(self, progress: Progress) -> None:
        """Teach the classifier emotions on single utterances, classes rebalanced; no context yet."""
        import torch

        from .captured import CapturedStep

        if self.config.pretrain_epochs == 0:
            return
        encoder, classifier = self.computing.encoder, self.computing.classifier
        steps = self.config.pretrain_epochs * -(-len(self.data.gold) // UTTERANCES_A_BATCH)
        optimiser = self._schedule(steps, pretraining=True)

        def step(rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
            with mixed_precision(self.device):
                vectors = self.data.vectors.index_select(0, rows).to(encoder.normalise.weight.dtype)
                logits = classifier(encoder.utterances(vectors)).float()
                loss = self.cross_entropy(logits, self.data.gold[rows], weights)
            optimiser.descend(loss)
            return loss.detach()

        captured = CapturedStep(step, self.device)
        self.computing.train()
        with progress.task("Pre-training the classifier", total=steps, unit="batches") as task:
            for _ in range(self.config.pretrain_epochs):
                for rows in torch.split(self._draw(self.utterance_weights), UTTERANCES_A_BATCH):
                    captured(rows, self.weights_of(self.gold[rows.numpy()]))
                    optimiser.advance()
                    task.advance()

    def _schedule(self, steps: int, *, pretraining: bool = False) -> Schedule:
        if self.twin is not None:
            return self.twin.schedule(self.config.learning_rate, steps=steps, pretraining=pretraining)
        trained = self.pretrained if pretraining else self.network.parameters()
        return Schedule(trained, self.config.learning_rate, steps=steps)

    def weights_of(self, gold: NDArray[np.int64]) -> torch.Tensor:
        """Weights of the classes in a batch with these label positions (utterances,), -1 withheld: float32 (labels,)."""
        import torch

        if self.config.weights_from == "train":
            return self.class_weights
        labels = self.network.classifier.output.out_features
        return torch.from_numpy(class_weights(gold, labels, self.config.weight_power)).to(self.device)

    def cross_entropy(self, logits: torch.Tensor, gold: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Class-weighted cross-entropy of logits (utterances, labels) with label positions (utterances,), -1 withheld."""
        import torch

        loss: torch.Tensor = torch.nn.functional.cross_entropy(logits, gold, weights, ignore_index=-1)
        return loss

    def losses(self, batch: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy and triplet loss of some dialogues: scalars, each of them reaching the contextual encoder."""
        rows = self.data.rows(batch)
        gold, weights = self.data.gold[rows], self.weights_of(self.gold[rows.cpu().numpy()])
        if self.twin is not None:
            vectors, logits = self.twin.forward(*self.data.inputs(rows, batch))
            return self.cross_entropy(logits, gold, weights), self.triplet_loss(vectors, gold)
        with mixed_precision(self.device):
            vectors, logits = self.network(*self.data.inputs(rows, batch))
            return self.cross_entropy(logits, gold, weights), self.triplet_loss(vectors, gold)

    def packed(self, batch: NDArray[np.int64], size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What `packed_losses` takes of some dialogues, filled up to `size` utterances."""
        import numpy as np
        import torch

        positions = self.data.positions(batch)
        count = positions.shape[1]
        filled = np.zeros((4, size), np.int64)
        filled[:3, :count], filled[3, :count] = positions, self.gold[positions[0]]
        filled[1, count:], filled[3, count:] = np.arange(len(batch), len(batch) + size - count), -1
        return torch.from_numpy(filled), self.weights_of(filled[3])

    def packed_losses(self, utterances: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `losses`, in shapes that depend on the size of a batch alone.

        Parameters
        ----------
        utterances
            Int64 (4, size): rows, dialogues, turns, and label positions, which are -1 where withheld and where filled up.
        weights
            Weights of the classes, float32 (labels,).
        """
        from .captured import Packed

        rows, dialogues, turns, gold = utterances
        places = Packed(dialogues, turns, self.data.speakers.index_select(0, rows), self.codes)
        with mixed_precision(self.device):
            vectors, logits = self.network.placed(self.data.vectors.index_select(0, rows), places)
            cross_entropy = self.cross_entropy(logits, gold, weights)
        return cross_entropy, self.triplet_loss.packed(vectors.float(), gold, len(weights))

    def step(self, batch: NDArray[np.int64]) -> torch.Tensor:
        """One step of training on some dialogues; both losses before it, float32 (2,), which last until the next step.

        On a CUDA device it is launched as one graph, from the second batch of a size on (see `captured`).
        """
        from .captured import size_of

        size = size_of(int(self.data.lengths[batch].sum())) if self.captures else None
        losses = self._descend(*self.losses(batch)) if size is None else self.captured(*self.packed(batch, size))
        self.optimiser.advance()
        return losses

    def _packed_step(self, utterances: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return self._descend(*self.packed_losses(utterances, weights))

    def _descend(self, cross_entropy: torch.Tensor, triplets: torch.Tensor) -> torch.Tensor:
        import torch

        self.optimiser.descend(cross_entropy + self.config.triplet_weight * triplets)
        return torch.stack([cross_entropy.detach(), triplets.detach()])

    def epoch(self, advance: Callable[[], None]) -> tuple[float, float]:
        """One pass; returns the means of both losses."""
        import torch

        self.computing.train()
        total = torch.zeros(2, device=self.device)
        for batch in self.batches():
            total += self.step(batch)
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
