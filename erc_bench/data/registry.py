"""Finding datasets: built-in ones and anybody else's register under the same entry-point group; a folder needs no code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path

from erc_bench.contract.registry import DATASET_GROUP, origin_of, registered
from erc_bench.data.folder import DATASET_FILE, folder_spec, is_folder_dataset
from erc_bench.data.spec import DatasetSpec
from erc_bench.errors import DataCorruptError, DataError, UnknownNameError
from erc_bench.paths import data_dir_given, download_dir


def dataset_names() -> list[str]:
    """Names of all registered datasets and of all folders with a `dataset.toml` that a name leads to (see
    `dataset_spec`), sorted; imports none of them.
    """
    places = filter(None, (data_dir_given(), download_dir("any").parent))
    found = {path.parent.name for place in places for path in place.glob(f"*/{DATASET_FILE}")}
    return sorted(found | set(registered(DATASET_GROUP)))


def dataset_name(name: str) -> str:
    """The name of a dataset, given by it or by the path of a folder that describes one.

    Raises
    ------
    DataCorruptError
        The folder's `dataset.toml` is not as it must be.
    """
    return folder_spec(Path(name)).name if is_folder_dataset(Path(name)) else name


def dataset_spec(name: str, data_dir: Path | None = None) -> DatasetSpec:
    """The dataset of a name, or the one that a folder of this path describes.

    A name is that of a registered dataset, of a folder with a `dataset.toml` in `data_dir` or ERC_BENCH_DATA_DIR, or of
    one that was used by its path before (see `remember`).

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataError
        Its module cannot be imported, or what is registered is not a `DatasetSpec` of that name.
    DataMissingError
        A folder without `dataset.toml`.
    DataCorruptError
        Its `dataset.toml` is not as it must be.
    """
    points = registered(DATASET_GROUP)
    if name in points:
        return _registered_spec(name, points[name])
    folder = next(_candidates(name, data_dir), None)
    if folder is None:
        raise UnknownNameError(
            "a dataset",
            name,
            dataset_names(),
            advice=f"`erc-bench data list` shows them all; a corpus of your own is named by its folder, with {DATASET_FILE}.",
        )
    spec = folder_spec(folder)
    if folder != Path(name) and spec.name != name:
        raise DataCorruptError(
            f"the name in {folder / DATASET_FILE} must be {name!r}, as it was asked for, got {spec.name!r}."
        )
    return spec


def remember(spec: DatasetSpec) -> None:
    """Let a corpus of one's own be found by its name later, by a link in the download folder."""
    link = download_dir(spec.name)
    if spec.fixed is None or spec.fixed_by != DATASET_FILE or (link.exists() and not link.is_symlink()):
        return
    target = spec.fixed.resolve()
    if target == link.parent / link.name or (link.is_symlink() and link.resolve() == target):
        return
    with suppress(OSError):  # a home that cannot be written: it is then found by its path only
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)


def _candidates(name: str, data_dir: Path | None) -> Iterator[Path]:
    path = Path(name)
    if is_folder_dataset(path) or os.sep in name or name in (".", ".."):
        yield path
        return
    for place in (data_dir, data_dir_given()):
        if place is not None and is_folder_dataset(place / name):
            yield place / name
        if place is not None and is_folder_dataset(place) and folder_spec(place).name == name:
            yield place
    if is_folder_dataset(download_dir(name)):
        yield download_dir(name)


def _registered_spec(name: str, point: EntryPoint) -> DatasetSpec:
    try:
        spec = point.load()
    except (Exception, SystemExit) as error:
        raise DataError(
            f"the dataset {name} of {origin_of(point)} cannot be imported from {point.value}: "
            f"{type(error).__name__}: {error}. Reinstall that package or report it to its authors."
        ) from error
    if not isinstance(spec, DatasetSpec):
        raise DataError(f"{point.value} of {origin_of(point)} must be a DatasetSpec, got {spec!r}.")
    if spec.name != name:
        raise DataError(
            f"the dataset registered as {name!r} must carry the same name, got {spec.name!r} in {point.value} of "
            f"{origin_of(point)}."
        )
    return spec
