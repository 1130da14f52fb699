"""Finding systems: built-in ones and anybody else's register under the same entry-point group.

`registered` and `origin_of` serve every group of plug-ins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, NamedTuple

from erc_bench.errors import SystemFailedError, UnknownNameError

if TYPE_CHECKING:
    from erc_bench.contract.system import System

GROUP = "erc_bench.systems"
DATASET_GROUP = "erc_bench.datasets"
METRIC_GROUP = "erc_bench.metrics"
METRICS = ("micro_f1", "macro_f1", "mcc", "macro_f1_all", "weighted_f1_all", "accuracy", "unusable_rate")
"""Names of the metrics of `erc_bench.scoring.catalogue`, which what reads datasets may not import."""
SUMMARIES = "erc_bench.summaries"
DISTRIBUTION = "erc-bench"


class Summary(NamedTuple):
    """What a list says of a system: its `info.summary` and `info.context`."""

    summary: str
    context: str


@cache
def registered(group: str) -> dict[str, EntryPoint]:
    """What is registered in an entry-point group, by name; imports none of it."""
    return {point.name: point for point in entry_points(group=group)}


def origin_of(point: EntryPoint) -> str:
    """The distribution that an entry point belongs to, for example `erc-bench 0.1.0`."""
    return _named(point.dist) if point.dist else "unknown"


@cache
def _named(distribution: Distribution) -> str:
    return f"{distribution.name} {distribution.version}"


def system_names() -> list[str]:
    """Names of all registered systems, sorted; imports none of them."""
    return sorted(registered(GROUP))


def metric_names() -> list[str]:
    """Names of the metrics of the harness and of those that packages register, in their order; imports none of them."""
    return [*METRICS, *sorted(registered(METRIC_GROUP))]


def system_origin(name: str) -> str:
    """The distribution that registered a system, for example `erc-bench 0.1.0`."""
    return origin_of(_find(name))


def is_foreign(system: type[System[Any]]) -> bool:
    """Whether a class is what another distribution than this one registered as a system."""
    point = registered(GROUP).get(system.info.name)
    if point is None or point.dist is None or point.dist.name == DISTRIBUTION:
        return False
    return point.load() is system


@cache
def own_config(name: str) -> type[Any] | None:
    """The settings of a system of this distribution; None for other systems, whose modules are not loaded for it."""
    point = registered(GROUP).get(name)
    if point is None or point.dist is None or point.dist.name != DISTRIBUTION:
        return None
    return system_class(name).Config


def _find(name: str) -> EntryPoint:
    points = registered(GROUP)
    if name not in points:
        raise UnknownNameError("a system", name, points, advice="`erc-bench systems list` shows them all.")
    return points[name]


def system_summary(name: str) -> Summary:
    """What a system is, without importing it where its package says so in the group `erc_bench.summaries`.

    There a package may register a mapping of what stands in its entry points (`module:Class`) to pairs of `info.summary` and
    `info.context`. It counts for that package alone; whatever is wrong with it, the class is asked.

    Raises
    ------
    UnknownNameError, SystemFailedError
        As `system_class`.
    """
    point = _find(name)
    said = _summaries().get((origin_of(point), point.value)) if point.dist else None
    if said is None:
        info = system_class(name).info
        said = Summary(info.summary, info.context)
    return said


@cache
def _summaries() -> dict[tuple[str, str], Summary]:
    return {
        (origin_of(point), value): Summary(*said)
        for point in registered(SUMMARIES).values()
        for value, said in _summaries_of(point)
    }


def _summaries_of(point: EntryPoint) -> Iterator[tuple[str, tuple[str, str]]]:
    with suppress(Exception, SystemExit):
        loaded = point.load()
        for value, said in loaded.items() if isinstance(loaded, Mapping) else ():
            if isinstance(said, tuple) and len(said) == 2 and all(isinstance(text, str) for text in said):
                yield value, said


def system_class(name: str) -> type[System[Any]]:
    """The class registered under a name.

    Raises
    ------
    UnknownNameError
        No system of that name is registered.
    SystemFailedError
        Its module cannot be imported, or what is registered is not a System of that name.
    """
    from erc_bench.contract.system import System, SystemInfo

    point = _find(name)
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:
        raise SystemFailedError(
            f"the system {name} of {system_origin(name)} cannot be imported from {point.value}: "
            f"{type(error).__name__}: {error}. Reinstall that package or report it to its authors."
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, System)):
        raise SystemFailedError(f"{point.value} must be a subclass of erc_bench.System, got {loaded!r}.")
    info = getattr(loaded, "info", None)
    if not isinstance(info, SystemInfo) or info.name != name:
        got = repr(info.name) if isinstance(info, SystemInfo) else repr(info)
        raise SystemFailedError(
            f"the system registered as {name!r} must carry the same info.name, got {got} in {point.value}."
        )
    return loaded
