"""An epoch of `sentemocontext` from cached embeddings, on cores and on a GPU, against one of the released algorithm.

The released algorithm is rebuilt from what its code does (`train_contextual` in SiameseNetworks/code/main.py, github.com/
B-Gendron/sentEmoContext), without a line of it. An epoch has two halves. First an encoder layer over vectors of 5,760
numbers reads all dialogues, 15 utterances each, filled up with Gaussian vectors; its outputs are cut into utterances one
by one, without a gradient. Then come as many triplets as there are utterances, drawn one by one, 32 in a batch: the
classifier is called with a single row for each utterance of each triplet, their weighted cross-entropy is propagated back
and SGD makes a step; the triplet loss of each triplet is computed, and AdamW finds no gradient. What is left out, to the
good of the released algorithm: the library from which its loaders read each vector, and its scores. Its sampler, too,
draws about 10,800 dialogues with 88,000 utterances where an epoch here has 11,118 with 85,000.

Both are timed on one core, on all, ours also on the powers of two between them, and on the GPU if there is one, in turns.
Ours is a whole epoch, with the defaults and with faster settings; the released one is timed on some of the dialogues and
scaled linearly, its first half by dialogues, the second by triplets. What counts is each at its fastest on this machine.
Seconds are those of the clock, so the machine should be quiet. Vectors are random: what they hold changes no time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import cycle, islice
from statistics import median
from typing import Any, NamedTuple

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
ROUNDS, RELEASED_DIALOGUES = 3, 64


# Settings beside the defaults: those of docs/performance.md that train fastest, and each step on the way there.
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "bf16": {"arithmetic": "bf16"},
    "fast": {"arithmetic": "bf16", "batch_size": 64, "feed_forward": 512},  # epochs=8 changes no epoch
}


class Way(NamedTuple):
    """Where and how an epoch is computed."""

    device: str
    threads: int = 1
    settings: str = "default"

    @property
    def place(self) -> str:
        """The part of a figure's name that says where."""
        return f"threads_{self.threads}" if self.device == "cpu" else "gpu"

    def __str__(self) -> str:
        return f"{self.place}_{self.settings}"


def clock(device: str) -> float:
    """Seconds of the clock, once the device has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


class Released:
    """The released loop, some dialogues at a time, as if they were the whole training split."""

    def __init__(self, dataset: Dataset, vectors: torch.Tensor, device: str) -> None:
        self.labels, self.device, self.vectors = dataset.labels, device, vectors
        self.dialogues = len(dataset.train)
        self.utterances = sum(min(len(dialogue), UTTERANCES) for dialogue in dataset.train)
        self.starts = dict(zip((d.id for d in dataset.train), np.cumsum([0, *map(len, dataset.train)]), strict=False))
        self.encoder, self.classifier = new_encoder().to(device), new_classifier(len(dataset.labels)).to(device)
        parameters = [*self.encoder.parameters(), *self.classifier.parameters()]
        self.descent = torch.optim.SGD(parameters, 1e-5, momentum=0.9)
        self.adam = torch.optim.AdamW(parameters, 1e-5)  # no gradient ever reaches it
        self.triplet_loss = torch.nn.TripletMarginLoss()
        self.random = random.Random(0)

    def prepared(self, dialogues: Sequence[Dialogue]) -> list[list[float]]:
        """Dialogues as the released data set keeps them: a list of 5,760 numbers each, filled up."""
        return [self._flat(dialogue).tolist() for dialogue in dialogues]

    def epoch(self, dialogues: Sequence[Dialogue], flats: Sequence[Sequence[float]]) -> float:
        """Encode some dialogues, and train on as many triplets as they have utterances, in whole batches.

        Returns the seconds that it would take on the whole split.
        """
        start = clock(self.device)
        rows: list[list[float]] = []
        for first in range(0, len(dialogues), BATCH):
            batch = torch.stack([torch.tensor(flat) for flat in flats[first : first + BATCH]]).to(self.device)
            encoded = self.encoder(batch).view(len(batch), UTTERANCES, SENTENCE_DIM)
            kept = [
                encoded[d, turn].detach().clone()
                for d, dialogue in enumerate(dialogues[first : first + BATCH])
                for turn in range(min(len(dialogue), UTTERANCES))
            ]
            rows += torch.stack(kept).tolist()
        of_label: dict[int, list[int]] = {}
        gold = [self.labels.index(str(u.label)) for d in dialogues for u in d.utterances[:UTTERANCES]]
        for row, label in enumerate(gold):
            of_label.setdefault(label, []).append(row)
        middle, batches = clock(self.device), len(rows) // BATCH
        for _ in range(batches):
            self._train(*self._triplets(rows, of_label))
        encoded_a_second = len(dialogues) / (middle - start)
        trained_a_second = BATCH * batches / (clock(self.device) - middle)
        seconds: float = self.dialogues / encoded_a_second + self.utterances / trained_a_second
        return seconds

    def _flat(self, dialogue: Dialogue) -> torch.Tensor:
        rows = torch.randn(UTTERANCES, SENTENCE_DIM) * FILLING_SCALE
        start, kept = self.starts[dialogue.id], min(len(dialogue), UTTERANCES)
        rows[:kept] = self.vectors[start : start + kept]
        flat: torch.Tensor = rows.flatten()
        return flat

    def _triplets(
        self, rows: Sequence[Sequence[float]], of_label: dict[int, list[int]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors (triplets, 3, dim) and their labels (triplets, 3), drawn one by one."""
        vectors, labels = [], []
        for _ in range(BATCH):
            label, other = self.random.sample(sorted(of_label), 2)
            drawn = (label, label, other)
            vectors.append(torch.stack([torch.tensor(rows[self.random.choice(of_label[name])]) for name in drawn]))
            labels.append(torch.tensor(drawn, dtype=torch.float32))
        return torch.stack(vectors).to(self.device), torch.stack(labels).to(self.device)

    def _train(self, vectors: torch.Tensor, labels: torch.Tensor) -> None:
        self.descent.zero_grad()
        shares = [self.classifier(row.view(1, 1, -1)).view(1, -1).softmax(-1) for triplet in vectors for row in triplet]
        weights = torch.bincount(labels.flatten().long(), minlength=len(self.labels)).clamp(min=1).float().reciprocal()
        loss = torch.nn.functional.cross_entropy(torch.cat(shares), labels.flatten().long(), weights)
        loss.backward()
        self.descent.step()
        loss.item()
        self.adam.zero_grad()
        for anchor, positive, negative in vectors:
            self.triplet_loss(anchor, positive, negative).item()
        self.triplet_loss(*vectors.unbind(1)).item()
        self.adam.step()


