"""A small network with a few dialogues to train on."""

from __future__ import annotations

from typing import Any

import numpy as np

from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
from erc_bench.systems.sentemocontext.trainer import EmbeddedDialogues, Trainer

DIM, LABELS = 16, 7
LENGTHS = (5, 9, 3, 12, 7, 1)
BATCH = np.array([3, 0, 5, 2])


def trainer(device: str = "cpu", withheld: int | None = None, **settings: Any) -> Trainer:
    import torch

    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork

    config = SentEmoContextConfig(**({"batch_size": 3, "dropout": 0.0, "heads": 4, "feed_forward": 32} | settings))
    torch.manual_seed(0)
    network = SentEmoContextNetwork(
        DIM,
        LABELS,
        heads=config.heads,
        feed_forward=config.feed_forward,
        dropout=config.dropout,
        context=config.context,
        speakers=3 if config.speakers else 0,
        positions=config.positions,
    )
    torch.nn.init.normal_(network.encoder.speaker)
    count = sum(LENGTHS)
    gold = np.random.default_rng(0).integers(0, LABELS, count)
    data = EmbeddedDialogues(
        torch.randn(count, DIM).to(device),
        torch.from_numpy(np.where(gold == withheld, -1, gold)).to(device),
        np.array(LENGTHS),
        torch.cat([torch.arange(length) % 4 for length in LENGTHS]).to(device),
    )
    return Trainer(config, network.to(device).train(), data, torch.Generator().manual_seed(0))
