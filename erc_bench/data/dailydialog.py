"""DailyDialog (Li et al., IJCNLP 2017), read from its official files without unpacking them.

A folder holds `train.zip`, `validation.zip` and `test.zip`; or the folders `train/`, `validation/` and `test/`; or the
authors' single archive `ijcnlp_dailydialog.zip`, which holds the three archives. Each split is two text files: a line
of `dialogues_SPLIT.txt` is a dialogue whose utterances end in `__eou__`; the same line of
`dialogues_emotion_SPLIT.txt` has one integer an utterance: 0 no emotion, 1 anger, 2 disgust, 3 fear, 4 happiness,
5 sadness, 6 surprise. There is no speaker column: the two speakers alternate.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from erc_bench.contract.domain import SPLITS, Dialogue, LabelSet, Split, Utterance
from erc_bench.data.archives import file_bytes, members
from erc_bench.data.common_labels import published_labels
from erc_bench.data.spec import DatasetSpec, Facts, Mirror, SplitReading
from erc_bench.data.text import decoded, split_lines
from erc_bench.errors import DataMissingError

LABELS = LabelSet(("no emotion", "anger", "disgust", "fear", "happiness", "sadness", "surprise"), neutral="no emotion")
ARCHIVES: dict[Split, str] = {split: f"{split}.zip" for split in SPLITS}
OFFICIAL_ARCHIVE = "ijcnlp_dailydialog.zip"
END_OF_UTTERANCE = "__eou__"
_LABEL_OF = {str(index): name for index, name in enumerate(LABELS.names)}


@dataclass(frozen=True)
class SplitFiles:
    """The raw bytes of a split's two files, where they came from, and the SHA-256 (hex) of its archive if any."""

    split: Split
    where: str
    dialogues: bytes
    emotions: bytes
    archive_sha256: str | None = None


def read_split(folder: Path, split: Split) -> SplitReading:
    """Read one split from a folder, or from the authors' single archive.

    Raises
    ------
    DataMissingError
        The split's files are not there or cannot be read.
    DataCorruptError
        Its archive is damaged.
    """
    files = find_files(folder, split)
    dialogues, problems = parse_split(files)
    return SplitReading(dialogues, tuple(problems), files.archive_sha256)


def find_files(folder: Path, split: Split) -> SplitFiles:
    """The files of one split; raises as `read_split` does."""
    single = folder if folder.is_file() else folder / OFFICIAL_ARCHIVE
    archive = folder / ARCHIVES[split]
    if archive.is_file():
        return _from_archive(file_bytes(archive), split, str(archive))
    if single.is_file() and not any((folder / other).exists() for other in (*ARCHIVES.values(), *SPLITS)):
        inner = members(file_bytes(single), list(ARCHIVES.values()), str(single))
        return _from_archive(inner[ARCHIVES[split]], split, f"{single}/{ARCHIVES[split]}")
    texts = [folder / split / name for name in _text_names(split)]
    for text in texts:
        if not text.is_file():
            raise DataMissingError(f"{folder} must hold {archive.name} or {split}/{text.name}, got neither.")
    return SplitFiles(split, str(folder / split), file_bytes(texts[0]), file_bytes(texts[1]))


def _recognised(folder: Path) -> bool:
    return folder.is_file() or any(
        (folder / ARCHIVES[split]).is_file() or (folder / split).is_dir() or (folder / OFFICIAL_ARCHIVE).is_file()
        for split in SPLITS
    )


def _text_names(split: Split) -> tuple[str, str]:
    return f"dialogues_{split}.txt", f"dialogues_emotion_{split}.txt"


def _from_archive(archive: bytes, split: Split, where: str) -> SplitFiles:
    dialogues, emotions = members(archive, _text_names(split), where).values()
    return SplitFiles(split, where, dialogues, emotions, hashlib.sha256(archive).hexdigest())


def parse_split(files: SplitFiles) -> tuple[tuple[Dialogue, ...], list[str]]:
    """The dialogues of a split, and a sentence for each place where its files are malformed.

    Text is kept raw but for surrounding white space. Ids count the lines of the file from 0: `train-00000`. A
    malformed dialogue is left out.
    """
    texts_name, emotions_name = _text_names(files.split)
    problems: list[str] = []
    texts = split_lines(decoded(files.dialogues, f"{texts_name} in {files.where}", problems))
    emotions = split_lines(decoded(files.emotions, f"{emotions_name} in {files.where}", problems))
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


def _problem(utterances: list[str], rest: str, labels: list[str]) -> str | None:
    if rest or not utterances:
        return f"a dialogue must end in {END_OF_UTTERANCE}, got {rest[-30:]!r}"
    if len(utterances) != len(labels):
        return f"each utterance must have one emotion, got {len(utterances)} utterances and {len(labels)} emotions"
    unknown = next((label for label in labels if label not in _LABEL_OF), None)
    if unknown is not None:
        return f"an emotion must be an integer from 0 to {len(_LABEL_OF) - 1}, got {unknown[:20]!r}"
    return None


DAILYDIALOG = DatasetSpec(
    name="dailydialog",
    title="DailyDialog, official splits",
    labels=LABELS,
    common_labels=published_labels("dailydialog"),
    ranking_metric="micro_f1",
    licence="CC BY-NC-SA 4.0 (research use; not for commercial purposes)",
    reference='Li et al., "DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset", IJCNLP 2017',
    link="https://aclanthology.org/I17-1099/",
    read=read_split,
    files=ARCHIVES,
    subfolders=["ijcnlp_dailydialog"],
    recognised=_recognised,
    contents="train.zip, validation.zip and test.zip (or the folders train/, validation/ and test/, or "
    f"{OFFICIAL_ARCHIVE})",
    facts=Facts.from_json(package_files("erc_bench.data").joinpath("dailydialog.json").read_text("utf-8")),
    mirrors=[
        Mirror("the authors' page", f"http://yanran.li/files/{OFFICIAL_ARCHIVE}"),
        Mirror(
            "the Internet Archive's capture of it",
            f"https://web.archive.org/web/20220516002703id_/http://yanran.li/files/{OFFICIAL_ARCHIVE}",
        ),
        Mirror(
            "Hugging Face, roskoN/dailydialog",
            "https://huggingface.co/datasets/roskoN/dailydialog/resolve/main",
        ),
        Mirror(
            "hf-mirror.com, roskoN/dailydialog",
            "https://hf-mirror.com/datasets/roskoN/dailydialog/resolve/main",
        ),
    ],
)
