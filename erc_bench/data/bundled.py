"""Reading `sample`, the small dataset that comes with the package (written for this project, CC0)."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable

from erc_bench.contract.domain import DAILYDIALOG_LABELS, Dialogue, Split, Utterance
from erc_bench.errors import DataCorruptError, DataMissingError


def bundled_file(split: Split) -> Traversable:
    """The file of one split: a JSON object a line, `{"id", "utterances": [{"speaker", "text", "label"}]}`."""
    return files("erc_bench.data").joinpath("sample", f"{split}.jsonl")


def read_bundled(split: Split) -> tuple[Dialogue, ...]:
    """The dialogues of one split of `sample`.

    Raises
    ------
    DataMissingError
        The installation lacks the file.
    DataCorruptError
        A line is not a dialogue with known labels.
    """
    file = bundled_file(split)
    if not file.is_file():
        raise DataMissingError(f"{file} must come with erc-bench, got no such file. Install erc-bench again.")
    return parse_bundled(file.read_text("utf-8"), str(file))


def parse_bundled(text: str, where: str) -> tuple[Dialogue, ...]:
    """The dialogues of a JSONL text; `where` names it in errors.

    Raises
    ------
    DataCorruptError
        A line is not a dialogue with known labels.
    """
    lines = text.removesuffix("\n").split("\n")
    return tuple(_dialogue(line, f"line {number} of {where}") for number, line in enumerate(lines, start=1))


def _dialogue(line: str, where: str) -> Dialogue:
    try:
        record = json.loads(line)
        dialogue = Dialogue(
            record["id"], tuple(Utterance(u["text"], u["speaker"], u["label"]) for u in record["utterances"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataCorruptError(f"{where} must be a dialogue, got: {error!r}. Install erc-bench again.") from None
    for utterance in dialogue.utterances:
        if utterance.label not in DAILYDIALOG_LABELS.names:
            raise DataCorruptError(
                f"a label in {where} must be one of {', '.join(DAILYDIALOG_LABELS.names)}, got {utterance.label!r}. "
                "Install erc-bench again."
            )
    return dialogue