class Ours:
    """The product's own trainer."""

    def __init__(
        self, dataset: Dataset, vectors: torch.Tensor, generator: torch.Generator, device: str, settings: str
    ) -> None:
        config = SentEmoContextConfig(epochs=1000, **SETTINGS[settings])  # the rate stays above zero
        self.data = EmbeddedDialogues.of(dataset.train, vectors.numpy(), dataset.labels, device)
        network = SentEmoContextNetwork(
            SENTENCE_DIM,
            len(dataset.labels),
            heads=config.heads,
            feed_forward=config.feed_forward,
            dropout=config.dropout,
            context="dialogue",
        ).to(device)
        self.trainer = Trainer(config, network, self.data, generator)
        self.trainer.computing.train()

    def epoch(self, count: int | None) -> int:
        """Train for an epoch, or on its first batches; how many dialogues they held."""
        dialogues = 0
        for batch in islice(self.trainer.batches(), count):
            self.trainer.step(batch)
            dialogues += len(batch)
        return dialogues


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Seconds of an epoch each way, and how many times faster ours is than the released one at its fastest."""
    try:
        dataset = load_dataset("sample" if tiny else "dailydialog")
    except DataError:
        dataset = load_dataset("sample")
    rounds, theirs_a_round, batches = (1, 8, 2) if tiny else (ROUNDS, RELEASED_DIALOGUES, None)
    vectors = torch.nn.functional.normalize(torch.randn(sum(map(len, dataset.train)), SENTENCE_DIM), dim=1)
    cores = available_threads()
    counts = sorted({cores, *(2**power for power in range(cores.bit_length()))})
    theirs: dict[Way, list[float]] = {Way("cpu", 1): [], Way("cpu", cores): []}
    ours: dict[Way, list[float]] = {Way("cpu", count, settings): [] for count in counts for settings in SETTINGS}
    if torch.cuda.is_available():
        theirs[Way("cuda")] = []
        ours[Way("cuda")] = []
    dialogues_in_turn = cycle(dataset.train)  # the sample has fewer than are timed
    with fixed_threads(1), deterministic_training(0) as generator:
        released = {device: Released(dataset, vectors, device) for device in {way.device for way in theirs}}
        product = {
            (device, settings): Ours(dataset, vectors, generator, device, settings)
            for device, settings in {(way.device, way.settings) for way in ours}
        }
        if not tiny:  # the first steps make buffers, and graphs on a GPU
            for loop in released.values():
                loop.epoch(dataset.train[:BATCH], loop.prepared(dataset.train[:BATCH]))
            for trained in product.values():
                trained.epoch(batches)
        for _ in range(rounds):
            chosen = list(islice(dialogues_in_turn, theirs_a_round))
            for way, seconds in ours.items():
                with fixed_threads(way.threads):
                    start = clock(way.device)
                    dialogues = product[way.device, way.settings].epoch(batches)
                    seconds.append((clock(way.device) - start) / dialogues * len(dataset.train))
            for way, seconds in theirs.items():
                prepared = released[way.device].prepared(chosen)
                with fixed_threads(way.threads):
                    seconds.append(released[way.device].epoch(chosen, prepared))
    result: dict[str, float] = {
        "dialogues_an_epoch": len(dataset.train),
        "released_dialogues_timed": rounds * theirs_a_round,
        "cores": cores,
    }
    result |= {f"released_epoch_seconds_{way.place}": median(seconds) for way, seconds in theirs.items()}
    result |= {f"our_epoch_seconds_{way}": median(seconds) for way, seconds in ours.items()}
    fastest = [min(seconds[turn] for seconds in theirs.values()) for turn in range(rounds)]
    for way, each in ours.items():
        result[f"times_released_{way}"] = median(t / o for t, o in zip(fastest, each, strict=True))
    result["times_released"] = max(result[f"times_released_{way}"] for way in ours)
    return result
