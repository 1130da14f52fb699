"""The architecture of the code released with the SEC paper, for the reproduction of its published number only.

No line of that code stands here; shapes and settings are facts about it, and where a constant below names a file, it is
one of SiameseNetworks/code in github.com/B-Gendron/sentEmoContext. Where that architecture differs from the paper:

- dialogues are cut at 15 utterances and filled up with Gaussian vectors that nothing masks, so that a dialogue is one
  vector of 15 * 384 = 5760 numbers;
- a batch of such vectors is read as one sequence by a Transformer encoder layer: attention runs across the dialogues
  of a batch, and never across the utterances of a dialogue;
- no gradient reaches that layer. Optimisers skip parameters without a gradient (weight decay included), so after any
  number of epochs it holds its random initial values: "trained" and "untrained" embeddings are the same bits. What
  training does change is the emotion classifier: in its pre-training on single utterances, and by the weighted
  cross-entropy on contextual vectors in the main loop (`train_contextual` in main.py, SGD). The published number never
  asks it.

So `trained=false` and `trained=true` differ in how utterances get a label, which the published number does not
involve: from the nearest class mean of the random encoder's vectors, or from the classifier applied to them. That
classifier is pre-trained only: the cross-entropy steps of the main loop are not repeated. Its pre-training is a plain
cross-entropy on logits; the released one weights it by the labels of the batch and applies it to probabilities
(emo_pretraining.py). Utterances beyond the fifteenth have no vector: their embedding is NaN and their answer is "no
usable answer".

The released loaders give validation and test dialogues one at a time (`eval_bsize` in main.py), so that nothing attends
across dialogues when the published number is computed. `eval_batch=32` embeds them as training does, in batches of 32 in
order; docs/triplet-protocol.md has the scores of both. For an answer in batches, a dialogue is put into one with training
dialogues that are always the same, so that it does not depend on which test dialogues are asked beside it. Since the
encoder is its seed, a saved model holds the seed and the SHA-256 of the weights.
"""

from __future__ import annotations

import hashlib
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
from erc_bench.toolkit.encoders import SentenceEncoder, pick_device
from erc_bench.toolkit.training import (
    DECISION,
    Decision,
    calibrate,
    deterministic_training,
    gold_indices,
    load_model,
    prediction,
    save_model,
    turns_by_dialogue,
)

from .released_network import HEADS, SENTENCE_DIM, UTTERANCES, WIDTH, new_classifier, new_encoder

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

BATCH = 32
# The released filling is Gaussian with mean 0.00022 and variance 0.0026048 = 1 / 383.9 (`add_sentencebert_random_vectors`
# in utils.py), measured on sentence embeddings there: as long as one of them, which has length 1.
FILLING_SCALE = SENTENCE_DIM**-0.5
CLASSIFIER_EPOCHS = 50
CLASSIFIER_BATCH = 16
CLASSIFIER_LEARNING_RATE = 5e-4
RESAMPLED = {
    "no emotion": 2000,
    "anger": 500,
    "disgust": 500,
    "fear": 300,
    "happiness": 2000,
    "sadness": 300,
    "surprise": 1000,
}
RESAMPLED_OTHER = 500


@dataclass(frozen=True)
class ReleasedConfig:
    """Settings of `sentemocontext-released`."""

    trained: bool = option(
        False,
        "Label with the classifier, pre-trained only: the cross-entropy steps of the main loop are not repeated; false: "
        "the nearest class mean. Embeddings are the same in both: the released training changes nothing in the encoder",
    )
    eval_batch: int = option(
        1,
        "dialogues that attend to each other when they are embedded: one, as the released loaders of test dialogues give "
        "them, so that a dialogue attends to itself alone; 32 is the released training's",
        before=32,
        at_least=1,
        at_most=1024,
    )
    decision: Decision = option("calibrated", DECISION, before="argmax")


