"""What a run answered to each test utterance: two bytes an utterance, read in one pass and kept by content.

A board reads the predictions of every run, and needs only their labels. Lines are read block by block and become
positions of labels, so that a million predictions take two megabytes, whatever stands beside the labels. What was
read is kept under the SHA-256 of the file and of the dataset: a file that changes in any byte is read again.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erc_bench.content_cache import ContentCache
from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.paths import cache_dir
from erc_bench.records.groups import check_dataset, check_predictions
from erc_bench.records.predictions import iterate_predictions, opened_predictions, predictions_path
from erc_bench.records.record import Run

Codes = NDArray[np.int16]
"""A position of a label for each test utterance in dataset order; K for an unusable answer, `NONE` for no prediction."""
NONE = -1
FOLDER = "answers"
FORMAT = b"answers 1"
BLOCK_BYTES = 1 << 20
NUMBER = rb"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?"
TEXT = rb'[^"\\\x00-\x1f]*'
# A line as erc-bench writes it, without what a model wrote; any other is read the long way.
LINE = re.compile(
    rb'^\{"dialogue":"(%(text)b)","turn":(0|[1-9][0-9]{0,8}),"label":(null|"%(text)b")'
    rb'(?:,"scores":(?:\[%(number)b(?:,%(number)b)*\]|\{"%(text)b":%(number)b(?:,"%(text)b":%(number)b)*\}))?\}\n'
    % {b"text": TEXT, b"number": NUMBER},
    re.MULTILINE,
)


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
        lengths = [len(dialogue) for dialogue in dataset.test]
        starts = np.cumsum([0, *lengths])
        self.utterances = int(starts[-1])
        self._spans = {
            dialogue.id: (int(start), length)
            for dialogue, start, length in zip(dataset.test, starts[:-1], lengths, strict=True)
        }
        self._codes: dict[str | None, int] = {name: code for code, name in enumerate(dataset.labels.names)}
        self._codes[None] = len(dataset.labels)
        self._written_spans = {identity.encode(): span for identity, span in self._spans.items()}
        self._written_codes = {b'"%b"' % name.encode(): code for code, name in enumerate(dataset.labels.names)}
        self._written_codes[b"null"] = len(dataset.labels)

    def of_run(self, run: Run) -> Codes:
        """The answers of a complete run.

        Raises
        ------
        DataMissingError
            The run has no predictions.
        DataCorruptError
            It was made on other data, its predictions are not those it finished with, or they cannot be read.
        """
        check_dataset(run, self._dataset)
        found, codes = self.of_file(predictions_path(run.folder))
        check_predictions(run, found)
        return codes

    def of_file(self, path: Path) -> tuple[str, Codes]:
        """The SHA-256 (hex) of the lines of a file of predictions, and the answers in it."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        key = hashlib.sha256(b"\0".join([FORMAT, self._dataset.fingerprint.encode(), digest])).hexdigest()
        kept = self._kept.get(key)
        if kept is not None and len(kept) == 32 + 2 * self.utterances:
            return kept[:32].hex(), np.frombuffer(kept[32:], "<i2").astype(np.int16)
        found, codes = self._read(path)
        self._kept.put(key, bytes.fromhex(found) + codes.astype("<i2").tobytes())
        return found, codes

    def _read(self, path: Path) -> tuple[str, Codes]:
        codes = array("h", [NONE]) * self.utterances
        digest, rest, plain = hashlib.sha256(), b"", True
        with opened_predictions(path) as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                whole, newline, tail = (rest + block).rpartition(b"\n")
                rest = tail
                plain = plain and self._fill(codes, whole + newline)
        if not plain or rest:
            return digest.hexdigest(), self.of_predictions(iterate_predictions(path))
        return digest.hexdigest(), np.array(codes, np.int16)

    def _fill(self, codes: array[int], lines: bytes) -> bool:
        """Enter the answers of whole lines; False where one is not as erc-bench writes it, or repeats a target."""
        rows = LINE.findall(lines)
        if len(rows) != lines.count(b"\n") or not _is_text(lines):
            return False
        spans, known = self._written_spans, self._written_codes
        for dialogue, turn, label in rows:
            start, length = spans.get(dialogue, (0, 0))
            place = int(turn)
            if place < length:
                code = known.get(label)
                if code is None or codes[start + place] != NONE:
                    return False
                codes[start + place] = code
        return True

    def of_predictions(self, predictions: Iterable[Prediction]) -> Codes:
        """The answers of predictions; those for other targets than test utterances are left out.

        Raises
        ------
        DataError
            A label that is not in the label set (a mistake of the file, and not an unusable answer), or a target twice.
        """
        codes = array("h", [NONE]) * self.utterances
        for prediction in predictions:
            start, length = self._spans.get(prediction.dialogue, (0, 0))
            if 0 <= prediction.turn < length:
                if prediction.label not in self._codes:
                    known = ", ".join(map(repr, self._dataset.labels.names))
                    raise DataError(
                        f"a prediction must be one of {known}, got {prediction.label!r}. Rename the label or leave it "
                        "empty."
                    )
                if codes[start + prediction.turn] != NONE:
                    raise DataCorruptError(f"every target must stand once, got {prediction.target} twice.")
                codes[start + prediction.turn] = self._codes[prediction.label]
        return np.array(codes, np.int16)


def _is_text(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False
