"""The two sub-networks of the isolated systems, from word vectors to one vector an utterance."""

from __future__ import annotations

import torch


class LinearNetwork(torch.nn.Module):
    """Two linear layers over the concatenated word vectors; padding is zeros."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(width, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, hidden)
        )

    def forward(self, words: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Float32 (batch, tokens, dim) to (batch, hidden)."""
        found: torch.Tensor = self.layers(words)
        return found


class LstmNetwork(torch.nn.Module):
    """An LSTM whose top state after the last token of each utterance is its vector."""

    def __init__(self, dim: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(dim, hidden, layers, batch_first=True)

    def forward(self, words: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Float32 (batch, tokens, dim) and counts (batch,) of at least 1 to (batch, hidden)."""
        states = self.lstm(words)[0]
        found: torch.Tensor = states[torch.arange(len(states)), lengths - 1]
        return found
