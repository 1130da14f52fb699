"""Rows of their own, the same system: the SEC paper's text to the letter, and its two larger sentence encoders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from erc_bench.contract.config import option
from erc_bench.toolkit.encoders import encoder_option
from erc_bench.toolkit.training import DECISION, Decision

from .config import SentEmoContextConfig
from .system import SentEmoContext


@dataclass(frozen=True)
class PaperConfig(SentEmoContextConfig):
    """Settings of `sentemocontext-paper`: where the text decides, what it says; defaults where it leaves a choice open."""

    triplets: Literal["random", "batch-hard", "all"] = option("all", "triplets of a batch: 'each triplet' (section 3)")
    triplet_weight: float = option(
        1.0, "weight of the triplet loss: both losses alike (Figure 1)", at_least=0, at_most=100
    )
    sampler_power: float = option(
        1.0, "dialogues are sampled by the inverse label frequencies of their utterances", at_least=0, at_most=4
    )
    weight_power: float = option(
        1.0, "class weights of the cross-entropy are inverse label frequencies", at_least=0, at_most=4
    )
    decision: Decision = option("argmax", DECISION)
    weights_from: Literal["train", "batch"] = option("batch", "'the remaining imbalance on each batch' (section 5.3)")
    keep: Literal["best", "last"] = option("last", "the epoch that is kept: 'only 5 epochs' (section 5), no selection")
    speakers: bool = option(False, "add a learned vector for each speaker of a dialogue")
    positions: bool = option(False, "add a code of each utterance's turn")


@dataclass(frozen=True)
class MpnetConfig(SentEmoContextConfig):
    """Settings of `sentemocontext-mpnet`."""

    encoder: str = encoder_option("mpnet")


@dataclass(frozen=True)
class RobertaConfig(SentEmoContextConfig):
    """Settings of `sentemocontext-roberta`."""

    encoder: str = encoder_option("roberta")
    heads: int = option(8, "attention heads; they must divide the encoder's 1024 components", at_least=1, at_most=1024)


class SentEmoContextPaper(SentEmoContext):
    """With every departure of `sentemocontext` from the paper's text set back."""

    info = replace(
        SentEmoContext.info,
        name="sentemocontext-paper",
        summary=f"{SentEmoContext.info.summary} Where the paper's text decides, nothing else: inverse frequencies in full, "
        "all triplets, both losses alike, no speaker vectors, no position codes, no selection on validation.",
        reference="Gendron and Guibon (WASSA 2024), the text to the letter",
    )
    Config = PaperConfig


class SentEmoContextMpnet(SentEmoContext):
    """With all-mpnet-base-v2, 768 components."""

    info = replace(
        SentEmoContext.info,
        name="sentemocontext-mpnet",
        summary=f"{SentEmoContext.info.summary} Encoder: all-mpnet-base-v2.",
    )
    Config = MpnetConfig


class SentEmoContextRoberta(SentEmoContext):
    """With all-roberta-large-v1, 1024 components."""

    info = replace(
        SentEmoContext.info,
        name="sentemocontext-roberta",
        summary=f"{SentEmoContext.info.summary} Encoder: all-roberta-large-v1.",
    )
    Config = RobertaConfig
