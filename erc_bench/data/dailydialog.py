"""Reading DailyDialog (Li et al., IJCNLP 2017) from its official files.

A line of `dialogues_SPLIT.txt` is a dialogue whose utterances end in `__eou__`; the same line of
`dialogues_emotion_SPLIT.txt` has one integer an utterance: 0 no emotion, 1 anger, 2 disgust, 3 fear, 4 happiness,
5 sadness, 6 surprise. There is no speaker column: the two speakers alternate.
"""

from __future__ import annotations

from erc_bench.contract.domain import DAILYDIALOG_LABELS, Dialogue, Utterance
from erc_bench.data.archives import SplitFiles, text_names

END_OF_UTTERANCE = "__eou__"
_LABEL_OF = {str(index): name for index, name in enumerate(DAILYDIALOG_LABELS.names)}


def parse_split(files: SplitFiles) -> tuple[tuple[Dialogue, ...], list[str]]:
    """The dialogues of a split, and a sentence for each place where its files are malformed.

    Text is kept raw but for surrounding white space. Ids count the lines of the file from 0: `train-00000`. A
    malformed dialogue is left out.
    """
    texts_name, emotions_name = text_names(files.split)
    problems: list[str] = []
    texts = _lines(files.dialogues, f"{texts_name} in {files.where}", problems)
    emotions = _lines(files.emotions, f"{emotions_name} in {files.where}", problems)
    if len(texts) != len(emotions):
        problems.append(
            f"{texts_name} and {emotions_name} in {files.where} must have equally many lines, "
            f"got {len(texts):,} and {len(emotions):,}."
        )
    dialogues = []
    for row, (text, emotion) in enumerate(zip(texts, emotions, strict=False)):
        *utterances, rest = (part.strip() for part in text.split(END_OF_UTTERANCE))
        labels = emotion.split()
        problem = _problem(utterances, rest, labels)
        if problem:
            problems.append(f"line {row + 1} of {texts_name} and {emotions_name} in {files.where}: {problem}.")
            continue
        dialogues.append(
            Dialogue(
                f"{files.split}-{row:05d}",
                tuple(
                    Utterance(utterance, "AB"[turn % 2], _LABEL_OF[label])
                    for turn, (utterance, label) in enumerate(zip(utterances, labels, strict=True))
                ),
            )
        )
    return tuple(dialogues), problems


def _lines(data: bytes, what: str, problems: list[str]) -> list[str]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(f"{what} must be UTF-8, got byte 0x{data[error.start]:02x} in line {line:,}.")
        text = data.decode("utf-8", errors="replace")
    # not splitlines(): it would also break at characters that stand inside utterances
    return text.rstrip().split("\n") if text.strip() else []


def _problem(utterances: list[str], rest: str, labels: list[str]) -> str | None:
    if rest or not utterances:
        return f"a dialogue must end in {END_OF_UTTERANCE}, got {rest[-30:]!r}"
    if len(utterances) != len(labels):
        return f"each utterance must have one emotion, got {len(utterances)} utterances and {len(labels)} emotions"
    unknown = next((label for label in labels if label not in _LABEL_OF), None)
    if unknown is not None:
        return f"an emotion must be an integer from 0 to {len(_LABEL_OF) - 1}, got {unknown[:20]!r}"
    return None
