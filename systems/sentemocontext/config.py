"""Settings of `sentemocontext`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erc_bench.contract.config import option
from erc_bench.toolkit.encoders import SentenceEncoderConfig
from erc_bench.toolkit.threads import threads_option
from erc_bench.toolkit.training import DECISION, Decision


@dataclass(frozen=True)
class SentEmoContextConfig(SentenceEncoderConfig):
    """Settings of `sentemocontext`."""

    context: Literal["dialogue", "past", "utterance"] = option(
        "dialogue",
        "what an utterance may attend to: the whole dialogue, the past only (live use), or itself alone (the same network "
        "without context)",
    )
    triplets: Literal["random", "batch-hard", "all"] = option(
        "random",
        "triplets of a batch, made of at most 16 utterances a label: 8 random ones an anchor, the hardest one an anchor (the "
        "paper's section 6.2), or all (its section 3)",
    )
    margin: float = option(
        1.0, "margin of the triplet loss; distances of unit vectors are at most 2", above=0, at_most=100
    )
    triplet_weight: float = option(
        0.1, "weight of the triplet loss beside the cross-entropy; 0 switches it off", at_least=0, at_most=100
    )
    sampler_power: float = option(
        0.25, "dialogues are sampled by the mean label frequency ** -power of their utterances", at_least=0, at_most=4
    )
    weight_power: float = option(
        0.25, "class weights of the cross-entropy are label frequency ** -power", at_least=0, at_most=4
    )
    epochs: int = option(5, "passes over as many dialogues as the training split has", at_least=1, at_most=10_000)
    pretrain_epochs: int = option(
        4, "passes of the classifier's pre-training on single utterances", at_least=0, at_most=10_000
    )
    batch_size: int = option(32, "dialogues in a batch", at_least=1, at_most=65_536)
    learning_rate: float = option(
        1e-3, "highest learning rate of AdamW, after a warm-up and before a linear decay", above=0, at_most=1
    )
    dropout: float = option(0.2, "dropout in the network", at_least=0, below=1)
    heads: int = option(6, "attention heads", at_least=1, at_most=1024)
    feed_forward: int = option(
        1024, "width of the feed-forward part of each Transformer encoder layer", at_least=1, at_most=65_536
    )
    decision: Decision = option("calibrated", DECISION)
    weights_from: Literal["train", "batch"] = option(
        "train",
        "which label frequencies the class weights follow: the training split's, or each batch's",
        before="train",
    )
    keep: Literal["best", "last"] = option(
        "best", "the epoch that is kept: the best on validation, or the last one", before="best"
    )
    speakers: bool = option(True, "add a learned vector for each speaker of a dialogue", before=True)
    positions: bool = option(True, "add a code of each utterance's turn", before=True)
    threads: int = threads_option()
    arithmetic: Literal["float32", "bf16"] = option(
        "float32",
        "what training computes in on the CPU: float32, or bf16, which takes about two thirds of the time where the processor "
        "multiplies that natively and may be slower elsewhere; other devices do not follow it",
        before="float32",
    )
