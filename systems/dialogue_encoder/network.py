"""The network of `dialogue-encoder`: a pretrained transformer, speaker vectors, and a linear layer on each utterance.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
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
    """Windows of W sequences of at most T tokens that answer for P pieces, at most A in a sequence.

    `ids`, `turns`, `speakers`, `pieces`: int64 (W, T); `pieces` says which of its sequence's answers a token belongs to,
    -1 where to none; `real`: bool (W, T), False for padding; `lengths`: int64 (W, A), the tokens of each answer, 0 where
    a sequence has fewer; `answers`: int64 (P,), where the P answers stand among the W * A.
    """

    ids: torch.Tensor
    turns: torch.Tensor
    speakers: torch.Tensor
    pieces: torch.Tensor
    real: torch.Tensor
    lengths: torch.Tensor
    answers: torch.Tensor

    def to(self, device: str) -> Batch:
        """The same on another device."""
        return Batch(*(tensor.to(device) for tensor in self))


def collate(windows: Sequence[Window], padding: int, *, steps: tuple[int, int] = (1, 1)) -> Batch:
    """Windows padded to the longest of them: both T and A to the next multiple of `steps`."""
    sizes = np.array([len(window) for window in windows])
    counts = np.array([len(window.places) for window in windows])
    longest, answers = (-(-max(found) // step) * step for found, step in zip((sizes, counts), steps, strict=True))
    real = np.arange(longest) < sizes[:, None]
    answered = np.arange(answers) < counts[:, None]

    def padded(rows: Iterable[Sequence[int]], filling: int) -> torch.Tensor:
        whole = np.full(real.shape, filling, np.int64)
        whole[real] = np.fromiter(chain.from_iterable(rows), np.int64, int(sizes.sum()))
        return torch.from_numpy(whole)

    lengths = np.zeros(answered.shape, np.int64)
    lengths[answered] = [behind - first for window in windows for first, behind in window.places]
    return Batch(
        padded((window.ids for window in windows), padding),
        padded((window.turns for window in windows), START),
        padded((window.speakers for window in windows), 0),
        padded((window.pieces for window in windows), -1),
        torch.from_numpy(real),
        torch.from_numpy(lengths),
        torch.from_numpy(answered.reshape(-1).nonzero()[0]),
    )


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
            mine = batch.pieces[:, None, :] == torch.arange(batch.lengths.shape[1], device=hidden.device)[:, None]
            pooling = mine * (1 / batch.lengths.clamp(min=1))[:, :, None]
            utterances = torch.bmm(pooling, hidden.float()).flatten(0, 1).index_select(0, batch.answers)
            logits: torch.Tensor = self.classifier(self.dropout(utterances))
        return logits

    def _mask(self, batch: Batch) -> torch.Tensor:
        if self.context != "past":
            return batch.real.long()
        # Added to the attention scores, as every attention implementation of transformers 5 reads a mask of four dimensions.
        readable = (batch.turns[:, None, :] <= batch.turns[:, :, None]) & batch.real[:, None, :]
        return torch.where(readable, 0.0, torch.finfo(torch.float32).min)[:, None]
