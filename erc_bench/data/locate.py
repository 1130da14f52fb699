"""Where datasets lie: a folder given, the environment's, or the download folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from erc_bench.data.archives import Layout, find_layout, holds_dailydialog
from erc_bench.errors import DataMissingError
from erc_bench.paths import download_dir

DATA_DIR_VARIABLE = "ERC_BENCH_DATA_DIR"
BUNDLED = "sample"


@dataclass(frozen=True)
class Place:
    """A folder and what named it."""

    folder: Path
    named_by: str


def place_of(name: str, data_dir: Path | None = None) -> Place:
    """Which folder a dataset is read from: `data_dir`, else ERC_BENCH_DATA_DIR, else the download folder.

    `sample` is always read from the package.
    """
    if name == BUNDLED:
        return Place(Path(str(files("erc_bench.data"))) / BUNDLED, "the package")
    if data_dir is not None:
        return Place(data_dir, "--data-dir")
    given = os.environ.get(DATA_DIR_VARIABLE)
    if given:
        return Place(Path(given), DATA_DIR_VARIABLE)
    return Place(download_dir(name), "the download folder")


def is_present(place: Place) -> bool:
    """Whether something of the dataset lies there; says nothing of whether it is whole."""
    return place.named_by == "the package" or holds_dailydialog(place.folder)


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
    if place.named_by == "the package":
        return "Install erc-bench again."
    if place.named_by == "the download folder":
        return (
            f"Get it with `erc-bench data download {name}` (--force to replace a damaged copy), or name the folder that "
            f"holds it with --data-dir or {DATA_DIR_VARIABLE}."
        )
    return (
        f"The folder was named by {place.named_by}: name another one, or leave it out and get the official release "
        f"with `erc-bench data download {name}`."
    )
