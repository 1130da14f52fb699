"""Raw sentence embeddings, the nearest class prototype: what a frozen encoder gives before anything is trained on it.

The row that a trained metric space is read against: it reads no context and learns nothing but seven mean vectors, and
the number that every other system chooses on validation as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Prediction, Report, System, SystemInfo
from erc_bench.progress import Progress
from erc_bench.toolkit.encoders import SentenceEncoder, SentenceEncoderConfig, check_trained_with
from erc_bench.toolkit.training import DECISION, Decision, load_model, save_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RawEncoderConfig(SentenceEncoderConfig):
    """Settings of `raw-encoder`."""

    decision: Decision = option("calibrated", DECISION, before="argmax")


class RawEncoder(System[RawEncoderConfig]):
    """Nearest prototype (Snell et al. 2017) among the class means of frozen sentence embeddings."""

    info: ClassVar[SystemInfo] = SystemInfo(
        name="raw-encoder",
        summary="Frozen sentence embeddings, nearest class mean of the training split; nothing else is learned but one "
        "offset, as in every other row",
        reference="Control for metric learning; sentence embeddings of Reimers and Gurevych (2019)",
        context="utterance",
        licence="Apache-2.0",
        floor=True,
    )
    _prototypes: NDArray[np.float32]
    _offset: float

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        return SentenceEncoder(self.config.encoder, self.runtime, self.config.precision)

    @property
    def parameters(self) -> int:
        """Weights of the encoder and the prototypes."""
        return self._encoder.source.parameters + int(self._prototypes.size)

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        from erc_bench.toolkit.prototypes import class_means, prototype_offset

        self._prototypes = class_means([self._labelled(train, progress)], len(self.labels))
        self._offset = prototype_offset(
            *self._labelled(validation, progress), self._prototypes, self.labels.neutral_index, self.config.decision
        )

    def _labelled(
        self, dialogues: Sequence[Dialogue], progress: Progress
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Vectors (utterances, dim) of all utterances and the positions of their labels, -1 where withheld."""
        from erc_bench.toolkit.prototypes import label_positions

        utterances = [utterance for dialogue in dialogues for utterance in dialogue.utterances]
        vectors = self._encoder.embed([utterance.text for utterance in utterances], progress=progress)
        return vectors, label_positions([utterance.label for utterance in utterances], self.labels.names)

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        from erc_bench.toolkit.prototypes import nearest_prototypes

        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        texts = [by_id[target.dialogue].utterances[target.turn].text for target in targets]
        vectors = self._encoder.embed(texts, progress=progress)
        nearest = nearest_prototypes(vectors, self._prototypes, self.labels.names, self.labels.neutral, self._offset)
        for target, (label, scores) in zip(targets, nearest, strict=True):
            yield Prediction(target.dialogue, target.turn, label, scores)

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        self._encoder.embed([u.text for dialogue in dialogues for u in dialogue.utterances], progress=progress)
        for dialogue in dialogues:
            yield self._encoder.embed([utterance.text for utterance in dialogue.utterances])

    def save(self, folder: Path) -> None:
        import torch

        settings = {"encoder": self._encoder.source.identity, "neutral_offset": self._offset}
        save_model(folder, {"prototypes": torch.from_numpy(self._prototypes)}, settings)

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        check_trained_with(self._encoder.source, settings["encoder"], folder)
        self._prototypes, self._offset = tensors["prototypes"].numpy(), settings.get("neutral_offset", 0.0)

    def report(self) -> Report:
        """Which encoder ran and where it came from."""
        source = self._encoder.source
        return Report(
            notes=(f"sentence encoder {source.name} (weights {source.weights_sha256[:12]}…)",),
            measurements={
                "encoder_sha256": source.weights_sha256,
                "encoder_identity": source.identity,
                "neutral_offset": round(self._offset, 4),
            },
        )
