"""Where datasets lie: a folder given, the environment's, or the download folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from erc_bench.data.archives import Layout, find_layout, holds_dailydialog
from erc_bench.errors import DataMissingError

DATA_DIR_VARIABLE = "ERC_BENCH_DATA_DIR"
HOME_VARIABLE = "ERC_BENCH_HOME"


@dataclass(frozen=True)
class Place:
    """A folder and what named it."""

    folder: Path
    named_by: str


def home_dir() -> Path:
    """Where the harness keeps what it downloads: ERC_BENCH_HOME, else the user's data folder (XDG)."""
    given = os.environ.get(HOME_VARIABLE)
    if given:
        return Path(given)
    # the XDG specification has relative paths ignored
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "erc-bench"


def download_dir(name: str) -> Path:
    """Where `erc-bench data download NAME` puts a dataset."""
    return home_dir() / "datasets" / name


def place_of(name: str, data_dir: Path | None = None) -> Place:
    """Which folder a dataset is read from: `data_dir`, else ERC_BENCH_DATA_DIR, else the download folder."""
    if data_dir is not None:
        return Place(data_dir, "--data-dir")
    given = os.environ.get(DATA_DIR_VARIABLE)
    if given:
        return Place(Path(given), DATA_DIR_VARIABLE)
    return Place(download_dir(name), "the download folder")


def is_present(place: Place) -> bool:
    """Whether something of the dataset lies there; says nothing of whether it is whole."""
    return holds_dailydialog(place.folder)


def layout_at(name: str, place: Place) -> Layout:
    """The files of a dataset at a place.

    Raises
    ------
    DataMissingError
        There is nothing of it there; the message says where to get it.
    """
    try:
        return find_layout(place.folder)
    except DataMissingError as error:
        raise DataMissingError(f"{error} {ways_out(name, place)}") from None


def ways_out(name: str, place: Place) -> str:
    """What to do about a dataset that is missing or damaged at a place."""
    if place.named_by == "the download folder":
        return (
            f"Get it with `erc-bench data download {name}` (--force to replace a damaged copy), or name the folder that "
            f"holds it with --data-dir or {DATA_DIR_VARIABLE}."
        )
    return (
        f"The folder was named by {place.named_by}: name another one, or leave it out and get the official release "
        f"with `erc-bench data download {name}`."
    )
