"""`dialogue-encoder`: a pretrained transformer fine-tuned on whole dialogues, on their past only, or on single utterances."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Context, Prediction, Report, System, SystemInfo
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress
from erc_bench.toolkit.encoders import EncoderConfig, EncoderSource, pick_device, resolve_encoder
from erc_bench.toolkit.threads import threads_option
from erc_bench.toolkit.training import (
    DECISION,
    Decision,
    calibrate,
    class_weights,
    deterministic_training,
    gold_indices,
    load_model,
    prediction,
    save_model,
)

from .windows import Window, Windower

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from .network import DialogueNetwork

ENCODER_FOLDER = "encoder"
CHECKPOINT_FOLDER = "checkpoint"
WINDOWS_A_CHUNK = 64
WINDOWS_A_BATCH = 32  # on an accelerator, filled up
SHAPE_STEPS = (32, 8)  # there, tokens and answers of a window are padded to multiples of these, whatever is beside it


@dataclass(frozen=True)
class DialogueEncoderConfig(EncoderConfig):
    """Settings of `dialogue-encoder`."""

    context: Context = option("dialogue", "what an utterance's tokens attend to: utterance, past or dialogue")
    epochs: int = option(4, "passes over the training split", at_least=1, at_most=10_000)
    learning_rate: float = option(
        2e-4, "highest learning rate: a linear warm-up, then a cosine to 0", above=0, at_most=1
    )
    weight_power: float = option(
        0.25, "class weights of the cross-entropy are label frequency ** -power", at_least=0, at_most=4
    )
    batch_tokens: int = option(4096, "tokens of a batch at most, padding included", at_least=1, at_most=1_000_000)
    accumulate: int = option(1, "batches whose gradients are added before a step", at_least=1, at_most=65_536)
    checkpointing: bool = option(False, "compute activations twice to save memory", identity=False)
    limit: int = option(
        500, "tokens of a sequence at most; longer dialogues are cut at utterances", at_least=8, at_most=65_536
    )
    overlap: int = option(
        100,
        "tokens of earlier utterances that open the next sequence of a dialogue, at most",
        at_least=0,
        at_most=65_536,
    )
    dropout: float = option(0.1, "dropout before the linear layer", at_least=0, below=1)
    weight_decay: float = option(0.01, "weight decay of AdamW", at_least=0, at_most=1)
    warm_up: float = option(0.1, "share of the steps in which the rate rises", above=0, below=1)
    precision: Literal["bf16", "float32"] = option(
        "bf16", "numbers of training's matrix products; predictions are float32"
    )
    decision: Decision = option("calibrated", DECISION)
    threads: int = threads_option()

    def __post_init__(self) -> None:
        if self.overlap > self.limit - 8:
            raise ValueError(f"overlap must be at least 8 below limit={self.limit}, got {self.overlap}")


class DialogueEncoder(System[DialogueEncoderConfig]):
    """All utterances of a dialogue in one sequence; each is labelled from the mean of its own contextual tokens."""

    info = SystemInfo(
        name="dialogue-encoder",
        summary="Pretrained transformer fine-tuned on whole dialogues, a label from the mean of an utterance's tokens.",
        reference="written for this harness",
        context="dialogue",
        licence="Apache-2.0",
    )
    _network: DialogueNetwork
    _tokenizer: PreTrainedTokenizerBase
    _offset: float
    _micro_f1: float

    @property
    def context(self) -> Context:
        return self.config.context

    @property
    def parameters(self) -> int | None:
        """Those of the transformer, the speaker vectors and the linear layer."""
        return sum(p.numel() for p in self._network.parameters())

    @cached_property
    def _source(self) -> EncoderSource:
        return resolve_encoder(self.config.encoder, offline=self.runtime.offline)

    @cached_property
    def _device(self) -> str:
        return pick_device(self.runtime.device)

    @cached_property
    def _windower(self) -> Windower:
        longest = int(self._network.encoder.config.max_position_embeddings) - 2
        limit = min(self.config.limit, longest)
        return Windower(self._tokenizer, self.context, limit, min(self.config.overlap, limit - 8))

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        from .fine_tuning import Recipe, Trainer

        gold = gold_indices(train, self.labels)
        if not (gold >= 0).any():
            raise SystemFailedError("training dialogues must hold an utterance with a label to learn, got none.")
        with deterministic_training(seed) as generator:
            self._build(self._source.folder)
            if self.config.checkpointing:
                self._network.encoder.gradient_checkpointing_enable()
            windows = self._windower.windows(train)
            trainer = Trainer(
                self._network,
                windows,
                self._wanted(windows, train),
                class_weights(gold, len(self.labels), self.config.weight_power),
                Recipe(
                    epochs=self.config.epochs,
                    rate=self.config.learning_rate,
                    weight_decay=self.config.weight_decay,
                    warm_up=self.config.warm_up,
                    batch_tokens=self.config.batch_tokens,
                    accumulate=self.config.accumulate,
                    bf16=self.config.precision == "bf16",
                ),
                generator,
                padding=self._padding,
            )
            checkpoint = self.runtime.run_dir and self.runtime.run_dir / CHECKPOINT_FOLDER
            if checkpoint is not None and trainer.resume(checkpoint):
                progress.note(f"{self.info.name}: {trainer.epoch} of {self.config.epochs} epochs were trained already")
            trainer.train(progress, checkpoint)
        self._calibrate(validation, progress)
        if checkpoint is not None:
            shutil.rmtree(checkpoint, ignore_errors=True)

    def _wanted(self, windows: Sequence[Window], dialogues: Sequence[Dialogue]) -> list[NDArray[np.int64]]:
        gold = {dialogue.id: gold_indices([dialogue], self.labels) for dialogue in dialogues}
        return [gold[window.targets[0].dialogue][[target.turn for target in window.targets]] for window in windows]

    def _build(self, folder: Path) -> None:
        from .network import DialogueNetwork, load_transformer

        encoder, self._tokenizer = load_transformer(folder)
        network = DialogueNetwork(encoder, self.context, len(self.labels), self.config.dropout)
        self._network = network.to(self._device)

    @property
    def _padding(self) -> int:
        return int(self._tokenizer.pad_token_id)

    def _calibrate(self, validation: Sequence[Dialogue], progress: Progress) -> None:
        import numpy as np

        self._offset, self._micro_f1 = 0.0, 0.0
        gold = gold_indices(validation, self.labels)
        if not (gold >= 0).any():
            return
        targets = [target for dialogue in validation for target in dialogue.targets()]
        with progress.task("Choosing the decision offset", total=len(targets), unit="utterances") as task:
            logits = {}
            for target, row in self._logits(validation):
                logits[target] = row
                task.advance()
        rows = np.stack([logits[target] for target in targets])[gold >= 0]
        self._offset, self._micro_f1 = calibrate(rows, gold[gold >= 0], self.labels.neutral_index, self.config.decision)

    def _logits(self, dialogues: Sequence[Dialogue]) -> Iterator[tuple[Target, NDArray[np.float32]]]:
        """Logits, float32 (labels,), of every utterance: sequence by sequence, so that they depend on no other dialogue."""
        import numpy as np

        self._network.eval()
        windows = self._windower.windows(dialogues)
        pieces = Counter(target for window in windows for target in window.targets)
        parts: dict[Target, list[tuple[int, NDArray[np.float32]]]] = {}
        for start in range(0, len(windows), self._chunk):
            chunk = windows[start : start + self._chunk]
            for window, rows in zip(chunk, self._computed(chunk), strict=True):
                for target, (first, behind), row in zip(window.targets, window.places, rows, strict=True):
                    found = parts.setdefault(target, [])
                    found.append((behind - first, row))
                    if len(found) == pieces[target]:
                        lengths, vectors = zip(*parts.pop(target), strict=True)
                        yield target, np.asarray(np.average(vectors, axis=0, weights=lengths), np.float32)

    @property
    def _chunk(self) -> int:
        return WINDOWS_A_CHUNK if self._device == "cpu" else WINDOWS_A_CHUNK * WINDOWS_A_BATCH

    def _computed(self, windows: Sequence[Window]) -> Iterable[NDArray[np.float32]]:
        """Logits, float32 (pieces, labels), of each window: bits that depend on no other window."""
        import numpy as np
        import torch

        if self._device == "cpu":
            threads = torch.get_num_threads()
            executor = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
            try:
                yield from executor.map(lambda window: self._forward([window]), windows)
            finally:
                executor.shutdown(cancel_futures=True)
                torch.set_num_threads(threads)
            return
        alike: dict[tuple[int, ...], list[int]] = {}
        for position, window in enumerate(windows):
            sizes = zip((len(window), len(window.places)), SHAPE_STEPS, strict=True)
            alike.setdefault(tuple(-(-size // step) for size, step in sizes), []).append(position)
        found: dict[int, NDArray[np.float32]] = {}
        for positions in alike.values():
            for start in range(0, len(positions), WINDOWS_A_BATCH):
                batch = positions[start : start + WINDOWS_A_BATCH]
                filled = [windows[position] for position in batch + batch[:1] * (WINDOWS_A_BATCH - len(batch))]
                ends = list(accumulate(len(window.places) for window in filled))
                rows = np.split(self._forward(filled, SHAPE_STEPS), ends[:-1])
                found |= zip(batch, rows, strict=False)
        yield from (found[position] for position in range(len(windows)))

    def _forward(self, windows: Sequence[Window], steps: tuple[int, int] = (1, 1)) -> NDArray[np.float32]:
        import torch

        from .network import collate

        batch = collate(windows, self._padding, steps=steps).to(self._device)
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._network(batch).cpu().numpy()
        return logits

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        wanted = set(targets)
        named = {target.dialogue for target in targets}
        for target, logits in self._logits([dialogue for dialogue in dialogues if dialogue.id in named]):
            if target in wanted:
                yield prediction(target, logits, self._offset, self.labels)

    def save(self, folder: Path) -> None:
        network = self._network
        tensors = {name: t for name, t in network.state_dict().items() if not name.startswith("encoder.")}
        save_model(folder, tensors, {"neutral_offset": self._offset, "validation_micro_f1": self._micro_f1})
        network.encoder.save_pretrained(folder / ENCODER_FOLDER)
        self._tokenizer.save_pretrained(folder / ENCODER_FOLDER)

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        self._build(folder / ENCODER_FOLDER)
        self._network.load_state_dict(tensors, strict=False)
        self._offset, self._micro_f1 = settings["neutral_offset"], settings["validation_micro_f1"]

    def report(self) -> Report:
        return Report(
            measurements={
                "validation_micro_f1": round(100 * self._micro_f1, 2),
                "neutral_offset": round(self._offset, 4),
                "encoder_sha256": self._source.weights_sha256,
            }
        )
