"""An epoch of `sentemocontext` from cached embeddings, on cores and on a GPU, against one of the released algorithm.

The released algorithm, rebuilt from its description: a batch of 32 dialogues is put together utterance by utterance and
filled up to 15 with Gaussian vectors; an encoder layer over vectors of 5,760 numbers computes anchors, positives and
negatives, without a gradient; then, triplet by triplet, one an utterance, the classifier is called with a single row for
each of the three, and their cross-entropies are summed. One backward pass and one step of SGD a batch.

Both are timed on one core, on all, ours also on the powers of two between them, and on the GPU if there is one, on some
batches of the same dialogues, in turns, and scaled linearly to an epoch: time a dialogue does not depend on how many follow.
What counts is each at its fastest on this machine. Seconds are those of the clock, so the machine should be quiet. Vectors
are random: what they hold changes no time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice
from statistics import median

import numpy as np
import torch

from erc_bench.contract.domain import Dataset, Dialogue
from erc_bench.data import load_dataset
from erc_bench.errors import DataError
from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork
from erc_bench.systems.sentemocontext.released import (
    BATCH,
    FILLING_SCALE,
    SENTENCE_DIM,
    UTTERANCES,
    new_classifier,
    new_encoder,
)
from erc_bench.systems.sentemocontext.trainer import EmbeddedDialogues, Trainer
from erc_bench.toolkit.threads import available_threads, fixed_threads
from erc_bench.toolkit.training import deterministic_training

LIMITS = {"times_released": (">=", 100.0)}
ROUNDS, RELEASED_BATCHES, OUR_BATCHES = 3, 2, 40
A_GPU = 8  # times as many batches there


class Released:
    """The released loop, one batch at a time."""

    def __init__(self, dataset: Dataset, vectors: torch.Tensor, device: str) -> None:
        self.labels, self.device = dataset.labels, device
        self.vectors = vectors.to(device)
        self.starts = dict(zip((d.id for d in dataset.train), np.cumsum([0, *map(len, dataset.train)]), strict=False))
        self.encoder, self.classifier = new_encoder().to(device), new_classifier(len(dataset.labels)).to(device)
        self.optimiser = torch.optim.SGD(self.classifier.parameters(), 1e-3, momentum=0.9)
        self.cross_entropy = torch.nn.CrossEntropyLoss()

    def _flat(self, dialogue: Dialogue) -> torch.Tensor:
        rows = []
        for turn in range(UTTERANCES):
            if turn < len(dialogue):
                rows.append(self.vectors[self.starts[dialogue.id] + turn])
            else:
                rows.append(torch.randn(SENTENCE_DIM, device=self.device) * FILLING_SCALE)
        return torch.cat(rows)

    def batch(self, dialogues: Sequence[Dialogue]) -> None:
        """Train on one batch."""
        places = [(d, turn) for d, dialogue in enumerate(dialogues) for turn in range(min(len(dialogue), UTTERANCES))]
        gold = [self.labels.index(str(dialogues[d].utterances[turn].label)) for d, turn in places]
        towers = []
        for _ in range(3):
            contextual = self.encoder(torch.stack([self._flat(dialogue) for dialogue in dialogues])).detach()
            towers.append(contextual.view(len(dialogues), UTTERANCES, SENTENCE_DIM))
        drawn = torch.randint(len(places), (2, len(places))).tolist()
        total = torch.zeros((), device=self.device)
        for anchor, (positive, negative) in enumerate(zip(*drawn, strict=True)):
            for tower, row in zip(towers, (anchor, positive, negative), strict=True):
                d, turn = places[row]
                logits = self.classifier(tower[d, turn].view(1, 1, SENTENCE_DIM)).view(1, -1)
                total = total + self.cross_entropy(logits, torch.tensor([gold[row]], device=self.device))
        self.optimiser.zero_grad()
        total.backward()
        self.optimiser.step()


class Ours:
    """The product's own trainer, some batches at a time."""

    def __init__(self, dataset: Dataset, vectors: torch.Tensor, generator: torch.Generator, device: str) -> None:
        config = SentEmoContextConfig()
        self.data = EmbeddedDialogues.of(dataset.train, vectors.numpy(), dataset.labels, device)
        network = SentEmoContextNetwork(
            SENTENCE_DIM,
            len(dataset.labels),
            heads=config.heads,
            feed_forward=config.feed_forward,
            dropout=config.dropout,
            context="dialogue",
        ).to(device)
        self.trainer = Trainer(config, network.train(), self.data, generator)

    def batches(self, count: int) -> int:
        """Train on up to so many batches; how many dialogues they held."""
        dialogues = 0
        for batch in islice(self.trainer.batches(), count):
            self.trainer.step(batch)
            dialogues += len(batch)
        return dialogues


