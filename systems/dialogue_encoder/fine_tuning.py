"""Training `dialogue-encoder`: batches by token count, a warm-up and a cosine, a checkpoint after each epoch. Imports torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import get_cosine_schedule_with_warmup

from erc_bench.progress import Progress

from .network import Batch, DialogueNetwork, collate
from .windows import Window

SHUFFLED_TOGETHER = 50  # batches whose windows are sorted by length together
STATE_FILE, TENSORS_FILE = "state.json", "tensors.safetensors"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: see the settings of `dialogue-encoder`."""

    epochs: int
    rate: float
    weight_decay: float
    warm_up: float
    batch_tokens: int
    accumulate: int
    bf16: bool


def batches_by_tokens(lengths: Sequence[int], order: Sequence[int], tokens: int) -> list[list[int]]:
    """Positions in batches of like length: padded to its longest, each holds at most `tokens` tokens (or one window).

    `order` is a permutation of the positions: it decides which windows are sorted by length together.
    """
    together = max(1, SHUFFLED_TOGETHER * tokens // max(1, int(np.mean(lengths))))
    batches: list[list[int]] = []
    for start in range(0, len(order), together):
        batch: list[int] = []
        for position in sorted(order[start : start + together], key=lambda i: lengths[i]):
            if batch and (len(batch) + 1) * lengths[position] > tokens:
                batches.append(batch)
                batch = []
            batch.append(position)
        batches.append(batch)
    return batches


class Trainer:
    """Fine-tunes a network on windows, epoch by epoch.

    Parameters
    ----------
    network
        On its device already.
    windows
        Those of the training split.
    gold
        Label positions of what each window answers for, int64 (places of the window,); -1 where a label is withheld.
    weights
        Class weights of the cross-entropy, float32 (labels,).
    recipe
        How long and how fast.
    generator
        Seeded, on the CPU: it shuffles.
    """

    def __init__(
        self,
        network: DialogueNetwork,
        windows: Sequence[Window],
        gold: Sequence[NDArray[np.int64]],
        weights: NDArray[np.float32],
        recipe: Recipe,
        generator: torch.Generator,
        *,
        padding: int,
    ) -> None:
        self.network, self.windows, self.gold, self.recipe = network, windows, gold, recipe
        self.generator, self.padding = generator, padding
        self.device = network.classifier.weight.device.type
        self.cross_entropy = torch.nn.CrossEntropyLoss(
            torch.from_numpy(weights).to(self.device), ignore_index=-1, reduction="sum"
        )
        self.weights = torch.from_numpy(weights)
        self.lengths = [len(window) for window in windows]
        self.plans = [self._plan() for _ in range(recipe.epochs)]
        steps = sum(-(-len(plan) // recipe.accumulate) for plan in self.plans)
        trained = [p for p in network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True)
        self.schedule = get_cosine_schedule_with_warmup(self.optimiser, round(recipe.warm_up * steps), steps)
        self.epoch = 0

    def _plan(self) -> list[list[int]]:
        order = torch.randperm(len(self.windows), generator=self.generator).tolist()
        batches = batches_by_tokens(self.lengths, order, self.recipe.batch_tokens)
        return [batches[i] for i in torch.randperm(len(batches), generator=self.generator).tolist()]

    def train(self, progress: Progress, checkpoint: Path | None) -> None:
        """All epochs that are left; the state after each but the last goes to `checkpoint`, if there is one."""
        while self.epoch < self.recipe.epochs:
            self._one_epoch(progress)
            self.epoch += 1
            if checkpoint is not None and self.epoch < self.recipe.epochs:
                self.save(checkpoint)

    def _one_epoch(self, progress: Progress) -> None:
        plan, every = self.plans[self.epoch], self.recipe.accumulate
        # Dropout draws from torch's own generator: seeded by the epoch, a resumed run draws the same.
        torch.manual_seed(int(self.generator.initial_seed()) * 1009 + self.epoch)
        self.network.train()
        name = f"Fine-tuning, epoch {self.epoch + 1} of {self.recipe.epochs}"
        with progress.task(name, total=len(plan), unit="batches") as task:
            for start in range(0, len(plan), every):
                self._step(plan[start : start + every])
                task.advance(len(plan[start : start + every]))

    def _step(self, batches: Sequence[Sequence[int]]) -> None:
        gold = [torch.from_numpy(np.concatenate([self.gold[i] for i in batch])) for batch in batches]
        known = torch.cat(gold)
        total = (
            self.weights[known[known >= 0]].sum().clamp(min=1e-9)
        )  # so that parts of a batch weigh as the whole does
        self.optimiser.zero_grad()
        for batch, wanted in zip(batches, gold, strict=True):
            made: Batch = collate([self.windows[i] for i in batch], self.padding).to(self.device)
            with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.bf16):
                logits = self.network(made)
            loss: Any = self.cross_entropy(logits, wanted.to(self.device)) / total.to(self.device)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()

    def save(self, folder: Path) -> None:
        """Keep the state after an epoch, so that a killed run trains on from there: all of it, or nothing."""
        from safetensors.torch import save_file

        state = {
            "epoch": self.epoch,
            "schedule": self.schedule.state_dict(),
            "groups": self.optimiser.state_dict()["param_groups"],
        }
        tensors = {
            f"network.{name}": tensor for name, tensor in self.network.state_dict().items() if self._learned(name)
        }
        for key, value in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{key}.{name}": torch.as_tensor(tensor) for name, tensor in value.items()}
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, unfinished / TENSORS_FILE)
        (unfinished / STATE_FILE).write_text(json.dumps(state))
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)

    def resume(self, folder: Path) -> bool:
        """Go on from what `save` kept there; False if there is nothing."""
        from safetensors.torch import load_file

        if not (folder / STATE_FILE).is_file():
            return False
        state = json.loads((folder / STATE_FILE).read_text())
        tensors = load_file(folder / TENSORS_FILE)
        self.network.load_state_dict(
            {n.removeprefix("network."): t for n, t in _below("network.", tensors)}, strict=False
        )
        whole: dict[str, Any] = {"state": {}, "param_groups": state["groups"]}
        for name, tensor in _below("optimiser.", tensors):
            _, key, field = name.split(".")
            whole["state"].setdefault(int(key), {})[field] = tensor
        self.optimiser.load_state_dict(whole)
        self.schedule.load_state_dict(state["schedule"])
        self.epoch = state["epoch"]
        return True

    def _learned(self, name: str) -> bool:
        return "word_embeddings" not in name


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    return ((name, tensor) for name, tensor in tensors.items() if name.startswith(prefix))
