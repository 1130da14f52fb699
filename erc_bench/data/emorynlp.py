"""EmoryNLP emotion detection (Zahiri and Choi, 2018), read from its official JSON files.

`episodes[].scenes[].utterances[]`: a scene is a dialogue. Where an utterance has several speakers the first one counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import Dialogue, LabelSet, Split, Utterance
from erc_bench.data.archives import file_bytes
from erc_bench.data.common_labels import published_labels
from erc_bench.data.spec import DatasetSpec, Facts, Mirror, SplitReading
from erc_bench.data.text import checked_label, checked_text, decoded, shortened
from erc_bench.errors import DataCorruptError

LABELS = LabelSet(("Neutral", "Joyful", "Peaceful", "Powerful", "Scared", "Mad", "Sad"), neutral="Neutral")
FILES: dict[Split, str] = {
    "train": "emotion-detection-trn.json",
    "validation": "emotion-detection-dev.json",
    "test": "emotion-detection-tst.json",
}


def read_split(folder: Path, split: Split) -> SplitReading:
    """Read one split: its dialogues, and a sentence for each utterance that is malformed, which is left out.

    Raises
    ------
    DataMissingError
        The file is not there or cannot be read.
    DataCorruptError
        It is not JSON, or not of episodes and scenes.
    """
    path = folder / FILES[split]
    data = file_bytes(path)
    problems: list[str] = []
    text = decoded(data, str(path), problems)
    dialogues: list[Dialogue] = []
    for number, scene in enumerate(_scenes(text, path), start=1):
        line = _line(scene, "scene_id", text)
        place = f"the scene in {line}" if line else f"scene {number}"
        utterances = []
        for position, record in enumerate(_entries(scene, "utterances", f"{place} of {path}"), start=1):
            try:
                utterances.append(_utterance(record))
            except ValueError as error:
                where = _line(record, "utterance_id", text) or f"utterance {position} of {place}"
                problems.append(f"{where} of {path}: {error}.")
        if utterances:
            dialogues.append(Dialogue(f"{split}-{len(dialogues):05d}", tuple(utterances)))
    return SplitReading(tuple(dialogues), tuple(problems), hashlib.sha256(data).hexdigest())


def _scenes(text: str, path: Path) -> Iterator[Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        got = "a web page" if text.lstrip().startswith("<") else str(error)
        raise DataCorruptError(f"line {error.lineno} of {path} must be JSON, got: {got}.") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, an object nested too deep
        raise DataCorruptError(f"{path} must be JSON that can be read, got: {error}.") from None
    for episode in _entries(content, "episodes", f"{path}"):
        yield from _entries(episode, "scenes", f"{path}")


def _entries(record: Any, key: str, where: str) -> list[Any]:
    entries = record.get(key) if isinstance(record, dict) else None
    if not isinstance(entries, list):
        raise DataCorruptError(f"{where} must hold a list of {key}, got {shortened(record)}.")
    return entries


def _utterance(record: Any) -> Utterance:
    if not isinstance(record, dict):
        raise ValueError(f"an utterance must be an object, got {shortened(record)}")
    speakers = record.get("speakers")
    if not isinstance(speakers, list) or not speakers:
        raise ValueError(f"the speakers must be a list of names, got {shortened(speakers)}")
    label = checked_text(record.get("emotion"), "emotion")
    return Utterance(
        checked_text(record.get("transcript"), "transcript"),
        checked_text(speakers[0], "first speaker"),
        checked_label(label, LABELS),
    )


def _line(record: Any, key: str, text: str) -> str | None:
    """The line of a scene or an utterance by its id, which stands once in a file."""
    name = record.get(key) if isinstance(record, dict) else None
    at = text.find(f'"{name}"') if isinstance(name, str) else -1
    return f"line {text.count(chr(10), 0, at) + 1}" if at >= 0 else None


EMORYNLP = DatasetSpec(
    name="emorynlp",
    title="EmoryNLP emotion detection 1.0, official splits: scenes of the series Friends, up to nine speakers",
    labels=LABELS,
    common_labels=published_labels("emorynlp"),
    ranking_metric="weighted_f1_all",
    licence="Apache-2.0 (texts of a television series: research use)",
    reference='Zahiri and Choi, "Emotion Detection on TV Show Transcripts with Sequence-based Convolutional Neural '
    'Networks", AAAI workshop on affective content analysis 2018',
    link="https://arxiv.org/abs/1708.04299",
    read=read_split,
    files=FILES,
    subfolders=["json"],
    facts=Facts.from_json(package_files("erc_bench.data").joinpath("emorynlp.json").read_text("utf-8")),
    mirrors=[
        Mirror(
            "the authors' repository, emorynlp/emotion-detection",
            "https://raw.githubusercontent.com/emorynlp/emotion-detection/master/json",
        ),
    ],
)