def clock(device: str) -> float:
    """Seconds of the clock, once the device has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Seconds of an epoch each way, and how many times faster ours is than the released one at its fastest."""
    try:
        dataset = load_dataset("sample" if tiny else "dailydialog")
    except DataError:
        dataset = load_dataset("sample")
    rounds, theirs_a_round, ours_a_round, size = (
        (1, 1, 2, 4) if tiny else (ROUNDS, RELEASED_BATCHES, OUR_BATCHES, BATCH)
    )
    vectors = torch.nn.functional.normalize(torch.randn(sum(map(len, dataset.train)), SENTENCE_DIM), dim=1)
    cores = available_threads()
    counts = sorted({cores, *(2**power for power in range(cores.bit_length()))})
    ways = {f"threads_{count}": ("cpu", count) for count in counts}
    if torch.cuda.is_available():
        ways["gpu"] = ("cuda", 1)
    theirs: dict[str, list[float]] = {way: [] for way in ways if way in ("threads_1", f"threads_{cores}", "gpu")}
    ours: dict[str, list[float]] = {way: [] for way in ways}
    dialogues_in_turn = cycle(dataset.train)  # the sample has fewer than are timed
    with fixed_threads(1), deterministic_training(0) as generator:
        devices = {device for device, _ in ways.values()}
        released = {device: Released(dataset, vectors, device) for device in devices}
        product = {device: Ours(dataset, vectors, generator, device) for device in devices}
        if not tiny:  # the first steps make buffers, and graphs on a GPU
            for device in devices:
                released[device].batch(dataset.train[:4])
                product[device].batches(OUR_BATCHES if device == "cpu" else A_GPU * OUR_BATCHES)
        for _ in range(rounds):
            chosen = [list(islice(dialogues_in_turn, size)) for _ in range(theirs_a_round)]
            for way, (device, threads) in ways.items():
                with fixed_threads(threads):
                    start = clock(device)
                    dialogues = product[device].batches(ours_a_round if device == "cpu" else A_GPU * ours_a_round)
                    ours[way].append((clock(device) - start) / dialogues * len(dataset.train))
                    if way in theirs:
                        start = clock(device)
                        for batch in chosen:
                            released[device].batch(batch)
                        seconds = clock(device) - start
                        theirs[way].append(seconds / sum(map(len, chosen)) * len(dataset.train))
    result: dict[str, float] = {
        "dialogues_an_epoch": len(dataset.train),
        "released_dialogues_timed": rounds * theirs_a_round * size,
        "cores": cores,
    }
    result |= {f"released_epoch_seconds_{way}": median(seconds) for way, seconds in theirs.items()}
    result |= {f"our_epoch_seconds_{way}": median(seconds) for way, seconds in ours.items()}
    fastest = [min(seconds[turn] for seconds in theirs.values()) for turn in range(rounds)]
    for way, each in ours.items():
        result[f"times_released_{way}"] = median(t / o for t, o in zip(fastest, each, strict=True))
    result["times_released"] = max(result[f"times_released_{way}"] for way in ours)
    return result
