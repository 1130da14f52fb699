"""IEMOCAP (Busso et al., 2008), the text of it, read from a copy that the user holds.

`SessionN/dialog/EmoEvaluation/DIALOGUE.txt` gives each turn its time and its label, agreed on by its annotators;
`SessionN/dialog/transcriptions/DIALOGUE.txt` gives its words. Of the labels the six that the field uses are read: a turn
with another one, or without agreement (`xxx`), is left out, as in the field; so are lines of what one annotator said, such
as `C-E2:` and `A-F1:`. A turn's name ends in the speaker and a number
(`Ses01F_impro01_M003`), and turns are in the order of their starts: the evaluation file may list them speaker by speaker.

The test split is session 5. Of sessions 1 to 4, dialogues in the order of their names, every tenth (the 10th, 20th, …)
is in the validation split and all others are in the training split. The official release has no splits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from erc_bench.contract.domain import Dialogue, LabelSet, Split, Utterance
from erc_bench.data.archives import file_bytes
from erc_bench.data.common_labels import published_labels
from erc_bench.data.spec import DatasetSpec, SplitReading
from erc_bench.data.text import decoded, shortened, split_lines
from erc_bench.errors import DataMissingError

CODES = {
    "neu": "neutral",
    "hap": "happy",
    "sad": "sad",
    "ang": "angry",
    "exc": "excited",
    "fru": "frustrated",
}
OTHER_CODES = frozenset({"xxx", "sur", "fea", "dis", "oth"})
LABELS = LabelSet(tuple(CODES.values()), neutral="neutral")
SESSIONS = (1, 2, 3, 4, 5)
TEST_SESSION = 5
VALIDATION_EVERY = 10
_TURN = re.compile(r"\[(\d+\.?\d*) - [\d.]+\]\s+(\S+)\s+(\S+)\s+\[")
_TIMED = re.compile(r"\s*[\[\d]")
_WORDS = re.compile(r"(\S+)\s+\[[\d.]+-[\d.]+\]:\s*(.*)")
_SPEAKER = re.compile(r"_([FM])\w*\d+$")


def read_split(folder: Path, split: Split) -> SplitReading:
    """Read one split: its dialogues, and a sentence with the line for each turn that is malformed, which is left out.

    Raises
    ------
    DataMissingError
        A session or a file is not there or cannot be read.
    """
    problems: list[str] = []
    found = (_utterances(path, problems) for path in _evaluations(folder, split))
    dialogues = tuple(
        Dialogue(f"{split}-{position:05d}", utterances) for position, utterances in enumerate(filter(None, found))
    )
    return SplitReading(dialogues, tuple(problems))


def _evaluations(folder: Path, split: Split) -> list[Path]:
    """The evaluation files of a split's dialogues, sessions and names in order."""
    sessions = [number for number in SESSIONS if (number == TEST_SESSION) == (split == "test")]
    paths = [path for number in sessions for path in _session(folder, number)]
    if split == "test":
        return paths
    held_out = paths[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]
    return held_out if split == "validation" else [path for path in paths if path not in held_out]


def _session(folder: Path, number: int) -> list[Path]:
    evaluations = folder / f"Session{number}" / "dialog" / "EmoEvaluation"
    # macOS leaves shadow files, whose names begin with a dot, beside the files of some copies
    names, transcribed = (
        {path.name for path in place.glob("*.txt") if not path.name.startswith(".")}
        for place in (evaluations, evaluations.parent / "transcriptions")
    )
    if not names:
        raise DataMissingError(f"{evaluations} must hold an evaluation file a dialogue, got none.")
    return [evaluations / name for name in sorted(names | transcribed)]


def _utterances(path: Path, problems: list[str]) -> tuple[Utterance, ...]:
    words = dict(_transcribed(path.parents[1] / "transcriptions" / path.name, problems))
    utterances: list[tuple[float, Utterance]] = []
    seen: dict[str, int] = {}
    for row, line in enumerate(split_lines(decoded(file_bytes(path), str(path), problems, otherwise="cp1252")), 1):
        if not _TIMED.match(line):  # what each annotator said, and comments
            continue
        turn = _TURN.match(line)
        start, name, code = turn.groups() if turn else ("0", "", "")
        first = seen.setdefault(name, row)
        if code in OTHER_CODES and first == row:
            continue
        again = f"a turn must stand once, got {name} as in line {first}" if name and first < row else None
        problem = again or _problem(line, name, code, words)
        if problem:
            problems.append(f"line {row} of {path}: {problem}.")
            continue
        speaker = _SPEAKER.search(name)
        utterances.append((float(start), Utterance(words[name], speaker[1] if speaker else "", CODES[code])))
    return tuple(utterance for _, utterance in sorted(utterances, key=lambda timed: timed[0]))


def _problem(line: str, name: str, code: str, words: dict[str, str]) -> str | None:
    if not name:
        return f"a turn must have a time, a name, a label and ratings, got {shortened(line)}"
    if code not in CODES:
        return f"a label must be one of {', '.join([*CODES, *sorted(OTHER_CODES)])}, got {shortened(code)}"
    if not _SPEAKER.search(name):
        return f"a turn's name must end in its speaker, F or M, and a number, got {shortened(name)}"
    if not words.get(name):
        return f"the turn {name} must have words in the transcription of the same name, got none"
    return None


def _transcribed(path: Path, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Turn names and words; lines of another form hold what nobody labelled."""
    for line in split_lines(decoded(file_bytes(path), str(path), problems, otherwise="cp1252")):
        turn = _WORDS.match(line)
        if turn:
            yield turn[1], turn[2].strip()


def _recognised(folder: Path) -> bool:
    return (folder / f"Session{TEST_SESSION}").is_dir()


IEMOCAP = DatasetSpec(
    name="iemocap",
    title="IEMOCAP, text of six labels, session 5 as test split: two actors a conversation",
    labels=LABELS,
    common_labels=published_labels("iemocap"),
    ranking_metric="weighted_f1_all",
    licence="the licence of its owners, who give it to those who ask (research use; not to be passed on)",
    reference='Busso et al., "IEMOCAP: interactive emotional dyadic motion capture database", Language Resources and '
    "Evaluation 42, 2008",
    link="https://sail.usc.edu/iemocap/",
    read=read_split,
    subfolders=["IEMOCAP_full_release"],
    recognised=_recognised,
    contents="Session1 to Session5 of the official release",
    how_to_get="Its owners give a copy to those who ask (https://sail.usc.edu/iemocap/).",
)
