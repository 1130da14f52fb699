"""Tokens a second of training `dialogue-encoder`, against a plain loop of `transformers.Trainer`, on one core each.

The plain loop trains the same network with the same loss on the same dialogues as `transformers.Trainer` does it with nothing
said but the batch: 16 dialogues in random order, padded to the longest of them, float32, AdamW. Ours is the product's own
loop with its defaults, and once more in float32, where only the batches differ. A dialogue that is too long for a sequence
is several to both.

They take turns: so many steps of one, then of the other. What counts are real tokens, not padding, and seconds of the
processor; those of the clock stand beside. The first steps, which make buffers, are not timed, nor is the making of a loop.
"""

from __future__ import annotations

import copy
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as Windows
from transformers import Trainer as PlainTrainer
from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from erc_bench.contract.domain import Dataset
from erc_bench.data import load_dataset
from erc_bench.errors import DataError
from erc_bench.systems.dialogue_encoder.fine_tuning import Recipe, Trainer
from erc_bench.systems.dialogue_encoder.network import Batch, DialogueNetwork, collate, load_transformer
from erc_bench.systems.dialogue_encoder.system import DialogueEncoderConfig
from erc_bench.systems.dialogue_encoder.windows import Window, Windower
from erc_bench.toolkit.encoders import resolve_encoder
from erc_bench.toolkit.threads import fixed_threads
from erc_bench.toolkit.training import class_weights, deterministic_training, gold_indices

LIMITS = {"times_plain": (">=", 1.5)}
DIALOGUES, ROUNDS, STEPS, PLAIN_DIALOGUES = 2_000, 5, 3, 16


@dataclass(frozen=True)
class Material:
    """What both train on: a fresh network, windows, the gold of each, and class weights."""

    network: DialogueNetwork
    windows: Sequence[Window]
    gold: Sequence[NDArray[np.int64]]
    weights: NDArray[np.float32]
    padding: int

    @classmethod
    def of(cls, dataset: Dataset, dialogues: int, config: DialogueEncoderConfig) -> Material:
        """From some dialogues of a training split, drawn at random."""
        chosen = random.Random(0).sample(dataset.train, min(dialogues, len(dataset.train)))
        encoder, tokenizer = load_transformer(resolve_encoder(config.encoder).folder)
        network = DialogueNetwork(encoder, config.context, len(dataset.labels), config.dropout)
        windows = Windower(tokenizer, config.context, config.limit, config.overlap).windows(chosen)
        labels = {dialogue.id: gold_indices([dialogue], dataset.labels) for dialogue in chosen}
        gold = [np.array([labels[target.dialogue][target.turn] for target in window.targets]) for window in windows]
        weights = class_weights(np.concatenate([*labels.values()]), len(dataset.labels), config.weight_power)
        return cls(network, windows, gold, weights, int(tokenizer.pad_token_id))


@dataclass
class Timed:
    """Real tokens, seconds of the clock and seconds of the processor."""

    tokens: int
    clock: float
    processor: float


class Ours:
    """The product's own loop, some steps at a time."""

    def __init__(self, material: Material, config: DialogueEncoderConfig, *, bf16: bool) -> None:
        recipe = Recipe(
            epochs=1,
            rate=config.learning_rate,
            weight_decay=config.weight_decay,
            warm_up=config.warm_up,
            batch_tokens=config.batch_tokens,
            accumulate=config.accumulate,
            bf16=bf16,
        )
        self.trainer = Trainer(
            copy.deepcopy(material.network).train(),
            material.windows,
            material.gold,
            material.weights,
            recipe,
            torch.Generator().manual_seed(0),
            padding=material.padding,
        )
        self.batches: Iterator[list[int]] = cycle(self.trainer.plans[0])

    def steps(self, count: int, seed: int = 0) -> Timed:
        """Train on so many batches."""
        chosen = list(islice(self.batches, count))
        with deterministic_training(seed):
            clock, processor = time.perf_counter(), time.process_time()
            for batch in chosen:
                self.trainer._step([batch])
            taken = time.perf_counter() - clock, time.process_time() - processor
        return Timed(sum(self.trainer.lengths[position] for batch in chosen for position in batch), *taken)


