"""Steps of training as CUDA graphs. Imports torch.

The matrices here are small for a GPU: launching a step's hundreds of kernels one by one takes ten times as long as
computing them. A graph launches all of them at once, and needs shapes that do not depend on data: utterances of a batch
are filled up to one of a few sizes, attention sees them as one sequence with a mask, and triplets are drawn from a table
with the same places for every label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from erc_bench.contract.system import Context

SIZES = 64
LARGEST = 4096


def size_of(utterances: int) -> int | None:
    """The size that so many utterances are filled up to; None where a mask over all pairs of them would be too large."""
    size = -(-utterances // SIZES) * SIZES
    return size if size <= LARGEST else None


@contextmanager
def _any_algorithm() -> Iterator[None]:
    """Deterministic ones are not asked for inside: attention has none on a GPU that takes a mask, so bits differ anyway."""
    before, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


@dataclass(frozen=True, slots=True)
class _Kept:
    inputs: tuple[Tensor, ...]
    graph: torch.cuda.CUDAGraph
    result: Tensor


class CapturedStep:
    """A function of tensors on a CUDA device, replayed as one graph for each combination of their shapes.

    The first call of a combination computes as ever, so that what is made at first use exists, the second captures. On
    other devices every call computes as ever.

    Parameters
    ----------
    function
        From tensors to a tensor, and whatever else it changes in place; no shape in it may depend on their content, and it
        may not wait for the device. Its result lasts until the next call.
    device
        Where it computes; inputs are copied there.
    """

    def __init__(self, function: Callable[..., Tensor], device: torch.device) -> None:
        self.function, self.device = function, device
        self._kept: dict[tuple[torch.Size, ...], _Kept | None] = {}
        self._pool: Any = None
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What the function makes of the inputs."""
        if self.device.type != "cuda":
            return self.function(*(tensor.to(self.device) for tensor in inputs))
        shapes = tuple(tensor.shape for tensor in inputs)
        if shapes not in self._kept:
            self._kept[shapes] = None
            return self._as_ever(inputs)
        kept = self._kept[shapes] or self._captured(inputs)
        self._kept[shapes] = kept
        for own, tensor in zip(kept.inputs, inputs, strict=True):
            own.copy_(tensor)
        kept.graph.replay()
        return kept.result

    def _as_ever(self, inputs: tuple[Tensor, ...]) -> Tensor:
        moved = [tensor.to(self.device) for tensor in inputs]
        beside = torch.cuda.Stream(self.device)  # captures have a stream of their own, too
        beside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(beside), _any_algorithm():
            result = self.function(*moved)
        torch.cuda.current_stream(self.device).wait_stream(beside)
        return result

    def _captured(self, inputs: tuple[Tensor, ...]) -> _Kept:
        own = tuple(tensor.to(self.device, copy=True) for tensor in inputs)
        self._stream = self._stream or torch.cuda.Stream(self.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self.device), _any_algorithm(), torch.cuda.graph(graph, self._pool, self._stream):
            result = self.function(*own)
        self._pool = self._pool or graph.pool()
        return _Kept(own, graph, result)


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch as one sequence in which an utterance attends to its own dialogue alone, as `Places` lays it out in rows.

    Parameters
    ----------
    dialogues
        Which dialogue each utterance belongs to, int64 (utterances,); what fills up has dialogues of its own.
    turns, speakers
        As in `Places`.
    table
        Codes of all turns, float32 (turns, dim).
    """

    dialogues: Tensor
    turns: Tensor
    speakers: Tensor
    table: Tensor

    def codes(self, hidden: Tensor) -> Tensor:
        """Position codes like `hidden`, (utterances, dim)."""
        return self.table.to(hidden).index_select(0, self.turns)

    def spread(self, projected: Tensor, heads: int) -> Tensor:
        """Queries, keys and values: (3, 1, heads, utterances, dim of a head)."""
        return projected.view(1, len(projected), 3, heads, -1).permute(2, 0, 3, 1, 4)

    def gather(self, attended: Tensor) -> Tensor:
        """Attended vectors (utterances, dim) of (1, heads, utterances, dim of a head)."""
        return attended.transpose(1, 2).reshape(attended.shape[2], -1)

    def seen(self, context: Context) -> Tensor:
        """Which utterance attends to which, bool (utterances, utterances)."""
        if context == "utterance":
            return torch.eye(len(self.turns), dtype=torch.bool, device=self.turns.device)
        same = self.dialogues[:, None] == self.dialogues
        return same & (self.turns[:, None] >= self.turns) if context == "past" else same


def triplet_loss(
    vectors: Tensor,
    gold: Tensor,
    labels: int,
    *,
    margin: float,
    which: Literal["random", "batch-hard", "all"],
    per_class: int,
    triplets_per_anchor: int,
) -> Tensor:
    """What `BalancedTripletLoss` computes, from a table of `per_class` places for each of `labels` labels, empty or not."""
    device, places = vectors.device, torch.arange(per_class, device=vectors.device)
    every = torch.arange(labels, device=device)
    label = torch.where(gold < 0, labels, gold)
    order = (label + torch.rand(len(gold), dtype=torch.float64, device=device)).argsort()
    counts = (label[:, None] == every).sum(0)
    rows = ((counts.cumsum(0) - counts)[:, None] + places).clamp(max=len(gold) - 1)
    filled = (places < counts[:, None]).flatten()
    unit = F.normalize(vectors.index_select(0, order[rows.flatten()]), dim=1)
    distances = torch.cdist(unit, unit, compute_mode="donot_use_mm_for_euclid_dist")
    pairs = filled[:, None] & filled
    same = (places.new_zeros(labels, per_class) + every[:, None]).flatten()
    alike = same[:, None] == same
    positives = pairs & alike & ~torch.eye(len(same), dtype=torch.bool, device=device)
    negatives = pairs & ~alike
    usable = positives.any(1) & negatives.any(1)
    if which == "all":
        losses = (_own(distances, labels)[..., None] - _rows(distances, labels) + margin).relu()
        losses = losses * (_own(positives, labels)[..., None] & _rows(negatives, labels))
    else:
        if which == "batch-hard":
            positive = distances.detach().masked_fill(~positives, -1.0).argmax(1, keepdim=True)
            negative = distances.detach().masked_fill(~negatives, torch.inf).argmin(1, keepdim=True)
        else:
            positive, negative = _drawn(positives, triplets_per_anchor), _drawn(negatives, triplets_per_anchor)
        losses = (distances.gather(1, positive) - distances.gather(1, negative) + margin).relu() * usable[:, None]
    return losses.sum() / (losses > 0).sum().clamp(min=1)


def _own(pairs: Tensor, labels: int) -> Tensor:
    """Of a table of all pairs (labels * places, labels * places) those of one label: (labels, places, places)."""
    return pairs.view(labels, -1, labels, pairs.shape[1] // labels).diagonal(dim1=0, dim2=2).permute(2, 0, 1)


def _rows(pairs: Tensor, labels: int) -> Tensor:
    """Of the same table each row, for each place of its own label: (labels, places, 1, labels * places)."""
    return pairs.view(labels, -1, 1, pairs.shape[1])


def _drawn(allowed: Tensor, count: int) -> Tensor:
    """For each row `count` columns among those allowed, uniformly with replacement: int64 (rows, count)."""
    ranks = allowed.cumsum(1)
    wanted = (torch.rand(len(allowed), count, dtype=torch.float64, device=allowed.device) * ranks[:, -1:]).long() + 1
    return torch.searchsorted(ranks, wanted).clamp(max=allowed.shape[1] - 1)
