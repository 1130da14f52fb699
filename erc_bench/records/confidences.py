"""How sure a run was of each answer: the score that it gave the label it answered, for systems that give scores.

Read in one pass and kept by content, like answers (`erc_bench.records.answers`): four bytes an utterance.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erc_bench.content_cache import ContentCache
from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Prediction
from erc_bench.paths import cache_dir
from erc_bench.records.predictions import iterate_predictions, opened_predictions, predictions_path
from erc_bench.records.written import Places, blocks

FOLDER = "confidences"
FORMAT = b"confidences 1"
NAME = re.compile(rb'("[^"]*"):')
ROUNDING = 0.02
"""How far the scores of an answer may be from a sum of 1 to be probabilities: exports keep three digits of each."""


@dataclass(frozen=True, eq=False)
class Confidences:
    """The score of each answer, float32, in the order of the test utterances: nan for an unusable answer, or for none.

    `probabilities` says whether the scores of every answer lie in 0..1 and add up to 1.
    """

    values: NDArray[np.float32]
    probabilities: bool


class ConfidenceReader:
    """Reads the confidences of runs on one dataset.

    Parameters
    ----------
    dataset
        Whose test utterances the answers are for.
    cache
        Where to keep what was read; default the user's cache folder, which is safe to delete.
    """

    def __init__(self, dataset: Dataset, cache: Path | None = None) -> None:
        self._kept = ContentCache((cache or cache_dir()) / FOLDER)
        self._fingerprint = dataset.fingerprint
        self._places = Places(dataset.test)
        self.utterances = self._places.utterances

    def of_folder(self, folder: Path) -> Confidences | None:
        """The confidences of a run; None where some answer has a label and no score for it.

        Raises
        ------
        DataMissingError, DataCorruptError
            There are no predictions, or they cannot be read.
        """
        path = predictions_path(folder)
        with opened_predictions(path) as file:
            first = file.readline()
        if b'"scores"' not in first:
            return None
        with path.open("rb") as packed:
            digest = hashlib.file_digest(packed, "sha256").digest()
        key = hashlib.sha256(b"\0".join([FORMAT, self._fingerprint.encode(), digest])).hexdigest()
        kept = self._kept.get(key)
        if kept is None or len(kept) not in (2, 2 + 4 * self.utterances):
            kept = self._written(self._of_file(path))
            self._kept.put(key, kept)
        return self._read(kept)

    def _of_file(self, path: Path) -> Confidences | None:
        values = np.full(self.utterances, np.nan, np.float32)
        probabilities = True
        names: Mapping[bytes, int] = {}
        with opened_predictions(path) as file:
            for _, lines in blocks(file):
                found = None if lines is None else _Scores.of(lines.scores, names)
                if lines is None or found is None:
                    return self.of_predictions(iterate_predictions(path))
                names = found.last
                places = self._places.of(lines)
                ours = [row for row, label in enumerate(lines.labels) if label != b"null" and places[row] >= 0]
                columns = [found.names[row].get(lines.labels[row]) for row in ours]
                if None in columns:
                    return None
                values[places[ours]] = found.numbers[found.starts[ours] + np.array(columns, np.intp)]
                probabilities = probabilities and bool(found.probabilities[ours].all())
        return Confidences(values, probabilities)

    def of_predictions(self, predictions: Iterable[Prediction]) -> Confidences | None:
        """The confidences of predictions; those for other targets than test utterances are left out."""
        values = np.full(self.utterances, np.nan, np.float32)
        probabilities = True
        for each in predictions:
            place = self._places.of_target(each.dialogue, each.turn)
            if each.label is None or place < 0:
                continue
            if each.scores is None or each.label not in each.scores:
                return None
            values[place] = each.scores[each.label]
            given = each.scores.values()
            probabilities = probabilities and min(given) >= 0 and abs(sum(given) - 1) <= ROUNDING
        return Confidences(values, probabilities)

    @staticmethod
    def _written(found: Confidences | None) -> bytes:
        if found is None:
            return b"- "
        return (b"p " if found.probabilities else b"s ") + found.values.astype("<f4").tobytes()

    @staticmethod
    def _read(content: bytes) -> Confidences | None:
        if len(content) == 2:
            return None
        return Confidences(np.frombuffer(content[2:], "<f4").astype(np.float32), content[:2] == b"p ")


@dataclass(frozen=True, eq=False)
class _Scores:
    """The scores of some lines: all `numbers` in a row, where those of each line start, and in which order it names labels.

    `names` (as written, to positions) is empty for a line without scores; `last` has those of the last line with any.
    """

    numbers: NDArray[np.float64]
    starts: NDArray[np.intp]
    names: Sequence[Mapping[bytes, int]]
    last: Mapping[bytes, int]
    probabilities: NDArray[np.bool_]

    @classmethod
    def of(cls, written: Sequence[bytes], before: Mapping[bytes, int]) -> _Scores | None:
        """From lines as they are written; None where a list has other names than the line before, or a name stands twice."""
        texts, names = [], []
        for text in written:
            if text[:1] == b"{":
                found = NAME.findall(text)
                before = {name: place for place, name in enumerate(found)}
                if len(before) < len(found):
                    return None
                text = NAME.sub(b"", text)
            names.append(before if text else {})
            texts.append(text[1:-1])
        counts = np.array([len(each) for each in names], np.intp)
        if [len(each) for each in names] != [text.count(b",") + 1 if text else 0 for text in texts]:
            return None
        starts = np.cumsum([0, *counts[:-1]])
        numbers = np.fromstring(b",".join(filter(None, texts)), np.float64, sep=",")
        given = counts > 0
        probabilities = np.zeros(len(counts), np.bool_)
        if given.any():
            lowest, sums = (part.reduceat(numbers, starts[given]) for part in (np.minimum, np.add))
            probabilities[given] = (lowest >= 0) & (np.abs(sums - 1) <= ROUNDING)
        return cls(numbers, starts, names, before, probabilities)
