"""Trivial predictors that every other row is read against."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dialogue, LabelSet, Target, folded
from erc_bench.contract.system import NoConfig, Prediction, Runtime, System, SystemInfo
from erc_bench.errors import ConfigError, SystemFailedError
from erc_bench.progress import Progress
from erc_bench.toolkit.training import label_counts

MODEL_FILE = "model.json"


def _read(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemFailedError(
            f"{folder} must hold a trained model ({MODEL_FILE}), got {type(error).__name__}: {error}. "
            "Delete the folder, and the run trains again."
        ) from error
    return content


def _write(folder: Path, content: dict[str, Any]) -> None:
    (folder / MODEL_FILE).write_text(json.dumps(content, indent=0, sort_keys=True) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class ConstantConfig:
    """Settings of `constant`."""

    label: str | None = option(None, "the label given to every utterance; none: the neutral label")


class Constant(System[ConstantConfig]):
    """One label for every utterance."""

    info = SystemInfo(
        name="constant",
        summary="One label for every utterance, the neutral one unless set.",
        reference="-",
        context="utterance",
        licence="Apache-2.0",
        floor=True,
    )

    def __init__(
        self, config: ConstantConfig | None = None, *, labels: LabelSet, runtime: Runtime | None = None
    ) -> None:
        super().__init__(config, labels=labels, runtime=runtime)
        self._label: str = labels.fallback if self.config.label is None else self.config.label
        if self._label not in labels.names:
            raise ConfigError(
                f"the setting label of constant must be one of {', '.join(labels.names)}, got {self._label!r}."
            )

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        return (Prediction(dialogue, turn, self._label) for dialogue, turn in targets)


class Prior(System[NoConfig]):
    """Random draws from the distribution of training labels.

    The draw for a target is a function of the seed and the target alone (a hash), so it does not depend on which other
    targets are asked.
    """

    info = SystemInfo(
        name="prior",
        summary="Random draws from the distribution of labels in the training split.",
        reference="-",
        context="utterance",
        licence="Apache-2.0",
        floor=True,
    )

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        self._seed, self._counts = seed, label_counts(train)

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        names = [name for name in self.labels.names if self._counts.get(name)]
        bounds = list(accumulate(self._counts[name] for name in names))
        for dialogue, turn in targets:
            digest = hashlib.sha256(f"{self._seed}\0{dialogue}\0{turn}".encode()).digest()
            drawn = int.from_bytes(digest, "big") * bounds[-1] >> (8 * len(digest))
            yield Prediction(dialogue, turn, names[bisect_right(bounds, drawn)])

    def save(self, folder: Path) -> None:
        _write(folder, {"seed": self._seed, "counts": self._counts})

    def load(self, folder: Path) -> None:
        content = _read(folder)
        self._seed, self._counts = content["seed"], content["counts"]


class Lookup(System[NoConfig]):
    """The training label of the same text, case and white space folded; the neutral label for a new text.

    A text with several labels in the training split gets its most frequent one; of equally frequent ones, the one that
    comes first in the label set.
    """

    info = SystemInfo(
        name="lookup",
        summary="The label that the same text has in the training split, else the neutral label.",
        reference="-",
        context="utterance",
        licence="Apache-2.0",
        floor=True,
    )

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        seen: dict[str, Counter[str]] = {}
        for dialogue in train:
            for utterance in dialogue.utterances:
                if utterance.label is not None:
                    seen.setdefault(_text_key(utterance.text), Counter())[utterance.label] += 1
        majority = {key: max(self.labels.names, key=counts.__getitem__) for key, counts in seen.items()}
        self._labels = {key: label for key, label in majority.items() if label != self.labels.fallback}

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        for dialogue, turn in targets:
            key = _text_key(by_id[dialogue].utterances[turn].text)
            yield Prediction(dialogue, turn, self._labels.get(key, self.labels.fallback))

    def save(self, folder: Path) -> None:
        _write(folder, {"labels": self._labels})

    def load(self, folder: Path) -> None:
        self._labels = _read(folder)["labels"]


def _text_key(text: str) -> str:
    # A hash instead of the text: a saved model must not carry a corpus that may not be passed on.
    return hashlib.sha256(folded(text).encode()).hexdigest()[:32]
