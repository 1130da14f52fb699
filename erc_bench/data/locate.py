"""Where datasets lie: a folder given, the environment's, or the download folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from erc_bench.data.spec import DatasetSpec
from erc_bench.errors import DataMissingError
from erc_bench.paths import DATA_DIR_VARIABLE, data_dir_given, download_dir

GIVEN, DOWNLOADED = "--data-dir", "the download folder"


@dataclass(frozen=True)
class Place:
    """A folder, what named it, and whether something of the dataset lies there (not whether it is whole)."""

    folder: Path
    named_by: str
    present: bool


def place_of(spec: DatasetSpec, data_dir: Path | None = None) -> Place:
    """Which folder a dataset is read from: in `data_dir` if given; else in ERC_BENCH_DATA_DIR, if it lies there, else
    in the download folder. A folder holds a dataset itself or in a subfolder of the dataset's name.

    A dataset that has a fixed place, as one that comes with a package has, is always read from there.
    """
    if spec.fixed is not None:
        return Place(spec.fixed, spec.fixed_by, True)
    places = [_place(spec, folder, named_by) for folder, named_by in _named(spec.name, data_dir)]
    return next((place for place in places if place.present), places[0])


def _named(name: str, data_dir: Path | None) -> Iterator[tuple[Path, str]]:
    if data_dir is not None:
        yield data_dir, GIVEN
        return
    if given := data_dir_given():
        yield given, DATA_DIR_VARIABLE
    yield download_dir(name), DOWNLOADED


def _place(spec: DatasetSpec, folder: Path, named_by: str) -> Place:
    # the subfolder first: a folder of corpora may hold what looks like one
    found = next(filter(None, (spec.found_in(place) for place in (folder / spec.name, folder))), None)
    return Place(found or folder, named_by, found is not None)


def require_present(spec: DatasetSpec, place: Place) -> None:
    """Refuse a place where there is nothing of a dataset.

    Raises
    ------
    DataMissingError
        It says what must be there, and where to get it.
    """
    if place.present:
        return
    try:
        got = _listing(place.folder)
    except OSError as error:
        raise DataMissingError(f"{place.folder} must be a readable folder, got: {error.strerror}.") from None
    raise DataMissingError(
        f"{place.folder} must hold {spec.wanted}, itself or in its subfolder {spec.name}, got {got}. {ways_out(spec, place)}"
    )


def ways_out(spec: DatasetSpec, place: Place) -> str:
    """What to do about a dataset that is missing or damaged at a place."""
    if spec.fixed is not None:
        return spec.how_to_get or "Install its package again."
    if place.named_by == DOWNLOADED:
        elsewhere = f"name the folder that holds it with --data-dir or {DATA_DIR_VARIABLE}."
        if not spec.mirrors:
            return f"{spec.how_to_get or f'Get it from {spec.link}.'} Then {elsewhere}"
        return f"Get it with `erc-bench data download {spec.name}` (--force to replace a damaged copy), or {elsewhere}"
    get = (
        f"leave it out and get the official release with `erc-bench data download {spec.name}`."
        if spec.mirrors
        else spec.how_to_get or f"get it from {spec.link}."
    )
    return f"The folder was named by {place.named_by}: name another one, or {get}"


def _listing(folder: Path) -> str:
    if not folder.exists():
        return "no such folder"
    if not folder.is_dir():
        return "a file"
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return shown or "an empty folder"
