"""Finding datasets: built-in ones and anybody else's register under the same entry-point group."""

from __future__ import annotations

from erc_bench.contract.registry import origin_of, registered
from erc_bench.data.spec import DatasetSpec
from erc_bench.errors import DataError, UnknownNameError

GROUP = "erc_bench.datasets"


def dataset_names() -> list[str]:
    """Names of all registered datasets, sorted; imports none of them."""
    return sorted(registered(GROUP))


def dataset_spec(name: str) -> DatasetSpec:
    """The dataset registered under a name.

    Raises
    ------
    UnknownNameError
        No dataset of that name is registered.
    DataError
        Its module cannot be imported, or what is registered is not a `DatasetSpec` of that name.
    """
    points = registered(GROUP)
    if name not in points:
        raise UnknownNameError("a dataset", name, points, advice="`erc-bench data list` shows them all.")
    point = points[name]
    try:
        spec = point.load()
    except Exception as error:
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
