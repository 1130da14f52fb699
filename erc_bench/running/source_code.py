"""Which code a run was made by: the distribution of its system, and the SHA-256 of the modules it is written in."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from erc_bench.contract.registry import GROUP
from erc_bench.contract.system import System
from erc_bench.files import file_sha256

HARNESS = __name__.partition(".")[0]


@cache
def code_of(system: type[System[Any]]) -> dict[str, str]:
    """`distribution` (name and version, if the system is registered) and `sha256` of a system's own modules.

    Those are the modules of its classes and what they import from the same package, wherever the import stands. The
    harness is not among them, its version and commit stand in every record; nor are other packages.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_modules(system).items()):
        digest.update(f"{name} {file_sha256(path)}\n".encode())
    found = {"sha256": digest.hexdigest()}
    distribution = next(
        (p.dist for p in entry_points(group=GROUP) if p.value.startswith(f"{system.__module__}:")), None
    )
    return {"distribution": f"{distribution.name} {distribution.version}", **found} if distribution else found


def _modules(system: type[System[Any]]) -> dict[str, Path]:
    """The files of the modules that make a system, by name."""
    classes = [c for c in system.__mro__ if issubclass(c, System) and c is not System]
    waiting = list(dict.fromkeys(c.__module__ for c in classes))
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found[name] = path
        if path.suffix == ".py":
            waiting += [other for other in _imports(path, name) if other.startswith(_family(name))]
    return found


def _family(module: str) -> str:
    """What a module's own imports begin with: its top package, for built-in systems the package of systems."""
    top = module.partition(".")[0]
    return f"{GROUP}." if top == HARNESS else f"{top}."


def _file(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if loaded is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec else None
    return Path(origin) if origin and Path(origin).is_file() else None


def _imports(path: Path, module: str) -> Iterator[str]:
    """Names of modules that a file imports; `from package import name` gives both `package` and `package.name`."""
    home = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # it was edited after it was imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = home[: len(home) + 1 - node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
