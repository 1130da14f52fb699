"""What a run answered to each test utterance and how sure it was: six bytes an utterance, read in one pass and kept by content.

A board reads the predictions of every run, and needs only their labels and the scores of these. Lines are read block by
block and become positions of labels and confidences, so that a million predictions take six megabytes, whatever else
stands in them. What was
read is kept under the SHA-256 of the file and of the dataset: a file that changes in any byte is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erc_bench.content_cache import ContentCache
from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.paths import cache_dir
from erc_bench.records.confidences import (
    ConfidenceColumn,
    Confidences,
    confidences_of,
    kept_confidences,
    written_confidences,
)
from erc_bench.records.groups import check_dataset, check_predictions
from erc_bench.records.predictions import iterate_predictions, opened_predictions, predictions_path
from erc_bench.records.record import Run
from erc_bench.records.written import Lines, Places, blocks, written_label

Codes = NDArray[np.int16]
"""A position of a label for each test utterance in dataset order; K for an unusable answer, `NONE` for no prediction."""
NONE = -1
FOLDER = "answers"
FORMAT = b"answers 3"


class Answers(NamedTuple):
    """What stands in a file of predictions: the SHA-256 (hex) of its lines, the answers, and how sure each was.

    `confidences` are None where nothing has scores, or some answer has a label and no score for it.
    """

    sha256: str
    codes: Codes
    confidences: Confidences | None


class AnswerReader:
    """Reads the answers of runs on one dataset.

    Parameters
    ----------
    dataset
        Whose test utterances the answers are for.
    cache
        Where to keep what was read; default the user's cache folder, which is safe to delete.
    """

    def __init__(self, dataset: Dataset, cache: Path | None = None) -> None:
        self._dataset = dataset
        self._kept = ContentCache((cache or cache_dir()) / FOLDER)
        self._places = Places(dataset.test)
        self.utterances = self._places.utterances
        self._codes: dict[str | None, int] = {name: code for code, name in enumerate(dataset.labels.names)}
        self._codes[None] = len(dataset.labels)
        self._written_codes = {written_label(name): code for name, code in self._codes.items()}

    def of_run(self, run: Run) -> Answers:
        """What a complete run answered.

        Raises
        ------
        DataMissingError
            The run has no predictions.
        DataCorruptError
            It was made on other data, its predictions are not those it finished with, or they cannot be read.
        """
        check_dataset(run, self._dataset)
        found = self.of_file(predictions_path(run.folder))
        check_predictions(run, found.sha256)
        return found

    def of_file(self, path: Path) -> Answers:
        """What stands in a file of predictions."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        key = hashlib.sha256(b"\0".join([FORMAT, self._dataset.fingerprint.encode(), digest])).hexdigest()
        kept, end = self._kept.get(key), 32 + 2 * self.utterances
        if kept is not None and len(kept) - end in (2, 2 + 4 * self.utterances):
            codes = np.frombuffer(kept[32:end], "<i2").astype(np.int16)
            return Answers(kept[:32].hex(), codes, kept_confidences(kept[end:]))
        found = self._read(path)
        written = (bytes.fromhex(found.sha256), found.codes.astype("<i2").tobytes())
        self._kept.put(key, b"".join([*written, written_confidences(found.confidences)]))
        return found

    def _read(self, path: Path) -> Answers:
        codes = np.full(self.utterances, NONE, np.int16)
        digest, plain = hashlib.sha256(), True
        sure = ConfidenceColumn(self.utterances)
        with opened_predictions(path) as file:
            for block, lines in blocks(file):
                digest.update(block)
                places = self._places.of(lines) if lines is not None else np.empty(0, np.intp)
                plain = plain and lines is not None and self._fill(codes, lines, places)
                sure.add(lines, places)
        if not plain:
            codes = self.of_predictions(iterate_predictions(path))
        if sure.plain:
            return Answers(digest.hexdigest(), codes, sure.found)
        return Answers(digest.hexdigest(), codes, confidences_of(iterate_predictions(path), self._places))

    def _fill(self, codes: Codes, lines: Lines, places: NDArray[np.intp]) -> bool:
        """Enter the answers of lines; False where one has no label of the dataset, or repeats a target."""
        given = np.fromiter(map(self._written_codes.get, lines.labels, repeat(NONE)), np.int16, len(lines.labels))
        ours = places >= 0
        places, given = places[ours], given[ours]
        before = np.count_nonzero(codes != NONE)
        codes[places] = given
        return bool((given != NONE).all()) and np.count_nonzero(codes != NONE) == before + len(places)

    def of_predictions(self, predictions: Iterable[Prediction]) -> Codes:
        """The answers of predictions; those for other targets than test utterances are left out.

        Raises
        ------
        DataError
            A label that is not in the label set (a mistake of the file, and not an unusable answer), or a target twice.
        """
        codes = np.full(self.utterances, NONE, np.int16)
        for prediction in predictions:
            place = self._places.of_target(prediction.dialogue, prediction.turn)
            if place >= 0:
                if prediction.label not in self._codes:
                    known = ", ".join(map(repr, self._dataset.labels.names))
                    raise DataError(
                        f"a prediction must be one of {known}, got {prediction.label!r}. Rename the label or leave it "
                        "empty."
                    )
                if codes[place] != NONE:
                    raise DataCorruptError(f"every target must stand once, got {prediction.target} twice.")
                codes[place] = self._codes[prediction.label]
        return codes
