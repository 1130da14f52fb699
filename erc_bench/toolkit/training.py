"""What trained systems share: seeds, weights against imbalance, the decision rule, and files without pickle."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from erc_bench.contract.domain import Dialogue, LabelSet, Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import SystemFailedError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = [
    "DECISION",
    "SETTINGS_FILE",
    "WEIGHTS_FILE",
    "Decision",
    "Schedule",
    "calibrate",
    "class_weights",
    "deterministic_training",
    "gold_indices",
    "label_counts",
    "labelled_texts",
    "load_model",
    "mixed_precision",
    "one_thread",
    "prediction",
    "sampling_weights",
    "save_model",
    "turns_by_dialogue",
]

Decision = Literal["argmax", "calibrated"]
SCORE_DECIMALS = 5
WITHHELD = -1
WEIGHTS_FILE = "weights.safetensors"
SETTINGS_FILE = "settings.json"

DECISION = (
    "argmax: the likeliest label; calibrated: one number added to the neutral label's logit, chosen so that micro F1 over "
    "the emotions is highest on validation, because training on rebalanced data makes emotions too likely"
)


@contextmanager
def deterministic_training(seed: int) -> Iterator[torch.Generator]:
    """Seed torch and demand deterministic algorithms inside; a generator of the same seed for samplers.

    On the CPU, with the same number of threads, training inside gives the same bits in every process.
    """
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, CUDA's matrix products differ by run
    memory: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = memory.fill_uninitialized_memory
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        # Some CUDA kernels have no deterministic twin: there a warning, on the CPU all have one.
        torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
        # It would write over all memory before it is first written to: a help in finding bugs, and slow.
        memory.fill_uninitialized_memory = False
        try:
            yield torch.Generator().manual_seed(seed)
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
            memory.fill_uninitialized_memory = filled


def mixed_precision(device: torch.device) -> torch.autocast:
    """A context that multiplies matrices in bfloat16 on an accelerator, and in float32 on the CPU, where that is faster."""
    import torch

    # without a cache of weights in bfloat16, which a graph must not share with what is computed beside it
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu", cache_enabled=False)


def gold_indices(dialogues: Iterable[Dialogue], labels: LabelSet) -> NDArray[np.int64]:
    """Label positions of all utterances in order, int64 (utterances,); -1 where the label is withheld."""
    import numpy as np

    position: dict[str | None, int] = {name: index for index, name in enumerate(labels.names)}
    position[None] = WITHHELD
    return np.array([position[u.label] for dialogue in dialogues for u in dialogue.utterances], np.int64)


def labelled_texts(dialogues: Iterable[Dialogue], labels: LabelSet) -> tuple[list[str], NDArray[np.int64]]:
    """The texts of all utterances with a label, and their label positions, int64 (texts,)."""
    dialogues = list(dialogues)
    gold = gold_indices(dialogues, labels)
    texts = [u.text for dialogue in dialogues for u in dialogue.utterances if u.label is not None]
    return texts, gold[gold >= 0]


def class_weights(gold: NDArray[np.int64], classes: int, power: float) -> NDArray[np.float32]:
    """Weights proportional to frequency ** -power, float32 (classes,), whose mean over the labelled rows is 1.

    Power 0 weighs nothing, 1 is the inverse frequency. A class without rows gets weight 0: nothing is known of it.
    """
    import numpy as np

    counts = np.bincount(gold[gold >= 0], minlength=classes).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    return np.asarray(weights * counts.sum() / max((weights * counts).sum(), 1e-12), np.float32)


def sampling_weights(gold: NDArray[np.int64], classes: int, power: float) -> NDArray[np.float64]:
    """How likely a sampler draws each row: label frequency ** -power, float64 (rows,); 0 where the label is withheld."""
    import numpy as np

    weights = np.append(class_weights(gold, classes, power).astype(np.float64), 0.0)
    return np.asarray(weights[gold])


def calibrate(
    logits: NDArray[np.floating[Any]], gold: NDArray[np.int64], neutral: int | None, decision: Decision
) -> tuple[float, float]:
    """The number to add to the neutral logit, and the micro F1 over the other labels that it gives, in 0..1.

    For `argmax` the number is 0. For `calibrated` it is the one that maximises that micro F1; all distinct decisions are
    tried, since a row is called an emotion when its best emotion's logit exceeds the neutral one by more than the
    number. Without any emotion in `gold` both are 0.

    Parameters
    ----------
    logits
        Floats (utterances, labels), of data that was not trained on: logits, or other scores that grow with likelihood.
    gold
        Int64 (utterances,), no label withheld.
    neutral
        Position of the neutral label; without one there is nothing to add.
    """
    import numpy as np

    if neutral is None:
        return 0.0, float((logits.argmax(axis=1) == gold).mean())
    names = np.delete(np.arange(logits.shape[1]), neutral)
    emotions = logits[:, names].astype(np.float64)
    margin = emotions.max(axis=1) - logits[:, neutral]
    right = names[emotions.argmax(axis=1)] == gold
    support = int((gold != neutral).sum())
    if support == 0:
        return 0.0, 0.0
    if decision == "argmax":
        called = margin > 0
        return 0.0, float(2 * (right & called).sum() / (called.sum() + support))
    order = np.argsort(-margin, kind="stable")
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(gold) + 1) + support)
    falling = margin[order]
    # Rows of equal margin are called together, so a cut lies only between two different margins.
    cuts = np.append(falling[:-1] > falling[1:], True)
    best = int(np.where(cuts, f1, -1.0).argmax())
    below = falling[best + 1] if best + 1 < len(gold) else falling[best] - 1.0
    return float((falling[best] + below) / 2), float(f1[best])


def prediction(target: Target, logits: NDArray[np.floating[Any]], offset: float, labels: LabelSet) -> Prediction:
    """The label of the highest logit after `offset` is added to the neutral one; scores are the softmax of the same.

    Parameters
    ----------
    logits
        Floats (labels,); minus infinity for a label that the system cannot give.
    """
    import numpy as np

    shifted = logits.astype(np.float64)
    if labels.neutral_index is not None:
        shifted[labels.neutral_index] += offset
    odds = np.exp(shifted - shifted.max())
    scores = {name: round(float(p), SCORE_DECIMALS) for name, p in zip(labels.names, odds / odds.sum(), strict=True)}
    return Prediction(target.dialogue, target.turn, labels.names[int(shifted.argmax())], scores)


def turns_by_dialogue(targets: Sequence[Target]) -> dict[str, list[int]]:
    """The turns asked of each dialogue, dialogues in order of first appearance."""
    turns: dict[str, list[int]] = {}
    for target in targets:
        turns.setdefault(target.dialogue, []).append(target.turn)
    return turns


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside: small matrices gain nothing from more, and their bits depend on no setting."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Schedule:
    """AdamW with a linear warm-up over a twentieth of the steps, a linear decay to zero, and clipped gradients.

    On a CUDA device its rate and its count of steps lie on the device, so that `descend` can be part of a graph.
    """

    def __init__(
        self, parameters: Iterable[torch.nn.Parameter], rate: float, *, steps: int, weight_decay: float = 0.01
    ) -> None:
        import torch

        self.parameters = list(parameters)
        warm_up = max(1, steps // 20)
        device = self.parameters[0].device
        cuda = device.type == "cuda"
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=torch.tensor(rate, device=device) if cuda else rate,
            weight_decay=weight_decay,
            fused=True,
            capturable=cuda,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up), 1.0)
        )

    def step(self, loss: torch.Tensor) -> None:
        """Go one step down the gradient of a scalar loss, and along the schedule."""
        self.descend(loss)
        self.advance()

    def descend(self, loss: torch.Tensor) -> None:
        """Go one step down the gradient of a scalar loss, at the rate of before."""
        self.optimiser.zero_grad()
        loss.backward()
        self.update()

    def update(self) -> None:
        """Go one step down the gradients that the parameters have, clipped, at the rate of before."""
        import torch

        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()

    def advance(self) -> None:
        """Go one step along the schedule."""
        self.schedule.step()


def label_counts(dialogues: Iterable[Dialogue]) -> dict[str, int]:
    """How often each label occurs."""
    return dict(Counter(u.label for dialogue in dialogues for u in dialogue.utterances if u.label is not None))


def save_model(folder: Path, tensors: Mapping[str, torch.Tensor], settings: Mapping[str, Any]) -> None:
    """Write tensors and what is needed to use them."""
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS_FILE)
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_model(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `save_model` wrote, tensors on the CPU.

    Raises
    ------
    SystemFailedError
        A file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        return load_file(folder / WEIGHTS_FILE), settings
    except (OSError, ValueError, SafetensorError) as error:
        raise SystemFailedError(
            f"{folder} must hold a trained model ({WEIGHTS_FILE} and {SETTINGS_FILE}), got {type(error).__name__}: {error}. "
            "Delete the folder, and the run trains again."
        ) from error
