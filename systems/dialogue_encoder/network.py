"""The network of `dialogue-encoder`: a pretrained transformer, speaker vectors, and a linear layer on each utterance.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from erc_bench.contract.system import Context

from .windows import SPEAKERS, START, Window

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

POOLABLE = ("bert", "roberta", "mpnet")


def load_transformer(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A pretrained transformer, float32, without the pooling layer that nothing here uses, and its tokenizer."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # it would list the pooling layer's weights as unexpected
    logging.disable_progress_bar()
    try:
        only_data = {"local_files_only": True, "trust_remote_code": False}  # code that lies beside weights never runs
        poolable = AutoConfig.from_pretrained(folder, **only_data).model_type in POOLABLE
        options = {"add_pooling_layer": False} if poolable else {}
        model = AutoModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, **only_data, **options)
        return model, AutoTokenizer.from_pretrained(folder, **only_data)
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


class Batch(NamedTuple):
    """Windows of W sequences of at most T tokens that answer for P pieces.

    `ids`, `turns`, `speakers`: int64 (W, T); `real`: bool (W, T), False for padding; `pooling`: float32 (W, A, T), the
    weights that average the tokens of each of the A answers of a sequence; `answered`: bool (W, A), P of them True.
    """

    ids: torch.Tensor
    turns: torch.Tensor
    speakers: torch.Tensor
    real: torch.Tensor
    pooling: torch.Tensor
    answered: torch.Tensor

    def to(self, device: str) -> Batch:
        """The same on another device."""
        return Batch(*(tensor.to(device) for tensor in self))


def collate(windows: Sequence[Window], padding: int) -> Batch:
    """Windows padded to the longest of them."""
    rows, longest = len(windows), max(map(len, windows))
    answers = max(len(window.places) for window in windows)
    ids = torch.full((rows, longest), padding)
    turns = torch.full((rows, longest), START)
    speakers = torch.zeros((rows, longest), dtype=torch.int64)
    real = torch.zeros((rows, longest), dtype=torch.bool)
    pooling = torch.zeros((rows, answers, longest))
    answered = torch.zeros((rows, answers), dtype=torch.bool)
    for row, window in enumerate(windows):
        size = len(window)
        ids[row, :size] = torch.tensor(window.ids)
        turns[row, :size] = torch.tensor(window.turns)
        speakers[row, :size] = torch.tensor(window.speakers)
        real[row, :size] = True
        for number, (first, behind) in enumerate(window.places):
            pooling[row, number, first:behind] = 1 / (behind - first)
        answered[row, : len(window.places)] = True
    return Batch(ids, turns, speakers, real, pooling, answered)


class DialogueNetwork(nn.Module):
    """Contextual token vectors of a whole sequence, averaged over each utterance, and its logits.

    With `past`, a token attends to the tokens of its own and of earlier utterances, in every layer: nothing that comes
    later reaches it. Speakers are marked by a learned vector added to the word vectors (zero at first), unless the
    context is a single utterance. Word vectors stay as they were pretrained.
    """

    def __init__(self, encoder: PreTrainedModel, context: Context, labels: int, dropout: float) -> None:
        super().__init__()
        self.encoder, self.context = encoder, context
        width = int(encoder.config.hidden_size)
        encoder.get_input_embeddings().requires_grad_(False)
        self.speakers = nn.Embedding(SPEAKERS, width)
        nn.init.zeros_(self.speakers.weight)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, labels)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Logits, float32 (P, labels), of the pieces that the windows answer for, in order."""
        vectors = self.encoder.get_input_embeddings()(batch.ids)
        if self.context != "utterance":
            vectors = vectors + self.speakers(batch.speakers)
        hidden = self.encoder(inputs_embeds=vectors, attention_mask=self._mask(batch)).last_hidden_state
        with torch.autocast(hidden.device.type, enabled=False):
            utterances = torch.bmm(batch.pooling, hidden.float())[batch.answered]
            logits: torch.Tensor = self.classifier(self.dropout(utterances))
        return logits

    def _mask(self, batch: Batch) -> torch.Tensor:
        if self.context != "past":
            return batch.real.long()
        # Added to the attention scores, as every attention implementation of transformers reads a mask of four dimensions.
        readable = (batch.turns[:, None, :] <= batch.turns[:, :, None]) & batch.real[:, None, :]
        return torch.where(readable, 0.0, torch.finfo(torch.float32).min)[:, None]
