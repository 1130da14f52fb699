"""TF-IDF word n-grams and logistic regression: what words alone give."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Prediction, Report, System, SystemInfo
from erc_bench.errors import ConfigError, SystemFailedError
from erc_bench.progress import Progress
from erc_bench.toolkit.training import (
    DECISION,
    Decision,
    calibrate,
    class_weights,
    labelled_texts,
    load_model,
    prediction,
    save_model,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NGRAMS_FILE = "ngrams.json"


@dataclass(frozen=True)
class TfidfLogregConfig:
    """Settings of `tfidf-logreg`."""

    c: float = option(3.0, "inverse strength of the L2 penalty of the logistic regression", at_least=1e-6, at_most=1e6)
    ngrams: int = option(2, "longest word n-gram", at_least=1, at_most=10)
    min_count: int = option(2, "fewest training utterances an n-gram occurs in", at_least=1, at_most=1_000_000)
    weight_power: float = option(
        0.5, "class weights are label frequency ** -power (0: none, 1: inverse frequency)", at_least=0, at_most=4
    )
    decision: Decision = option("calibrated", DECISION)
    max_iter: int = option(200, "most iterations of the solver", at_least=1, at_most=100_000)


class TfidfLogreg(System[TfidfLogregConfig]):
    """Class-weighted multinomial logistic regression on the TF-IDF weights of word n-grams."""

    info = SystemInfo(
        name="tfidf-logreg",
        summary="TF-IDF of word n-grams and class-weighted logistic regression.",
        reference="-",
        context="utterance",
        licence="Apache-2.0",
    )

    @property
    def parameters(self) -> int | None:
        return int(self._coefficients.size + self._intercepts.size)

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        import warnings

        import numpy as np
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        texts, gold = labelled_texts(train, self.labels)
        weights = class_weights(gold, len(self.labels), self.config.weight_power)
        present = np.unique(gold)
        if len(present) < 2:
            raise SystemFailedError(
                f"tfidf-logreg must be trained on two labels or more, got {[self.labels.names[i] for i in present]}."
            )
        with progress.task("Training", total=2, unit="steps") as task:
            self._vectorizer = self._new_vectorizer()
            features = self._features(texts)
            task.advance()
            model = LogisticRegression(
                C=self.config.c,
                class_weight={int(i): float(weights[i]) for i in present},
                max_iter=self.config.max_iter,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # told by `report`
                model.fit(features, gold)
            self._converged = bool(model.n_iter_.max() < self.config.max_iter)
            task.advance()
        self._coefficients = np.zeros((len(self.labels), features.shape[1]))
        self._intercepts = np.full(len(self.labels), -np.inf)  # a label that training lacks is never given
        rows, intercepts = model.coef_, model.intercept_
        if len(present) == 2:  # scikit-learn then keeps the second label's row only
            rows, intercepts = np.vstack([-rows, rows]) / 2, np.concatenate([-intercepts, intercepts]) / 2
        self._coefficients[present], self._intercepts[present] = rows, intercepts
        self._offset = 0.0
        texts, gold = labelled_texts(validation, self.labels)
        if texts:
            self._offset, _ = calibrate(self._logits(texts), gold, self.labels.neutral_index, self.config.decision)

    def _features(self, texts: Sequence[str]) -> Any:
        """The weights of the training utterances' n-grams; sparse float64 (utterances, n-grams)."""
        try:
            return self._vectorizer.fit_transform(texts)
        except ValueError:  # scikit-learn's way to say that no n-gram is left
            raise ConfigError(
                f"min_count must leave an n-gram of the {len(texts)} training utterances, got {self.config.min_count}: none "
                "occurs in so many. Choose a smaller one."
            ) from None

    def _new_vectorizer(self, vocabulary: list[str] | None = None) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        # Any run of non-space characters is a word: question and exclamation marks carry emotion.
        return TfidfVectorizer(
            ngram_range=(1, self.config.ngrams),
            min_df=1 if vocabulary else self.config.min_count,
            sublinear_tf=True,
            token_pattern=r"\w+|[^\w\s]",
            vocabulary=vocabulary,
        )

    def _logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        return np.asarray(self._vectorizer.transform(texts) @ self._coefficients.T + self._intercepts, np.float32)

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        logits = self._logits([by_id[target.dialogue].utterances[target.turn].text for target in targets])
        for target, row in zip(targets, logits, strict=True):
            yield prediction(target, row, self._offset, self.labels)

    def save(self, folder: Path) -> None:
        import torch

        tensors = {"coefficients": self._coefficients, "intercepts": self._intercepts, "idf": self._vectorizer.idf_}
        settings = {"neutral_offset": self._offset, "converged": self._converged}
        save_model(folder, {k: torch.from_numpy(v) for k, v in tensors.items()}, settings)
        ngrams = [str(ngram) for ngram in self._vectorizer.get_feature_names_out()]
        (folder / NGRAMS_FILE).write_text(json.dumps(ngrams, ensure_ascii=False), encoding="utf-8")

    def load(self, folder: Path) -> None:
        tensors, settings = load_model(folder)
        self._vectorizer = self._new_vectorizer(json.loads((folder / NGRAMS_FILE).read_text(encoding="utf-8")))
        self._vectorizer.idf_ = tensors["idf"].numpy()
        self._coefficients, self._intercepts = tensors["coefficients"].numpy(), tensors["intercepts"].numpy()
        self._offset, self._converged = settings["neutral_offset"], settings["converged"]

    def report(self) -> Report:
        return Report(measurements={"neutral_offset": round(self._offset, 4), "converged": self._converged})
