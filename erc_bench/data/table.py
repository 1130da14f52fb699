"""Dialogues as CSV: one utterance a row, the rows of a dialogue one after the other."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

from erc_bench.contract.domain import Dialogue, LabelSet, Split, Utterance
from erc_bench.data.archives import file_bytes
from erc_bench.data.spec import SplitReading
from erc_bench.data.text import checked_label, checked_text, decoded, shortened
from erc_bench.errors import DataCorruptError


@dataclass(frozen=True)
class Columns:
    """The headings of the columns that are read; others may stand beside them."""

    dialogue: str = "dialogue"
    speaker: str = "speaker"
    text: str = "text"
    label: str = "label"


def read_csv(path: Path, split: Split, labels: LabelSet, columns: Columns, *, keep_ids: bool = True) -> SplitReading:
    """The dialogues of a file, and a sentence with the line for each row that is malformed; such a row is left out.

    Ids are what the dialogue column says; without `keep_ids` they count the dialogues of the file: `train-00000`, ….

    Raises
    ------
    DataMissingError
        The file is not there or cannot be read.
    DataCorruptError
        It is not such a table.
    """
    data = file_bytes(path)
    problems: list[str] = []
    text = decoded(data, str(path), problems, otherwise="cp1252")
    found: dict[str, list[Utterance]] = {}
    last = None
    for line, cells in _rows(text, columns, path, problems):
        try:
            name = checked_text(cells[columns.dialogue], columns.dialogue)
            if name != last and name in found:
                raise ValueError(f"the rows of a dialogue must follow each other, got {shortened(name)} again")
            utterance = _utterance(cells, columns, labels)
        except ValueError as error:
            problems.append(f"line {line} of {path}: {error}.")
            continue
        last = name
        found.setdefault(name, []).append(utterance)
    dialogues = (
        Dialogue(name if keep_ids else f"{split}-{position:05d}", tuple(utterances))
        for position, (name, utterances) in enumerate(found.items())
    )
    return SplitReading(tuple(dialogues), tuple(problems), hashlib.sha256(data).hexdigest())


def _utterance(cells: Mapping[str, str | None], columns: Columns, labels: LabelSet) -> Utterance:
    text, speaker, label = (checked_text(cells[name], name) for name in (columns.text, columns.speaker, columns.label))
    return Utterance(text, speaker, checked_label(label, labels))


def _rows(
    text: str, columns: Columns, path: Path, problems: list[str]
) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Each row that is not empty with the line that it starts in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        headings = next(reader, [])
        missing = [name for name in asdict(columns).values() if name not in headings]
        if missing:
            got = "a web page" if text.lstrip().startswith("<") else shortened(", ".join(headings), 200)
            raise DataCorruptError(f"line 1 of {path} must name the columns {', '.join(missing)}, got {got}.")
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(headings):
                problems.append(f"line {line} of {path}: a row must have {len(headings)} cells, got more.")
            elif cells:
                yield line, dict(zip_longest(headings, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(f"line {line} of {path} must be CSV, got: {error}. Nothing after it was read.")
