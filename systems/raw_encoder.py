"""Raw sentence embeddings, the nearest class prototype: what a frozen encoder gives before anything is trained on it.

The row that a trained metric space is read against: it reads no context and learns nothing but seven mean vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Prediction, Report, System, SystemInfo
from erc_bench.progress import Progress
from erc_bench.toolkit.encoders import EncoderConfig, SentenceEncoder, check_trained_with
from erc_bench.toolkit.training import load_model, save_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RawEncoderConfig(EncoderConfig):
    """Settings of `raw-encoder`."""


class RawEncoder(System[RawEncoderConfig]):
    """Nearest prototype (Snell et al. 2017) among the class means of frozen sentence embeddings."""

    info: ClassVar[SystemInfo] = SystemInfo(
        name="raw-encoder",
        summary="Frozen sentence embeddings, nearest class mean of the training split; nothing else is learned",
        reference="Control for metric learning; sentence embeddings of Reimers and Gurevych (2019)",
        context="utterance",
        licence="Apache-2.0",
        floor=True,
    )
    _prototypes: NDArray[np.float32]

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        return SentenceEncoder(self.config.encoder, self.runtime)

    @property
    def parameters(self) -> int:
        """Weights of the encoder and the prototypes."""
        return self._encoder.source.parameters + int(self._prototypes.size)

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        from erc_bench.toolkit.prototypes import class_means, label_positions

        utterances = [utterance for dialogue in train for utterance in dialogue.utterances]
        vectors = self._encoder.embed([utterance.text for utterance in utterances], progress=progress)
        positions = label_positions([utterance.label for utterance in utterances], self.labels.names)
        self._prototypes = class_means([(vectors, positions)], len(self.labels))

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        from erc_bench.toolkit.prototypes import nearest_prototypes

        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        texts = [by_id[target.dialogue].utterances[target.turn].text for target in targets]
        vectors = self._encoder.embed(texts, progress=progress)
        for target, (label, scores) in zip(
            targets, nearest_prototypes(vectors, self._prototypes, self.labels.names), strict=True
        ):
            yield Prediction(target.dialogue, target.turn, label, scores)

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        self._encoder.embed([u.text for dialogue in dialogues for u in dialogue.utterances], progress=progress)
        for dialogue in dialogues:
            yield self._encoder.embed([utterance.text for utterance in dialogue.utterances])

    def save(self, folder: Path) -> None:
        import torch

        save_model(
            folder, {"prototypes": torch.from_numpy(self._prototypes)}, {"encoder": self._encoder.source.identity}
        )

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        check_trained_with(self._encoder.source, settings["encoder"], folder)
        self._prototypes = tensors["prototypes"].numpy()

    def report(self) -> Report:
        """Which encoder ran and where it came from."""
        source = self._encoder.source
        return Report(
            notes=(f"sentence encoder {source.name} (weights {source.weights_sha256[:12]}…)",),
            measurements={"encoder_sha256": source.weights_sha256, "encoder_identity": source.identity},
        )
