"""SentEmoContext on the two larger sentence encoders of the SEC paper: rows of their own, the same system."""

from __future__ import annotations

from dataclasses import dataclass, replace

from erc_bench.contract.config import option
from erc_bench.toolkit.encoders import encoder_option

from .config import SentEmoContextConfig
from .system import SentEmoContext


@dataclass(frozen=True)
class MpnetConfig(SentEmoContextConfig):
    """Settings of `sentemocontext-mpnet`."""

    encoder: str = encoder_option("mpnet")


@dataclass(frozen=True)
class RobertaConfig(SentEmoContextConfig):
    """Settings of `sentemocontext-roberta`."""

    encoder: str = encoder_option("roberta")
    heads: int = option(8, "attention heads; they must divide the encoder's 1024 components", at_least=1, at_most=1024)


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
