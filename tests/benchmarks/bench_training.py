"""An epoch of `sentemocontext` from cached embeddings, on one core and on all, against one of the released algorithm.

The released algorithm, rebuilt from its description: a batch of 32 dialogues is put together utterance by utterance and
filled up to 15 with Gaussian vectors; an encoder layer over vectors of 5,760 numbers computes anchors, positives and
negatives, without a gradient; then, triplet by triplet, one an utterance, the classifier is called with a single row for
each of the three, and their cross-entropies are summed. One backward pass and one step of SGD a batch.

All are timed on some batches of the same dialogues, in turns, and scaled linearly to an epoch: time a dialogue does not
depend on how many follow. Seconds are those of the clock, so the machine should be quiet. The released algorithm has one
core, because it is not faster on two. Vectors are random: what they hold changes no time.
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

LIMITS = {"times_released_all_cores": (">=", 100.0)}
ROUNDS, RELEASED_BATCHES, OUR_BATCHES = 3, 2, 40


class Released:
    """The released loop, one batch at a time."""

    def __init__(self, dataset: Dataset, vectors: torch.Tensor) -> None:
        self.labels = dataset.labels
        self.vectors = vectors
        self.starts = dict(zip((d.id for d in dataset.train), np.cumsum([0, *map(len, dataset.train)]), strict=False))
        self.encoder, self.classifier = new_encoder(), new_classifier(len(dataset.labels))
        self.optimiser = torch.optim.SGD(self.classifier.parameters(), 1e-3, momentum=0.9)
        self.cross_entropy = torch.nn.CrossEntropyLoss()

    def _flat(self, dialogue: Dialogue) -> torch.Tensor:
        rows = []
        for turn in range(UTTERANCES):
            if turn < len(dialogue):
                rows.append(self.vectors[self.starts[dialogue.id] + turn])
            else:
                rows.append(torch.randn(SENTENCE_DIM) * FILLING_SCALE)
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
        total = torch.zeros(())
        for anchor, (positive, negative) in enumerate(zip(*drawn, strict=True)):
            for tower, row in zip(towers, (anchor, positive, negative), strict=True):
                d, turn = places[row]
                logits = self.classifier(tower[d, turn].view(1, 1, SENTENCE_DIM)).view(1, -1)
                total = total + self.cross_entropy(logits, torch.tensor([gold[row]]))
        self.optimiser.zero_grad()
        total.backward()
        self.optimiser.step()


class Ours:
    """The product's own trainer, some batches at a time."""

    def __init__(self, dataset: Dataset, vectors: torch.Tensor, generator: torch.Generator) -> None:
        config = SentEmoContextConfig()
        self.data = EmbeddedDialogues.of(dataset.train, vectors.numpy(), dataset.labels, "cpu")
        self.weight = config.triplet_weight
        network = SentEmoContextNetwork(
            SENTENCE_DIM,
            len(dataset.labels),
            heads=config.heads,
            feed_forward=config.feed_forward,
            dropout=config.dropout,
            context="dialogue",
        )
        self.trainer = Trainer(config, network.train(), self.data, generator)

    def batches(self, count: int) -> int:
        """Train on up to so many batches; how many dialogues they held."""
        dialogues = 0
        for batch in islice(self.trainer.batches(), count):
            cross_entropy, triplets = self.trainer.losses(batch)
            self.trainer.optimiser.step(cross_entropy + self.weight * triplets)
            dialogues += len(batch)
        return dialogues


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Seconds of an epoch each way, and the medians of their ratios."""
    try:
        dataset = load_dataset("sample" if tiny else "dailydialog")
    except DataError:
        dataset = load_dataset("sample")
    rounds, theirs_a_round, ours_a_round, size = (
        (1, 1, 2, 4) if tiny else (ROUNDS, RELEASED_BATCHES, OUR_BATCHES, BATCH)
    )
    vectors = torch.nn.functional.normalize(torch.randn(sum(map(len, dataset.train)), SENTENCE_DIM), dim=1)
    theirs: list[float] = []
    ours: dict[int, list[float]] = {1: [], available_threads(): []}  # the same where there is one core
    dialogues_in_turn = cycle(dataset.train)  # the sample has fewer than are timed
    with fixed_threads(1), deterministic_training(0) as generator:
        released, product = Released(dataset, vectors), Ours(dataset, vectors, generator)
        if not tiny:  # the first steps make buffers
            released.batch(dataset.train[:4])
            product.batches(3)
        for _ in range(rounds):
            chosen = [list(islice(dialogues_in_turn, size)) for _ in range(theirs_a_round)]
            start = time.perf_counter()
            for batch in chosen:
                released.batch(batch)
            theirs.append((time.perf_counter() - start) / sum(map(len, chosen)) * len(dataset.train))
            for threads, found in ours.items():
                with fixed_threads(threads):
                    start = time.perf_counter()
                    dialogues = product.batches(ours_a_round)
                    found.append((time.perf_counter() - start) / dialogues * len(dataset.train))
    one, every = ours[1], ours[available_threads()]
    return {
        "dialogues_an_epoch": len(dataset.train),
        "released_dialogues_timed": rounds * theirs_a_round * size,
        "cores": available_threads(),
        "released_epoch_seconds": median(theirs),
        "our_epoch_seconds": median(one),
        "our_epoch_seconds_all_cores": median(every),
        "times_released": median(t / o for t, o in zip(theirs, one, strict=True)),
        "times_released_all_cores": median(t / o for t, o in zip(theirs, every, strict=True)),
    }