class SentEmoContextReleased(System[ReleasedConfig]):
    """Sentence embeddings, an encoder layer across a batch of dialogues, an emotion classifier."""

    info: ClassVar[SystemInfo] = SystemInfo(
        name="sentemocontext-released",
        summary="Architecture of the code released with SEC, for its published number only: attention runs across the "
        "dialogues of a batch and test dialogues come one at a time, 15 utterances a dialogue, an encoder that training does "
        "not change",
        reference="Gendron and Guibon (WASSA 2024), released code at commit 0e93e5e, rebuilt from a description",
        context="dialogue",
        licence="Apache-2.0",
    )
    _seed: int
    _offset: float
    _companions: torch.Tensor
    _prototypes: NDArray[np.float32]
    _classifier: torch.nn.Sequential

    @cached_property
    def _sentences(self) -> SentenceEncoder:
        return SentenceEncoder("minilm", self.runtime)

    @cached_property
    def _device(self) -> str:
        return pick_device(self.runtime.device)

    @cached_property
    def _encoder(self) -> torch.nn.TransformerEncoderLayer:
        with deterministic_training(self._seed):
            return new_encoder().eval().requires_grad_(False).to(self._device)

    @property
    def parameters(self) -> int:
        """The encoder layer, the classifier, which stands beside it whether it is asked or not, and the sentence encoder."""
        own = sum(p.numel() for module in (self._encoder, self._classifier) for p in module.parameters())
        return own + self._sentences.source.parameters

    # Training

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        import numpy as np
        import torch

        from erc_bench.toolkit.prototypes import class_means, label_positions

        self._seed = seed
        self._sentences.embed([u.text for dialogue in train for u in dialogue.utterances], progress=progress)
        drawn = np.random.default_rng(seed).permutation(len(train))[: self.config.eval_batch - 1]
        companions = [self._flat(train[index]) for index in sorted(drawn)]
        self._companions = torch.stack(companions) if companions else torch.zeros(0, WIDTH)
        positions = [label_positions([u.label for u in d.utterances], self.labels.names) for d in train]
        embedded = self.embed(train, progress=progress)
        self._prototypes = class_means(zip(embedded, positions, strict=True), len(self.labels))
        with deterministic_training(seed) as generator:
            self._classifier = new_classifier(len(self.labels)).to(self._device)
            if self.config.trained:
                self._train_classifier(train, generator, progress)
        self._classifier.eval()
        self._offset = self._calibrated(validation, progress)

    def _calibrated(self, validation: Sequence[Dialogue], progress: Progress) -> float:
        """The number to add to the neutral score; utterances beyond the fifteenth have no score and no part in it."""
        import numpy as np

        if self.config.decision == "argmax" or not validation:
            return 0.0
        scores = []
        self._sentences.embed(self._texts(validation), progress=progress)
        with progress.task("Calibrating on validation", total=len(validation), unit="dialogues") as task:
            for dialogue in validation:
                scores.append(self._scores(self._of_utterances(self._alone(dialogue), dialogue)))
                task.advance()
        gold, found = gold_indices(validation, self.labels), np.concatenate(scores)
        used = (gold >= 0) & ~np.isnan(found).any(axis=1)
        return calibrate(found[used], gold[used], self.labels.neutral_index, self.config.decision)[0]

    def _train_classifier(self, train: Sequence[Dialogue], generator: torch.Generator, progress: Progress) -> None:
        """Pre-training on the sentence embeddings of single utterances, classes drawn in fixed numbers."""
        import torch

        of_label: dict[str, list[str]] = {name: [] for name in self.labels.names}
        for dialogue in train:
            for utterance in dialogue.utterances:
                if utterance.label is not None:
                    of_label[utterance.label].append(utterance.text)
        texts: list[str] = []
        gold: list[int] = []
        for position, (name, found) in enumerate(of_label.items()):
            wanted = RESAMPLED.get(name, RESAMPLED_OTHER) if found else 0
            if wanted <= len(found):
                order = torch.randperm(len(found), generator=generator)[:wanted]
            else:
                order = torch.randint(len(found), (wanted,), generator=generator)
            texts += [found[index] for index in order.tolist()]
            gold += [position] * wanted
        vectors = torch.from_numpy(self._sentences.embed(texts)).to(self._device).unsqueeze(1)
        targets = torch.tensor(gold, device=self._device)
        optimiser = torch.optim.Adam(self._classifier.parameters(), lr=CLASSIFIER_LEARNING_RATE)
        self._classifier.train()
        with progress.task("Pre-training the classifier", total=CLASSIFIER_EPOCHS, unit="epochs") as task:
            for _ in range(CLASSIFIER_EPOCHS):
                for batch in torch.split(torch.randperm(len(texts), generator=generator), CLASSIFIER_BATCH):
                    optimiser.zero_grad()
                    logits = self._classifier(vectors[batch]).squeeze(1)
                    loss: torch.Tensor = torch.nn.functional.cross_entropy(logits, targets[batch])
                    loss.backward()
                    optimiser.step()
                task.advance()

    # Vectors

    def _flat(self, dialogue: Dialogue) -> torch.Tensor:
        """The first 15 sentence embeddings in a row, the rest Gaussian: float32 (5760,).

        The filling is decided by the run's seed and the dialogue's id, and by nothing else that is computed.
        """
        import numpy as np
        import torch

        digest = hashlib.sha256(f"{self._seed} {dialogue.id}".encode()).digest()
        rows = np.random.default_rng(int.from_bytes(digest)).standard_normal((UTTERANCES, SENTENCE_DIM), np.float32)
        rows *= FILLING_SCALE
        texts = [utterance.text for utterance in dialogue.utterances[:UTTERANCES]]
        rows[: len(texts)] = self._sentences.embed(texts)
        return torch.from_numpy(rows.reshape(-1))

    @staticmethod
    def _of_utterances(flat: torch.Tensor, dialogue: Dialogue) -> NDArray[np.float32]:
        """The vectors of a dialogue's utterances, float32 (utterances, 384), NaN beyond the fifteenth."""
        import numpy as np

        found = np.full((len(dialogue), SENTENCE_DIM), np.nan, np.float32)
        kept = min(len(dialogue), UTTERANCES)
        found[:kept] = flat.reshape(UTTERANCES, SENTENCE_DIM)[:kept].cpu().numpy()
        return found

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        import torch

        self._sentences.embed(self._texts(dialogues), progress=progress)
        with progress.task("Encoding batches of dialogues", total=len(dialogues), unit="dialogues") as task:
            size = BATCH if self.config.eval_batch == 1 else self.config.eval_batch
            for start in range(0, len(dialogues), size):
                batch = dialogues[start : start + size]
                flat_batch = torch.stack([self._flat(d) for d in batch]).to(self._device)
                with torch.no_grad():
                    if self.config.eval_batch == 1:  # many sequences of one dialogue each
                        encoded = self._encoder(flat_batch.unsqueeze(0))[0]
                    else:
                        encoded = self._encoder(flat_batch)
                for flat, dialogue in zip(encoded, batch, strict=True):
                    yield self._of_utterances(flat, dialogue)
                task.advance(len(batch))

    @staticmethod
    def _texts(dialogues: Sequence[Dialogue]) -> list[str]:
        return [utterance.text for dialogue in dialogues for utterance in dialogue.utterances[:UTTERANCES]]

    # Answers

    @cached_property
    def _companion_keys(self) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        with torch.no_grad():
            _, keys, values = self._projected(self._companions.to(self._device))
        return keys, values

    def _projected(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values of dialogue vectors, each (heads, rows, 240)."""
        import torch

        attention = self._encoder.self_attn
        joint = torch.nn.functional.linear(rows, attention.in_proj_weight, attention.in_proj_bias)
        queries, keys, values = joint.reshape(len(rows), 3, HEADS, WIDTH // HEADS).permute(1, 2, 0, 3)
        return queries, keys, values

    def _alone(self, dialogue: Dialogue) -> torch.Tensor:
        """What the layer gives for a dialogue beside the companions, if any: its row only, float32 (5760,)."""
        import torch

        layer = self._encoder
        with torch.no_grad():
            row = self._flat(dialogue).unsqueeze(0).to(self._device)
            query, key, value = self._projected(row)
            keys, values = self._companion_keys
            attended = torch.nn.functional.scaled_dot_product_attention(
                query, torch.cat([keys, key], dim=1), torch.cat([values, value], dim=1)
            )
            row = layer.norm1(row + layer.self_attn.out_proj(attended.transpose(0, 1).reshape(1, WIDTH)))
            found: torch.Tensor = layer.norm2(row + layer.linear2(torch.relu(layer.linear1(row))))
        return found[0]

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        asked = turns_by_dialogue(targets)
        self._sentences.embed(self._texts([by_id[name] for name in asked]), progress=progress)
        with progress.task(f"Predicting with {self.info.name}", total=len(targets), unit="utterances") as task:
            for name, turns in asked.items():
                scores = self._scores(self._of_utterances(self._alone(by_id[name]), by_id[name]))
                for turn in turns:
                    yield self._answer(Target(name, turn), scores[turn])
                    task.advance()

    def _answer(self, target: Target, row: NDArray[np.float64]) -> Prediction:
        import numpy as np

        if np.isnan(row).any():
            return Prediction(*target, None)
        if self.config.trained:
            return prediction(target, row, self._offset, self.labels)
        if self.labels.neutral_index is not None:
            row[self.labels.neutral_index] += self._offset
        scores = {name: float(score) for name, score in zip(self.labels.names, row, strict=True) if score > -np.inf}
        return Prediction(*target, max(scores, key=scores.__getitem__), scores)

    def _scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of a dialogue's utterances, (utterances, labels), NaN beyond the fifteenth.

        Those of the classifier are logarithms of its shares, the others minus the distance to a label's mean, minus
        infinity for a label without any.
        """
        import numpy as np
        import torch

        from erc_bench.toolkit.prototypes import squared_distances

        scores = np.full((len(vectors), len(self.labels)), np.nan)
        kept = vectors[:UTTERANCES]
        if not self.config.trained:
            distances = np.sqrt(squared_distances(kept, self._prototypes))
            scores[:UTTERANCES] = np.where(np.isnan(distances), -np.inf, -distances)
            return scores
        with torch.no_grad():
            rows = torch.from_numpy(kept).to(self._device).unsqueeze(1)
            scores[:UTTERANCES] = self._classifier(rows).squeeze(1).log_softmax(dim=-1).cpu().numpy()
        return scores

    # Files

    def _weights_sha256(self) -> str:
        digest = hashlib.sha256()
        for _, tensor in sorted(self._encoder.state_dict().items()):
            digest.update(tensor.cpu().numpy().data)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        import torch

        classifier = {f"classifier.{name}": tensor for name, tensor in self._classifier.state_dict().items()}
        prototypes = torch.from_numpy(self._prototypes)
        settings: dict[str, Any] = {
            "seed": self._seed,
            "encoder_sha256": self._weights_sha256(),
            "neutral_offset": self._offset,
        }
        save_model(folder, {"companions": self._companions, "prototypes": prototypes, **classifier}, settings)

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        self._seed, self._offset = settings["seed"], settings.get("neutral_offset", 0.0)
        if self._weights_sha256() != settings["encoder_sha256"]:
            raise SystemFailedError(
                f"the encoder of {folder} must be what its seed gives, but this version of torch draws other numbers from "
                f"seed {self._seed} than the one that made it. Run again with --overwrite, or install that version."
            )
        self._companions, self._prototypes = tensors["companions"], tensors["prototypes"].numpy()
        self._classifier = new_classifier(len(self.labels))
        prefix = "classifier."
        self._classifier.load_state_dict({n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)})
        self._classifier.eval().to(self._device)

    def report(self) -> Report:
        """What the settings mean, since the two words do not say it."""
        how = (
            "labels come from the classifier, pre-trained only: the cross-entropy steps of the main loop are not repeated"
            if self.config.trained
            else "labels come from the nearest class mean of the random encoder's vectors"
        )
        return Report(
            notes=(
                f"no gradient reaches the encoder in the released training: it is random; {how}",
                f"utterances beyond the first {UTTERANCES} of a dialogue get no answer",
            ),
            measurements={
                "encoder_parameters": sum(p.numel() for p in self._encoder.parameters()),
                "classifier_parameters": sum(p.numel() for p in self._classifier.parameters()),
                "neutral_offset": round(self._offset, 4),
            },
        )

    def close(self) -> None:
        """Give back the encoder's 600 MB."""
        for name in ("_encoder", "_companion_keys"):
            self.__dict__.pop(name, None)
