"""The network of `sentemocontext` (SEC paper, section 3 and Figure 1) and its two losses. Imports torch.

Utterances of a batch lie one behind the other without padding, (utterances, dim), and only attention, which is a small
part of the work, sees them as (dialogues, turns, dim).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from erc_bench.contract.system import Context

from .captured import Packed, triplet_loss
from .dropout import Dropout


def new_layer(dim: int, heads: int, feed_forward: int, dropout: float) -> nn.TransformerEncoderLayer:
    """A Transformer encoder layer, normalised first."""
    layer = nn.TransformerEncoderLayer(dim, heads, feed_forward, dropout, "gelu", batch_first=True, norm_first=True)
    layer.dropout, layer.dropout1, layer.dropout2 = (Dropout(dropout) for _ in range(3))
    return layer


def through_layer(layer: nn.TransformerEncoderLayer, hidden: Tensor, attend: Callable[[Tensor], Tensor]) -> Tensor:
    """What a layer makes of vectors (utterances, dim); `attend` maps normalised vectors to attended ones."""
    hidden = hidden + layer.dropout1(attend(layer.norm1(hidden)))
    widened = layer.dropout(F.gelu(layer.linear1(layer.norm2(hidden))))
    narrowed: Tensor = layer.dropout2(layer.linear2(widened))
    return hidden + narrowed


@dataclass(frozen=True, slots=True)
class Places:
    """Where the utterances of a batch stand: all int64 (utterances,), on the device of their vectors.

    `slots` are their places in a (dialogues * longest,) layout, which is padded behind each dialogue's last utterance.
    """

    dialogues: int
    longest: int
    turns: Tensor
    slots: Tensor
    speakers: Tensor

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device, speakers: Tensor | None = None) -> Places:
        """Of dialogues with these numbers of utterances; speakers alternate where none are given."""
        counts = torch.tensor(lengths, dtype=torch.int64)
        dialogue = torch.repeat_interleave(counts)
        turns = torch.arange(len(dialogue)) - (counts.cumsum(0) - counts)[dialogue]
        longest = max(lengths, default=0)
        slots = dialogue * longest + turns
        speakers = turns % 2 if speakers is None else speakers
        return cls(len(lengths), longest, turns.to(device), slots.to(device), speakers.to(device))

    def codes(self, hidden: Tensor) -> Tensor:
        """Position codes like `hidden`, (utterances, dim)."""
        return sinusoids(self.longest, hidden.shape[1]).to(hidden).index_select(0, self.turns)

    def spread(self, projected: Tensor, heads: int) -> Tensor:
        """Queries, keys and values: (3, dialogues, heads, longest, dim of a head)."""
        padded = projected.new_zeros(self.dialogues * self.longest, projected.shape[1])
        padded = padded.index_copy(0, self.slots, projected)
        return padded.view(self.dialogues, self.longest, 3, heads, -1).permute(2, 0, 3, 1, 4)

    def gather(self, attended: Tensor) -> Tensor:
        """Attended vectors (utterances, dim) of (dialogues, heads, longest, dim of a head)."""
        return attended.transpose(1, 2).reshape(self.dialogues * self.longest, -1).index_select(0, self.slots)

    def seen(self, context: Context) -> Tensor:
        """Which utterance attends to which, bool, to be broadcast to (dialogues, heads, turns, turns)."""
        device = self.slots.device
        if context == "utterance":
            return torch.eye(self.longest, dtype=torch.bool, device=device)  # padding has itself: no row is empty
        present = torch.zeros(self.dialogues * self.longest, dtype=torch.bool, device=device)
        seen = present.index_fill(0, self.slots, True).view(self.dialogues, 1, 1, self.longest)
        if context == "past":
            seen = seen & torch.ones(self.longest, self.longest, dtype=torch.bool, device=device).tril()
        return seen


class ContextualEncoder(nn.Module):
    """A Transformer encoder layer that attends over the utterances of one dialogue.

    Input is the layer-normalised sentence embedding of each utterance, plus a sinusoidal code of its turn (any length
    of dialogue; none without `positions`) and a learned vector for each speaker, in the order of first appearance in the
    dialogue; speakers beyond the last vector share it, and without any none is added. Padding is masked; in the context
    `past` later utterances are masked as well, in the context `utterance` all but the utterance itself.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        *,
        context: Context,
        speakers: int = 2,
        positions: bool = True,
    ) -> None:
        super().__init__()
        self.context = context
        self.normalise = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)
        self.position_scale = nn.Parameter(torch.tensor(0.1)) if positions else None
        self.speaker = nn.Parameter(torch.zeros(speakers, dim))
        self.layer = new_layer(dim, heads, feed_forward, dropout)

    def utterances(self, embeddings: Tensor) -> Tensor:
        """Utterance vectors before any context: the input of the classifier's pre-training."""
        normalised: Tensor = self.dropout(self.normalise(embeddings))
        return normalised

    def forward(self, embeddings: Tensor, places: Places | Packed) -> Tensor:
        """Contextual vectors, float32 (utterances, dim), of sentence embeddings of the same shape."""
        hidden = self.utterances(embeddings)
        if self.position_scale is not None:
            hidden = hidden + self.position_scale * places.codes(hidden)
        if len(self.speaker):
            hidden = hidden + self._speaker_vectors(places.speakers)
        return through_layer(self.layer, hidden, lambda normalised: self._attend(normalised, places))

    def _speaker_vectors(self, speakers: Tensor) -> Tensor:
        if len(self.speaker) == 2:  # the sums of the general way's gradient are in another order: other last bits
            return torch.where((speakers == 0)[:, None], self.speaker[0], self.speaker[1])
        return self.speaker.index_select(0, speakers.clamp(max=len(self.speaker) - 1))

    def _attend(self, normalised: Tensor, places: Places | Packed) -> Tensor:
        attention = self.layer.self_attn
        projected = F.linear(normalised, attention.in_proj_weight, attention.in_proj_bias)
        query, key, value = places.spread(projected, attention.num_heads)
        dropout = attention.dropout if self.training else 0.0
        seen = places.seen(self.context)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, dropout_p=dropout)
        projected_out: Tensor = attention.out_proj(places.gather(attended))
        return projected_out


