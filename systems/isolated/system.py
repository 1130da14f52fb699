"""Isolated utterances: the SEC paper's baselines without context (section 3, "Isolated representations").

FastText vectors of the first 20 tokens go into linear layers or an LSTM, three copies of which share their weights
(a Siamese network) and are trained with the triplet loss: of a batch, the mean over the triplets whose loss is above
zero. What they give is a metric space and not a label, so the label comes from the space: from the nearest class mean,
or from the labels' shares in the nearest distinct training texts. Which of the two is chosen on validation, and the run
record says which.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Prediction, Report, System, SystemInfo
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress
from erc_bench.toolkit.encoders import pick_device
from erc_bench.toolkit.training import (
    DECISION,
    Decision,
    deterministic_training,
    load_model,
    save_model,
    turns_by_dialogue,
)
from erc_bench.toolkit.word_vectors import (
    TrainedVectors,
    WordVectors,
    open_vectors,
    read_vectors,
    tokens,
    train_vectors,
    vectors_sha256,
    write_vectors,
)

from .space import MetricSpace, labelled_texts

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

TOKENS = 20
LSTM_LAYERS = 5
PATIENCE = 2
VALIDATION_TRIPLETS = 1024
TEXTS_AT_ONCE = 512
WORD_VECTORS_FILE = "word_vectors.safetensors"
REFERENCE = "Gendron and Guibon (WASSA 2024), section 3, isolated representations"


@dataclass(frozen=True)
class IsolatedConfig:
    """Settings of `isolated-linear` and `isolated-lstm`."""

    vectors: Path | None = option(None, "FastText vectors, a .vec or .bin file; none: trained on the training split")
    hidden: int = option(128, "Width of the hidden layers and of the embedding", at_least=1, at_most=65_536)
    epochs: int = option(
        10,
        "At most so many epochs; training stops when the validation triplets stop improving",
        at_least=1,
        at_most=10_000,
    )
    epoch_utterances: int = option(
        20_000,
        "Utterances drawn in an epoch, all labels equally often; at most as many as there are",
        at_least=1,
        at_most=100_000_000,
    )
    batch: int = option(126, "Utterances in a batch; all triplets that they form are used", at_least=2, at_most=65_536)
    learning_rate: float = option(5e-4, "Learning rate of Adam", above=0, at_most=1)
    margin: float = option(1.0, "Margin of the triplet loss", above=0, at_most=100)
    decision: Decision = option("calibrated", DECISION, before="argmax")

    def file_digests(self) -> dict[str, str]:
        """SHA-256 of the file of word vectors, if one is given: other vectors are another run.

        Raises
        ------
        ConfigError, DataMissingError
            As `vectors_sha256`.
        """
        return {} if self.vectors is None else {"vectors": vectors_sha256(self.vectors)}


@dataclass(frozen=True)
class IsolatedLstmConfig(IsolatedConfig):
    """Settings of `isolated-lstm`: a narrower network, since five layers are deep."""

    hidden: int = option(64, "Width of the hidden layers and of the embedding", at_least=1, at_most=65_536)


class _Isolated(System[IsolatedConfig]):
    _network: torch.nn.Module
    _space: MetricSpace
    _offset: float
    _vectors: WordVectors
    _files: dict[str, str]

    @abstractmethod
    def _new_network(self, dim: int) -> torch.nn.Module:
        """A module from (batch, TOKENS, dim) float32 and (batch,) token counts to (batch, hidden)."""

    @cached_property
    def _device(self) -> str:
        return pick_device(self.runtime.device)

    @property
    def parameters(self) -> int:
        """The network, the word vectors, and the training embeddings if neighbours are looked for among them."""
        network = sum(parameter.numel() for parameter in self._network.parameters())
        return network + self._vectors.parameters + self._space.parameters

    # Training

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        texts, counts = labelled_texts(train, self.labels)
        texts_held_out, counts_held_out = labelled_texts(validation, self.labels)
        self._files = self.config.file_digests()
        self._vectors = self._find_vectors([u.text for d in train for u in d.utterances], progress)
        self._vectors.look_up(token for text in (*texts, *texts_held_out) for token in tokens(text))
        table, rows = self._table(texts + texts_held_out)
        with deterministic_training(seed) as generator:
            self._network = self._new_network(table.shape[1]).to(self._device)
            self._train(table, rows, (counts, counts_held_out), seed, generator, progress)
        vectors = self._embed_rows(table, rows, progress)
        known, held_out = vectors[: len(texts)], vectors[len(texts) :]
        self._space, self._offset = MetricSpace.chosen(
            known, counts, held_out, counts_held_out, self.labels, self.config.decision
        )

    def _train(
        self,
        table: torch.Tensor,
        rows: list[list[int]],
        counts: tuple[NDArray[np.int64], NDArray[np.int64]],
        seed: int,
        generator: torch.Generator,
        progress: Progress,
    ) -> None:
        import numpy as np
        import torch
        from pytorch_metric_learning.distances import LpDistance
        from pytorch_metric_learning.losses import TripletMarginLoss

        known, held_out = counts
        # Every labelled utterance may be drawn, the labels in equal shares: inverse label frequency.
        text, label = np.nonzero(known)
        weights = torch.from_numpy(known[text, label] / known.sum(axis=0)[label])
        draws = min(self.config.epoch_utterances, int(known.sum()))
        judged = self._judged(len(known), held_out, seed)
        loss = TripletMarginLoss(margin=self.config.margin, distance=LpDistance(normalize_embeddings=False))
        optimiser = torch.optim.Adam(self._network.parameters(), lr=self.config.learning_rate)
        best, kept, stale = np.inf, self._state(), 0
        with progress.task(f"Training {self.info.name}", total=self.config.epochs, unit="epochs") as task:
            for _ in range(self.config.epochs):
                self._network.train()
                drawn = torch.multinomial(weights, draws, replacement=True, generator=generator)
                for batch in torch.split(drawn, self.config.batch):
                    optimiser.zero_grad()
                    vectors = self._forward(table, [rows[text[index]] for index in batch.tolist()])
                    loss(vectors, torch.from_numpy(label[batch.numpy()]).to(vectors.device)).backward()
                    optimiser.step()
                found = -np.inf if judged is None else self._validation_loss(table, rows, judged)
                task.advance()
                if judged is None or found < best:
                    best, kept, stale = found, self._state(), 0
                else:
                    stale += 1
                    if stale == PATIENCE:
                        break
        self._network.load_state_dict(kept)
        self._network.eval()

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}

    def _judged(self, offset: int, counts: NDArray[np.int64], seed: int) -> NDArray[np.intp] | None:
        """Triplets of validation texts that epochs are compared on, (3, triplets); None if none can be drawn."""
        import numpy as np

        from erc_bench.toolkit.triplets import draw_triplets

        text, label = np.nonzero(counts)
        if (np.bincount(label) >= 2).sum() < 2:
            return None
        drawn = draw_triplets(label, triplets=VALIDATION_TRIPLETS, seed=seed)
        positions = np.concatenate([drawn.anchors, drawn.positives, drawn.negatives])
        return np.asarray(offset + text[positions], np.intp)

    def _validation_loss(self, table: torch.Tensor, rows: list[list[int]], judged: NDArray[np.intp]) -> float:
        import torch

        self._network.eval()
        with torch.no_grad():
            anchor, positive, negative = (self._forward(table, [rows[i] for i in part]) for part in judged)
            return float(torch.nn.functional.triplet_margin_loss(anchor, positive, negative, margin=self.config.margin))

    # Words into vectors

    def _find_vectors(self, texts: Sequence[str], progress: Progress) -> WordVectors:
        if self.config.vectors is not None:
            return open_vectors(self.config.vectors)
        return train_vectors(texts, cache_dir=self.runtime.cache_dir, progress=progress)

    def _table(self, texts: Sequence[str]) -> tuple[torch.Tensor, list[list[int]]]:
        """Word vectors of the texts (words + 1, dim) and the rows of each text's tokens; row 0 is padding.

        A word without a vector has a row of zeros, as padding has.
        """
        import numpy as np
        import torch

        position: dict[str, int] = {}
        rows = [
            [position.setdefault(token, len(position) + 1) for token in tokens(text)[:TOKENS]] or [0] for text in texts
        ]
        table = np.zeros((len(position) + 1, self._vectors.dim), np.float32)
        for word, row in position.items():
            vector = self._vectors.get(word)
            if vector is not None:
                table[row] = vector
        return torch.from_numpy(table).to(self._device), rows

    def _forward(self, table: torch.Tensor, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        import torch

        lengths = torch.tensor([len(row) for row in rows])
        padded = torch.tensor([[*row, *[0] * (TOKENS - len(row))] for row in rows])
        embedded: torch.Tensor = self._network(table[padded.to(table.device)], lengths.to(table.device))
        return embedded

    def _embed_rows(self, table: torch.Tensor, rows: list[list[int]], progress: Progress) -> NDArray[np.float32]:
        import torch

        parts = []
        with torch.no_grad(), progress.task("Embedding the training split", total=len(rows), unit="texts") as task:
            for start in range(0, len(rows), TEXTS_AT_ONCE):
                part = rows[start : start + TEXTS_AT_ONCE]
                parts.append(self._forward(table, part))
                task.advance(len(part))
        found: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return found

    # Answers

    def _embed_dialogue(self, dialogue: Dialogue) -> NDArray[np.float32]:
        """Whole dialogues at a time, so that a vector's last bits do not depend on which targets were asked."""
        import torch

        if not len(dialogue):
            import numpy as np

            return np.zeros((0, self.config.hidden), np.float32)
        table, rows = self._table([utterance.text for utterance in dialogue.utterances])
        with torch.no_grad():
            found: NDArray[np.float32] = self._forward(table, rows).cpu().numpy()
        return found

    def _prepare(self, dialogues: Sequence[Dialogue]) -> None:
        self._vectors.look_up(token for d in dialogues for u in d.utterances for token in tokens(u.text))

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        import numpy as np

        self._prepare(dialogues)
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        with progress.task(f"Predicting with {self.info.name}", total=len(targets), unit="utterances") as task:
            for name, turns in turns_by_dialogue(targets).items():
                scores = self._space.scores(self._embed_dialogue(by_id[name]))
                if self.labels.neutral_index is not None:
                    scores[:, self.labels.neutral_index] += self._offset
                for turn in turns:
                    pairs = zip(self.labels.names, scores[turn], strict=True)
                    answer = {label: float(score) for label, score in pairs if score > -np.inf}
                    yield Prediction(name, turn, max(answer, key=answer.__getitem__), answer)
                    task.advance()

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        self._prepare(dialogues)
        for dialogue in dialogues:
            yield self._embed_dialogue(dialogue)

    def save(self, folder: Path) -> None:
        settings: dict[str, Any] = {
            "dim": self._vectors.dim,
            "neighbours": self._space.neighbours,
            "neutral_offset": self._offset,
            "files": self._files,
        }
        tensors = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        save_model(folder, tensors | self._space.tensors(), settings)
        if isinstance(self._vectors, TrainedVectors):
            write_vectors(self._vectors, folder / WORD_VECTORS_FILE)

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        self._files, trained_with = self.config.file_digests(), settings.get("files", {})
        if self._files != trained_with:
            raise SystemFailedError(
                f"the word vectors must be those that the model in {folder} was trained with "
                f"(SHA-256 {trained_with.get('vectors')}), got {self.config.vectors} ({self._files.get('vectors')}). Restore "
                "that file or run again with --overwrite."
            )
        self._vectors = (
            read_vectors(folder / WORD_VECTORS_FILE)
            if self.config.vectors is None
            else open_vectors(self.config.vectors)
        )
        self._network = self._new_network(settings["dim"]).to(self._device)
        prefix = "network."
        self._network.load_state_dict({n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)})
        self._network.eval()
        self._space = MetricSpace.from_tensors(tensors, settings["neighbours"])
        self._offset = settings.get("neutral_offset", 0.0)

    def report(self) -> Report:
        """Where the word vectors come from, and how the metric space classifies."""
        return Report(
            notes=(self._vectors.note, f"classifies by the {self._space.description}, chosen on validation"),
            measurements={"neighbours": self._space.neighbours, "neutral_offset": round(self._offset, 4)}
            | {f"{name}_sha256": digest for name, digest in self._files.items()},
        )


class IsolatedLinear(_Isolated):
    """Linear layers over the concatenated word vectors."""

    info: ClassVar[SystemInfo] = SystemInfo(
        name="isolated-linear",
        summary="FastText word vectors of one utterance, linear layers, triplet loss; label from the metric space",
        reference=REFERENCE,
        context="utterance",
        licence="Apache-2.0",
    )

    def _new_network(self, dim: int) -> torch.nn.Module:
        from .networks import LinearNetwork

        return LinearNetwork(TOKENS * dim, self.config.hidden)


class IsolatedLstm(_Isolated):
    """A five-layer LSTM over the word vectors; the state after the last token is the embedding."""

    info: ClassVar[SystemInfo] = SystemInfo(
        name="isolated-lstm",
        summary="FastText word vectors of one utterance, five-layer LSTM, triplet loss; label from the metric space",
        reference=REFERENCE,
        context="utterance",
        licence="Apache-2.0",
    )
    Config = IsolatedLstmConfig

    def _new_network(self, dim: int) -> torch.nn.Module:
        from .networks import LstmNetwork

        return LstmNetwork(dim, self.config.hidden, LSTM_LAYERS)
