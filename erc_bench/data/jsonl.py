"""Dialogues as JSON lines: `{"id", "utterances": [{"speaker", "text", "label"}]}` a line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import Dialogue, LabelSet, Split, Utterance
from erc_bench.data.archives import file_bytes
from erc_bench.data.spec import SplitReading
from erc_bench.data.text import checked_label, checked_text, decoded, shortened, split_lines


def read_jsonl(path: Path, split: Split, labels: LabelSet) -> SplitReading:
    """The dialogues of a file, and a sentence with the line for each that is malformed; such a dialogue is left out.

    A dialogue without an `id` gets `train-00000`, … by its line.

    Raises
    ------
    DataMissingError
        The file is not there or cannot be read.
    """
    data = file_bytes(path)
    problems: list[str] = []
    dialogues: dict[str, Dialogue] = {}
    for row, line in enumerate(split_lines(decoded(data, str(path), problems))):
        try:
            dialogue = _dialogue(line, f"{split}-{row:05d}", labels)
            if dialogue.id in dialogues:
                raise ValueError(f"an id must stand once in a split, got {shortened(dialogue.id)} again")
        except ValueError as error:
            problems.append(f"line {row + 1} of {path}: {error}.")
            continue
        dialogues[dialogue.id] = dialogue
    return SplitReading(tuple(dialogues.values()), tuple(problems), hashlib.sha256(data).hexdigest())


def _dialogue(line: str, default_id: str, labels: LabelSet) -> Dialogue:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a line must be a JSON object, got {shortened(line)} ({error})") from None
    utterances = record.get("utterances") if isinstance(record, dict) else None
    if not isinstance(utterances, list) or not utterances:
        raise ValueError(f'a line must be {{"utterances": [...]}} with one utterance or more, got {shortened(record)}')
    name = checked_text(record.get("id", default_id), "id")
    return Dialogue(
        name,
        tuple(_utterance(utterance, labels, f"utterance {turn}") for turn, utterance in enumerate(utterances, start=1)),
    )


def _utterance(record: Any, labels: LabelSet, where: str) -> Utterance:
    if not isinstance(record, dict):
        raise ValueError(f"{where} must be an object, got {shortened(record)}")
    text, speaker, label = (checked_text(record.get(key), f"{key} of {where}") for key in ("text", "speaker", "label"))
    return Utterance(text, speaker, checked_label(label, labels, where))