class WithLoss(torch.nn.Module):
    """The network as `transformers.Trainer` wants it, which counts the tokens that it reads."""

    def __init__(self, material: Material) -> None:
        super().__init__()
        self.network = copy.deepcopy(material.network)
        self.cross_entropy = torch.nn.CrossEntropyLoss(torch.from_numpy(material.weights), ignore_index=-1)
        self.tokens = 0

    def forward(self, parts: Sequence[torch.Tensor], labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss of a batch, given as its parts."""
        batch = Batch(*parts)
        self.tokens += int(batch.real.sum())
        return {"loss": self.cross_entropy(self.network(batch), labels)}


class Positions(Windows[int]):
    """The positions of the windows."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, position: int) -> int:
        return position


class Clock(TrainerCallback):
    """Times a training from its first step to its last, the making of batches included."""

    def __init__(self, network: WithLoss) -> None:
        self.network = network
        self.begun = self.timed = Timed(0, 0.0, 0.0)

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Start."""
        self.begun = Timed(self.network.tokens, time.perf_counter(), time.process_time())

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Stop, unless another step follows."""
        begun, clock, processor = self.begun, time.perf_counter(), time.process_time()
        self.timed = Timed(self.network.tokens - begun.tokens, clock - begun.clock, processor - begun.processor)


class Plain:
    """The plain loop, some steps at a time."""

    def __init__(self, material: Material) -> None:
        self.material, self.network = material, WithLoss(material)

    def _collate(self, positions: Sequence[int]) -> dict[str, Any]:
        batch = collate([self.material.windows[i] for i in positions], self.material.padding)
        gold = np.concatenate([self.material.gold[i] for i in positions])
        return {"parts": list(batch), "labels": torch.from_numpy(gold)}

    def steps(self, count: int, seed: int = 0) -> Timed:
        """Train on so many batches."""
        clock = Clock(self.network)
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder,
                per_device_train_batch_size=PLAIN_DIALOGUES,
                max_steps=count,
                seed=seed,
                use_cpu=True,
                remove_unused_columns=False,  # the names that forward takes are not known to it
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            )
            trainer = PlainTrainer(
                self.network,
                arguments,
                data_collator=self._collate,
                train_dataset=Positions(len(self.material.windows)),
                callbacks=[clock],
            )
            trainer.remove_callback(PrinterCallback)  # it would print a summary
            trainer.train()
        return clock.timed


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Medians over the rounds: tokens a second of the processor, and their ratios to those of the plain loop."""
    try:
        dataset = load_dataset("sample" if tiny else "dailydialog")
    except DataError:
        dataset = load_dataset("sample")
    dialogues, rounds, steps = (16, 1, 1) if tiny else (DIALOGUES, ROUNDS, STEPS)
    config = DialogueEncoderConfig()
    material = Material.of(dataset, dialogues, config)
    taken: dict[str, list[Timed]] = {"plain": [], "our": [], "our_float32": []}
    with fixed_threads(1):
        loops: dict[str, Plain | Ours] = {"plain": Plain(material)}
        loops |= {name: Ours(material, config, bf16=name == "our") for name in ("our", "our_float32")}
        if not tiny:  # the first steps make buffers
            for loop in loops.values():
                loop.steps(1)
        for turn in range(rounds):
            for name, loop in loops.items():
                taken[name].append(loop.steps(steps, turn))
    result: dict[str, float] = {"windows": len(material.windows)}
    for name, each in taken.items():
        result[f"{name}_tokens_a_second"] = median(timed.tokens / timed.processor for timed in each)
    for name, key in (("our", "times_plain"), ("our_float32", "float32_times_plain")):
        pairs = list(zip(taken[name], taken["plain"], strict=True))
        result[key] = median((a.tokens / a.processor) / (b.tokens / b.processor) for a, b in pairs)
        result[f"{key}_clock"] = median((a.tokens / a.clock) / (b.tokens / b.clock) for a, b in pairs)
    return result
