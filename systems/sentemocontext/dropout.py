"""Dropout that costs less than the matrix products beside it, on the CPU. Imports torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

TABLE = 2**22
TURNS = 16
LARGEST_SHARE = 4


def threshold(probability: float) -> int:
    """Sixteen random bits, read as a signed number, are below it with this probability."""
    return min(round(65536 * probability), 65535) - 32768


def words(count: int) -> Tensor:
    """Random int16 (count,)."""
    return torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:count]


class Masks:
    """Masks of dropout in bfloat16: stretches of a table of draws, each from a random place on.

    The table has 4,194,304 draws, and four times as many as the largest mask, so that masks begin at different places. It is
    drawn anew once it was read sixteen times over. Sixteen bits decide a draw, as in `Dropout`.
    """

    def __init__(self, probability: float) -> None:
        self.threshold = threshold(probability)
        scale = torch.tensor(1 / (1 - probability), dtype=torch.bfloat16)
        self.scale_bits = int(scale.view(torch.int16))
        self.table = torch.empty(0, dtype=torch.bfloat16)
        self.left = 0

    def like(self, input: Tensor) -> Tensor:
        """A mask for `input`: 0 with the probability, else 1 / (1 - probability)."""
        count = input.numel()
        if count > self.left or LARGEST_SHARE * count > len(self.table):
            drawn = words(max(TABLE, LARGEST_SHARE * count))
            self.table = drawn.ge_(self.threshold).mul_(self.scale_bits).view(torch.bfloat16)
            self.left = TURNS * len(self.table)
        self.left -= count
        start = int(torch.randint(len(self.table) - count + 1, ()))
        return self.table[start : start + count].view(input.shape)


class Dropout(nn.Dropout):
    """Dropout whose random numbers cost less than the matrix products beside it, on the CPU.

    torch's own draws a number in double precision for each element there, one after the other. Sixteen bits decide as
    well: the probability is rounded to a multiple of 1 / 65,536.
    """

    masks: Masks | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Zero each element with probability `p` and scale the others by 1 / (1 - p), in training."""
        if not self.training or self.p == 0 or input.device.type != "cpu":
            dropped: Tensor = F.dropout(input, self.p, self.training)
            return dropped
        if self.masks is not None:
            return input * self.masks.like(input)
        kept = words(input.numel()).ge_(threshold(self.p)).view(input.shape)
        return input * kept.to(input.dtype).mul_(1 / (1 - self.p))