class EmotionClassifier(nn.Module):
    """One Transformer encoder layer and a linear layer over single utterance vectors (section 4)."""

    def __init__(self, dim: int, heads: int, feed_forward: int, dropout: float, labels: int) -> None:
        super().__init__()
        self.layer = new_layer(dim, heads, feed_forward, dropout)
        self.attention_dropout = Dropout(dropout)
        self.normalise = nn.LayerNorm(dim)
        self.output = nn.Linear(dim, labels)

    def forward(self, utterances: Tensor) -> Tensor:
        """Logits, float32 (utterances, labels), of vectors (utterances, dim)."""
        logits: Tensor = self.output(self.normalise(through_layer(self.layer, utterances, self._attend)))
        return logits

    def _attend(self, normalised: Tensor) -> Tensor:
        # An utterance that attends to itself alone does so with weight 1, whatever its query and its key are.
        attention, dim = self.layer.self_attn, normalised.shape[1]
        values = F.linear(normalised, attention.in_proj_weight[2 * dim :], attention.in_proj_bias[2 * dim :])
        weights = self.attention_dropout(values.new_ones(len(values), attention.num_heads, 1))
        attended: Tensor = attention.out_proj((values.view(len(values), attention.num_heads, -1) * weights).flatten(1))
        return attended


