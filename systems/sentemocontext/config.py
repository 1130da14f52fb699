"""Settings of `sentemocontext`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erc_bench.contract.config import option
from erc_bench.toolkit.training import DECISION, Decision


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
