"""How sure a run was of each answer: the score that it gave the label it answered, for systems that give scores.

Four bytes an utterance, read in the pass that reads the answers and kept with them (`erc_bench.records.answers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.system import Prediction
from erc_bench.records.written import Lines, Places

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


class ConfidenceColumn:
    """The confidences of the answers in lines, which come block by block.

    `plain` turns False where a line has to be read the long way, by `confidences_of`; what was found then means nothing.

    Parameters
    ----------
    utterances
        How many the test split has.
    """

    def __init__(self, utterances: int) -> None:
        self.plain = True
        self._values = np.full(utterances, np.nan, np.float32)
        self._probabilities = True
        self._complete = True
        self._names: Mapping[bytes, int] = {}

    @property
    def found(self) -> Confidences | None:
        """Those of all lines so far; None where some answer has a label and no score for it."""
        return Confidences(self._values, self._probabilities) if self._complete else None

    def add(self, lines: Lines | None, places: NDArray[np.intp]) -> None:
        """Enter the answers of a block (`erc_bench.records.written.blocks`), whose targets have these places."""
        if not (self.plain and self._complete):
            return
        found = None if lines is None else _Scores.of(lines.scores, self._names)
        if lines is None or found is None:
            self.plain = False
            return
        self._names = found.last
        ours = [row for row, label in enumerate(lines.labels) if label != b"null" and places[row] >= 0]
        columns = [found.names[row].get(lines.labels[row]) for row in ours]
        if None in columns:
            self._complete = False
            return
        self._values[places[ours]] = found.numbers[found.starts[ours] + np.array(columns, np.intp)]
        self._probabilities = self._probabilities and bool(found.probabilities[ours].all())


def confidences_of(predictions: Iterable[Prediction], places: Places) -> Confidences | None:
    """The confidences of predictions; those for other targets than test utterances are left out.

    None where some answer has a label and no score for it.
    """
    values = np.full(places.utterances, np.nan, np.float32)
    probabilities = True
    for each in predictions:
        place = places.of_target(each.dialogue, each.turn)
        if each.label is None or place < 0:
            continue
        if each.scores is None or each.label not in each.scores:
            return None
        values[place] = each.scores[each.label]
        given = each.scores.values()
        probabilities = probabilities and min(given) >= 0 and abs(sum(given) - 1) <= ROUNDING
    return Confidences(values, probabilities)


def written_confidences(found: Confidences | None) -> bytes:
    """Confidences as they are kept."""
    if found is None:
        return b"- "
    return (b"p " if found.probabilities else b"s ") + found.values.astype("<f4").tobytes()


def kept_confidences(content: bytes) -> Confidences | None:
    """What `written_confidences` wrote."""
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
