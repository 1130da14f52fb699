"""Finding systems: built-in ones and anybody else's register under the same entry-point group.

`registered` and `origin_of` serve every group of plug-ins.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from erc_bench.contract.config import fixed_defaults
from erc_bench.contract.system import System, SystemInfo
from erc_bench.errors import SystemFailedError, UnknownNameError

GROUP = "erc_bench.systems"
DISTRIBUTION = "erc-bench"


@cache
def registered(group: str) -> dict[str, EntryPoint]:
    """What is registered in an entry-point group, by name; imports none of it."""
    return {point.name: point for point in entry_points(group=group)}


def origin_of(point: EntryPoint) -> str:
    """The distribution that an entry point belongs to, for example `erc-bench 0.1.0`."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"


def system_names() -> list[str]:
    """Names of all registered systems, sorted; imports none of them."""
    return sorted(registered(GROUP))


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
def own_defaults(name: str) -> dict[str, Any]:
    """`fixed_defaults` of a system of this distribution; nothing of other systems, whose modules are not loaded for it."""
    point = registered(GROUP).get(name)
    if point is None or point.dist is None or point.dist.name != DISTRIBUTION:
        return {}
    return fixed_defaults(system_class(name).Config)


def _find(name: str) -> EntryPoint:
    points = registered(GROUP)
    if name not in points:
        raise UnknownNameError("a system", name, points, advice="`erc-bench systems list` shows them all.")
    return points[name]


def system_class(name: str) -> type[System[Any]]:
    """The class registered under a name.

    Raises
    ------
    UnknownNameError
        No system of that name is registered.
    SystemFailedError
        Its module cannot be imported, or what is registered is not a System of that name.
    """
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
