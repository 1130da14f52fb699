"""The network of `sentemocontext` (SEC paper, section 3 and Figure 1) and its two losses. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence


class ContextualEncoder(nn.Module):
    """A Transformer encoder layer that attends over the utterances of one dialogue.

    Input is the layer-normalised sentence embedding of each utterance, plus a sinusoidal code of its turn (any length
    of dialogue) and a learned vector for each of the two alternating speakers. Padding is masked; with `past`, later
    utterances are masked as well.
    """

    def __init__(self, dim: int, heads: int, feed_forward: int, dropout: float, *, past: bool) -> None:
        super().__init__()
        self.past = past
        self.normalise = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.position_scale = nn.Parameter(torch.tensor(0.1))
        self.speaker = nn.Parameter(torch.zeros(2, dim))
        self.layer = nn.TransformerEncoderLayer(
            dim, heads, feed_forward, dropout, "gelu", batch_first=True, norm_first=True
        )

    def utterances(self, embeddings: Tensor) -> Tensor:
        """Utterance vectors before any context: the input of the classifier's pre-training."""
        normalised: Tensor = self.dropout(self.normalise(embeddings))
        return normalised

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Contextual vectors, float32 (dialogues, turns, dim).

        Parameters
        ----------
        embeddings
            Float32 (dialogues, turns, dim), padded behind the last utterance.
        present
            Bool (dialogues, turns), False where padded.
        """
        turns = embeddings.shape[1]
        hidden = self.utterances(embeddings)
        hidden = hidden + self.position_scale * sinusoids(turns, hidden.shape[2]).to(hidden)
        hidden = hidden + self.speaker[torch.arange(turns, device=hidden.device) % 2]
        future = None
        if self.past:
            future = torch.ones(turns, turns, dtype=torch.bool, device=hidden.device).triu(1)
        contextual: Tensor = self.layer(hidden, src_mask=future, src_key_padding_mask=~present)
        return contextual


class EmotionClassifier(nn.Module):
    """One Transformer encoder layer and a linear layer over single utterance vectors (section 4)."""

    def __init__(self, dim: int, heads: int, feed_forward: int, dropout: float, labels: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            dim, heads, feed_forward, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.normalise = nn.LayerNorm(dim)
        self.output = nn.Linear(dim, labels)

    def forward(self, utterances: Tensor) -> Tensor:
        """Logits, float32 (utterances, labels), of vectors (utterances, dim)."""
        logits: Tensor = self.output(self.normalise(self.layer(utterances[:, None])[:, 0]))
        return logits


class SentEmoContextNetwork(nn.Module):
    """The contextual encoder, which is the one tower that anchors, positives and negatives share, and the classifier."""

    def __init__(self, dim: int, labels: int, *, heads: int, feed_forward: int, dropout: float, past: bool) -> None:
        super().__init__()
        self.encoder = ContextualEncoder(dim, heads, feed_forward, dropout, past=past)
        self.classifier = EmotionClassifier(dim, heads, feed_forward, dropout, labels)

    def forward(self, dialogues: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Contextual vectors (utterances, dim) and logits (utterances, labels) of all utterances, in order."""
        embeddings = pad_sequence(list(dialogues), batch_first=True)
        lengths = torch.tensor([len(dialogue) for dialogue in dialogues], device=embeddings.device)
        present = torch.arange(embeddings.shape[1], device=embeddings.device) < lengths[:, None]
        contextual = self.encoder(embeddings, present)[present]
        return contextual, self.classifier(contextual)


class BalancedTripletLoss(nn.Module):
    """max(d(a, p) - d(a, n) + margin, 0) on triplets of utterances, classes balanced (section 3).

    d is the Euclidean distance of vectors scaled to length 1, at most 2. The loss of a batch is the mean over the
    triplets whose loss is above zero (the default of pytorch-metric-learning), and 0 where there are none: triplets
    that are far enough apart do not dilute it.

    From a batch at most `per_class` utterances of each label are drawn, so that no label crowds out the others; their
    triplets are `triplets_per_anchor` random ones an anchor, or the hardest one in the batch.
    """

    def __init__(self, margin: float, *, hard: bool, per_class: int = 16, triplets_per_anchor: int = 8) -> None:
        super().__init__()
        self.per_class = per_class
        self.miner = BatchHardMiner() if hard else None
        self.loss = TripletMarginLoss(margin=margin, triplets_per_anchor="all" if hard else triplets_per_anchor)

    def forward(self, vectors: Tensor, gold: Tensor) -> Tensor:
        """Scalar loss of vectors (utterances, dim) with label positions (utterances,); 0 without any triplet."""
        chosen = balanced_rows(gold, self.per_class)
        vectors, gold = vectors[chosen], gold[chosen]
        triplets = None if self.miner is None else self.miner(vectors, gold)
        loss: Tensor = self.loss(vectors, gold, triplets)
        return loss


def balanced_rows(gold: Tensor, per_class: int) -> Tensor:
    """Positions of at most `per_class` random rows of each label, int64."""
    chosen = []
    for label in gold.unique():
        rows = (gold == label).nonzero()[:, 0]
        chosen.append(rows[torch.randperm(len(rows))[:per_class].to(rows.device)])
    return torch.cat([gold.new_empty(0), *chosen])


def sinusoids(turns: int, dim: int) -> Tensor:
    """Position codes of Vaswani et al. (2017), section 3.5: float32 (turns, dim)."""
    angles = torch.arange(turns)[:, None] * torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]