class SentEmoContextNetwork(nn.Module):
    """The contextual encoder, which is the one tower that anchors, positives and negatives share, and the classifier."""

    def __init__(
        self,
        dim: int,
        labels: int,
        *,
        heads: int,
        feed_forward: int,
        dropout: float,
        context: Context,
        speakers: int = 2,
        positions: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = ContextualEncoder(
            dim, heads, feed_forward, dropout, context=context, speakers=speakers, positions=positions
        )
        self.classifier = EmotionClassifier(dim, heads, feed_forward, dropout, labels)

    def forward(
        self, embeddings: Tensor, lengths: Sequence[int], speakers: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Contextual vectors (utterances, dim) and logits (utterances, labels) of dialogues, one behind the other.

        Parameters
        ----------
        embeddings
            Float32 (utterances, dim), all utterances of the first dialogue, then those of the next.
        lengths
            How many utterances each dialogue has.
        speakers
            Who speaks, int64 (utterances,), in the order of first appearance in the dialogue; default: two take turns.
        """
        return self.placed(embeddings, Places.of(lengths, embeddings.device, speakers))

    def placed(self, embeddings: Tensor, places: Places | Packed) -> tuple[Tensor, Tensor]:
        """Contextual vectors and logits, as `forward`, of utterances that stand in these places."""
        contextual = self.encoder(embeddings, places)
        return contextual, self.classifier(contextual)


class BalancedTripletLoss(nn.Module):
    """max(d(a, p) - d(a, n) + margin, 0) on triplets of utterances, classes balanced (section 3).

    d is the Euclidean distance of vectors scaled to length 1, at most 2. The loss of a batch is the mean over the
    triplets whose loss is above zero (the default of pytorch-metric-learning), and 0 where there are none: triplets
    that are far enough apart do not dilute it.

    From a batch at most `per_class` utterances of each label are drawn, so that no label crowds out the others. Of their
    triplets it takes `triplets_per_anchor` random ones an anchor, the hardest one an anchor, or all.
    """

    def __init__(
        self,
        margin: float,
        which: Literal["random", "batch-hard", "all"],
        *,
        per_class: int = 16,
        triplets_per_anchor: int = 8,
    ) -> None:
        super().__init__()
        self.which, self.per_class, self.triplets_per_anchor = which, per_class, triplets_per_anchor
        self.miner = BatchHardMiner()
        self.loss = TripletMarginLoss(margin=margin)

    def forward(self, vectors: Tensor, gold: Tensor) -> Tensor:
        """Scalar loss of vectors (utterances, dim) with label positions (utterances,), -1 withheld; 0 without triplets."""
        chosen = balanced_rows(gold, self.per_class)
        vectors, gold = vectors.index_select(0, chosen), gold[chosen]
        loss: Tensor = self.loss(vectors, gold, self._triplets(vectors, gold))
        return loss

    def packed(self, vectors: Tensor, gold: Tensor, labels: int) -> Tensor:
        """The same for a graph, in shapes that do not depend on labels; `labels` is how many of them there are."""
        return triplet_loss(
            vectors,
            gold,
            labels,
            margin=self.loss.margin,
            which=self.which,
            per_class=self.per_class,
            triplets_per_anchor=self.triplets_per_anchor,
        )

    def _triplets(self, vectors: Tensor, gold: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Positions of anchors, positives and negatives, each int64 (triplets,)."""
        if self.which == "all":
            anchors, positives, negatives = get_all_triplets_indices(gold)
            return anchors, positives, negatives
        if self.which == "batch-hard" and len(gold) > 0:
            hardest: tuple[Tensor, Tensor, Tensor] = self.miner(vectors, gold)
            return hardest
        return random_triplets(gold, self.triplets_per_anchor)


def balanced_rows(gold: Tensor, per_class: int) -> Tensor:
    """Positions of at most `per_class` random rows of each label, int64, grouped by label; no withheld one (-1)."""
    order = (gold + _uniform((len(gold),), gold.device)).argsort()
    ranked = gold[order]
    place_in_group = torch.arange(len(gold), device=gold.device) - torch.searchsorted(ranked, ranked)
    return order[(place_in_group < per_class) & (ranked >= 0)]


def random_triplets(gold: Tensor, per_anchor: int) -> tuple[Tensor, Tensor, Tensor]:
    """Positions of anchors, positives and negatives, each int64 (triplets,), drawn uniformly with replacement.

    Every row with another of its label and one of another label is an anchor `per_anchor` times.

    Parameters
    ----------
    gold
        Int64 (rows,), sorted: a label's rows follow each other, so that the others are a turn around the ring of rows away.
    """
    rows = torch.arange(len(gold), device=gold.device)
    first = torch.searchsorted(gold, gold)
    count = torch.searchsorted(gold, gold, right=True) - first
    anchors = rows[(count > 1) & (count < len(gold))].repeat_interleave(per_anchor)
    first, count = first[anchors], count[anchors]
    ahead, beyond = _uniform((2, len(anchors)), gold.device)
    positives = first + (anchors - first + 1 + (ahead * (count - 1)).long()) % count
    negatives = (first + count + (beyond * (len(gold) - count)).long()) % max(len(gold), 1)
    return anchors, positives, negatives


def _uniform(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Random numbers below 1, float64 where the device has that (MPS has not)."""
    return torch.rand(shape, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)


def sinusoids(turns: int, dim: int) -> Tensor:
    """Position codes of Vaswani et al. (2017), section 3.5: float32 (turns, dim)."""
    angles = torch.arange(turns)[:, None] * torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]
