"""Finding the files of DailyDialog in a folder: the official archives, read without unpacking, or folders.

A folder may hold, itself or one level down in `ijcnlp_dailydialog/`: `train.zip`, `validation.zip` and `test.zip`;
the folders `train/`, `validation/` and `test/`; or the authors' single archive `ijcnlp_dailydialog.zip`, which holds
the three archives. Each split is two text files: `dialogues_SPLIT.txt` and `dialogues_emotion_SPLIT.txt`.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from erc_bench.contract.domain import SPLITS, Split
from erc_bench.errors import DataCorruptError, DataMissingError

OFFICIAL_ARCHIVE = "ijcnlp_dailydialog.zip"
OFFICIAL_FOLDER = "ijcnlp_dailydialog"


@dataclass(frozen=True)
class SplitFiles:
    """The raw bytes of a split's two files, where they came from, and the SHA-256 (hex) of its archive if any."""

    split: Split
    where: str
    dialogues: bytes
    emotions: bytes
    archive_sha256: str | None = None


def text_names(split: Split) -> tuple[str, str]:
    """File names of a split's dialogues and emotions."""
    return f"dialogues_{split}.txt", f"dialogues_emotion_{split}.txt"


def split_from_archive(archive: bytes, split: Split, where: str) -> SplitFiles:
    """Read one split's archive.

    Raises
    ------
    DataCorruptError
        Not a zip archive, truncated, altered, or without the split's two files.
    """
    members = {PurePosixPath(name).name: name for name in _names(archive, where)}
    missing = [name for name in text_names(split) if name not in members]
    if missing:
        held = ", ".join(sorted(filter(None, members))) or "nothing"
        raise DataCorruptError(f"{where} must hold {' and '.join(missing)}, got {held}.")
    # every member, so that damage is found in those that nobody reads too
    contents = {name: _member(archive, member, where) for name, member in members.items() if name}
    dialogues, emotions = (contents[name] for name in text_names(split))
    return SplitFiles(split, where, dialogues, emotions, hashlib.sha256(archive).hexdigest())


def split_archives(archive: bytes, where: str) -> dict[Split, bytes]:
    """The three archives inside the authors' single one.

    Raises
    ------
    DataCorruptError
        Not a zip archive, truncated, altered, or without one of the three.
    """
    members = {PurePosixPath(name).name: name for name in _names(archive, where)}
    missing = [f"{split}.zip" for split in SPLITS if f"{split}.zip" not in members]
    if missing:
        held = ", ".join(sorted(filter(None, members))) or "nothing"
        raise DataCorruptError(f"{where} must hold train.zip, validation.zip and test.zip, got {held}.")
    return {split: _member(archive, members[f"{split}.zip"], where) for split in SPLITS}


def holds_dailydialog(folder: Path) -> bool:
    """Whether `folder` has at least one of the files that `find_split` reads (no check of what they hold)."""
    return _layout(folder) is not None


class Layout:
    """Where the splits lie: made by `find_layout`, read split by split so that one bad split hides no other."""

    def __init__(self, folder: Path, single: Path | None = None) -> None:
        self.folder = folder
        self._single = single
        self._inner: dict[Split, bytes] | None = None

    def read(self, split: Split) -> SplitFiles:
        """The files of one split.

        Raises
        ------
        DataMissingError
            The split's files are not there or cannot be read.
        DataCorruptError
            Its archive is damaged.
        """
        if self._single is not None:
            if self._inner is None:
                self._inner = split_archives(_bytes(self._single), str(self._single))
            return split_from_archive(self._inner[split], split, f"{self._single}/{split}.zip")
        archive = self.folder / f"{split}.zip"
        if archive.is_file():
            return split_from_archive(_bytes(archive), split, str(archive))
        texts = [self.folder / split / name for name in text_names(split)]
        for text in texts:
            if not text.is_file():
                raise DataMissingError(f"{self.folder} must hold {split}.zip or {split}/{text.name}, got neither.")
        return SplitFiles(split, str(self.folder / split), _bytes(texts[0]), _bytes(texts[1]))


def find_layout(folder: Path) -> Layout:
    """Find DailyDialog in a folder (or in the official archive, given itself).

    Raises
    ------
    DataMissingError
        There is nothing of it in the folder.
    """
    try:
        layout = _layout(folder)
        got = _listing(folder) if folder.exists() else "no such folder"
    except OSError as error:
        raise DataMissingError(f"{folder} must be a readable folder, got: {error.strerror}.") from None
    if layout is None:
        raise DataMissingError(
            f"{folder} must hold train.zip, validation.zip and test.zip (or the folders train/, validation/ and test/, "
            f"or {OFFICIAL_ARCHIVE}), got {got}."
        )
    return layout


def _layout(folder: Path) -> Layout | None:
    if folder.is_file():
        return Layout(folder.parent, single=folder)
    candidates = (folder, folder / OFFICIAL_FOLDER)
    for place in candidates:
        if any((place / f"{split}.zip").is_file() or (place / split).is_dir() for split in SPLITS):
            return Layout(place)
    for place in candidates:
        if (place / OFFICIAL_ARCHIVE).is_file():
            return Layout(place, single=place / OFFICIAL_ARCHIVE)
    return None


def _listing(folder: Path) -> str:
    if not folder.is_dir():
        return "a file"
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return shown or "an empty folder"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataMissingError(f"{path} must be readable, got: {error.strerror}.") from None


def _names(archive: bytes, where: str) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            # macOS adds a shadow file beside every file it packs
            return [name for name in opened.namelist() if not name.startswith("__MACOSX/")]
    except zipfile.BadZipFile as error:
        got = "a web page" if archive.lstrip()[:1] == b"<" else f"{len(archive):,} bytes that are not one ({error})"
        raise DataCorruptError(f"{where} must be a complete zip archive, got {got}.") from None


def _member(archive: bytes, name: str, where: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return opened.read(name)
    # zipfile raises RuntimeError for encrypted members and NotImplementedError for unknown compression
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataCorruptError(f"{name} in {where} must unpack without error, got: {error}.") from None
