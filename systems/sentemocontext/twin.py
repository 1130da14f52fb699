"""Training in bfloat16 on the processor: weights in float32 and a twin of the network that computes. Imports torch.

Where the processor multiplies bfloat16 natively it does so twice as fast as float32, and what lies between the products
reads and writes half the memory. Three things make that a gain on matrices as small as those here: batches are filled up
to few sizes, because the library that multiplies prepares itself anew for each; all weights lie in one vector, so that
the optimiser's work is a handful of calls; and dropout takes its masks from a table.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from erc_bench.toolkit.training import Schedule

from .dropout import Dropout, Masks
from .network import SentEmoContextNetwork

FILLED_TO = 32  # utterances of a batch


def filling(lengths: list[int]) -> list[int]:
    """Lengths of dialogues, none longer than the longest of these, that fill up their utterances to a multiple of 32.

    A dialogue alone is not filled up.
    """
    missing, longest = -sum(lengths) % FILLED_TO, max(1, *lengths)
    if len(lengths) == 1:  # attention would take twice the time
        return []
    return [min(longest, missing - start) for start in range(0, missing, longest)]


class Twin:
    """The network that computes in bfloat16, and the weights in float32 that it is a copy of.

    Parameters
    ----------
    network
        Whose parameters become views of one float32 vector, `weights`, in which those that are trained first lie first.
    pretrained
        Parameters that are trained first, alone.
    """

    def __init__(self, network: SentEmoContextNetwork, pretrained: Iterable[nn.Parameter]) -> None:
        early = {id(parameter) for parameter in pretrained}
        self.network = copy.deepcopy(network).bfloat16()
        pairs = list(zip(network.parameters(), self.network.parameters(), strict=True))
        pairs.sort(key=lambda pair: id(pair[0]) not in early)
        self.weights = nn.utils.parameters_to_vector(parameter for parameter, _ in pairs).detach()
        self.copied = self.weights.bfloat16()
        nn.utils.vector_to_parameters(self.weights, (parameter for parameter, _ in pairs))
        nn.utils.vector_to_parameters(self.copied, (twin for _, twin in pairs))
        self.parameters = [twin for _, twin in pairs]
        self.pretrained = len(early)
        masks: dict[float, Masks] = {}
        for module in self.network.modules():
            if isinstance(module, Dropout) and module.p > 0:
                module.masks = masks.setdefault(module.p, Masks(module.p))

    def forward(self, embeddings: Tensor, lengths: list[int], speakers: Tensor) -> tuple[Tensor, Tensor]:
        """What the network's own `forward` gives, float32, computed in bfloat16."""
        count, more = len(embeddings), filling(lengths)
        embeddings = F.pad(embeddings.bfloat16(), (0, 0, 0, sum(more)))
        vectors, logits = self.network(embeddings, lengths + more, F.pad(speakers, (0, sum(more))))
        return vectors[:count].float(), logits[:count].float()

    def schedule(self, rate: float, *, steps: int, pretraining: bool) -> TwinSchedule:
        """A schedule of the weights, or of those that are trained first."""
        return TwinSchedule(self, rate, steps=steps, count=self.pretrained if pretraining else len(self.parameters))


class TwinSchedule(Schedule):
    """A schedule whose losses come from the twin."""

    def __init__(self, twin: Twin, rate: float, *, steps: int, count: int) -> None:
        self.computing = twin.parameters[:count]
        length = sum(parameter.numel() for parameter in self.computing)
        self.weights, self.copied = nn.Parameter(twin.weights[:length]), twin.copied[:length]
        self.weights.grad = torch.zeros_like(self.weights)
        sizes = [parameter.numel() for parameter in self.computing]
        self.gradients = [
            part.view_as(parameter)
            for part, parameter in zip(self.weights.grad.split(sizes), self.computing, strict=True)
        ]
        super().__init__([self.weights], rate, steps=steps)

    def descend(self, loss: Tensor) -> None:
        """Go one step down the gradient of a scalar loss, at the rate of before, and copy the weights to the twin."""
        found = torch.autograd.grad(loss, self.computing, materialize_grads=True)
        for own, gradient in zip(self.gradients, found, strict=True):
            own.copy_(gradient)
        self.update()
        self.copied.copy_(self.weights.detach())
