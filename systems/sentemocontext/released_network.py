"""Shapes of the networks of the code released with the SEC paper: facts about it, in no line of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

UTTERANCES = 15
SENTENCE_DIM = 384
WIDTH = UTTERANCES * SENTENCE_DIM
HEADS = 24
FEED_FORWARD = 2048
# In use in models.py, where 24 stands commented out; it changes no parameter count.
CLASSIFIER_HEADS = 16
CLASSIFIER_DROPOUT = 0.3


def new_encoder() -> torch.nn.TransformerEncoderLayer:
    """The released encoder layer, 156,357,248 parameters."""
    import torch

    return torch.nn.TransformerEncoderLayer(WIDTH, HEADS, FEED_FORWARD)


def new_classifier(labels: int) -> torch.nn.Sequential:
    """The released classifier from (batch, 1, 384) to (batch, 1, labels), 2,170,887 parameters for seven labels."""
    import torch

    layer = torch.nn.TransformerEncoderLayer(
        SENTENCE_DIM, CLASSIFIER_HEADS, FEED_FORWARD, CLASSIFIER_DROPOUT, batch_first=True
    )
    return torch.nn.Sequential(layer, torch.nn.Linear(SENTENCE_DIM, labels))
