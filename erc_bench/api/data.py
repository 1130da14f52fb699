"""Datasets: which there are, reading one, and what one repeats."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataError
from erc_bench.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from erc_bench.data.spec import DatasetSpec
    from erc_bench.inspection.audit import Audit

Folder = str | Path


def datasets() -> dict[str, DatasetSpec]:
    """The datasets that the harness finds, by name: labels, sizes, licence, and how each is had. Reads no dialogue.

    One whose package is broken is left out with a warning.
    """
    from erc_bench.data import dataset_names, dataset_spec

    found = {}
    for name in dataset_names():
        try:
            found[name] = dataset_spec(name)
        except DataError as error:
            warnings.warn(str(error), stacklevel=2)
    return found


def load_dataset(dataset: Folder | DatasetSpec, *, data_dir: Folder | None = None) -> Dataset:
    """Read a dataset and check its content, so that scores are of the data that they name.

    Parameters
    ----------
    dataset
        A name of `datasets()`, the path of a folder with a `dataset.toml`, or a spec.
    data_dir
        Where it lies; default ERC_BENCH_DATA_DIR, else the download folder. `sample` comes with the package.

    Raises
    ------
    UnknownNameError
        No dataset of that name.
    DataMissingError
        It is not where it was looked for.
    DataCorruptError
        It is there, but truncated, altered or mislabelled.
    """
    from erc_bench.data import load_dataset

    what = str(dataset) if isinstance(dataset, Path) else dataset
    return load_dataset(what, data_dir=path_of(data_dir))


def audit(
    dataset: Folder | DatasetSpec | Dataset, *, data_dir: Folder | None = None, progress: Progress | None = None
) -> Audit:
    """What a dataset repeats, across splits and within them, and how far repeated labels agree."""
    from erc_bench.inspection.audit import audit

    return audit(loaded(dataset, data_dir), progress=progress or SilentProgress())


def loaded(dataset: Folder | DatasetSpec | Dataset, data_dir: Folder | None = None) -> Dataset:
    """The dataset of a name, or the one given."""
    return dataset if isinstance(dataset, Dataset) else load_dataset(dataset, data_dir=data_dir)


def path_of(folder: Folder | None) -> Path | None:
    """A folder as a Path; None stays None."""
    return None if folder is None else Path(folder)


def results_path(place: Folder) -> Path:
    """Where results are read: a folder as it is; of a bucket (`s3://…`) the copy on this machine, fetched now."""
    from erc_bench.records.storage import local_copy

    return local_copy(place)
