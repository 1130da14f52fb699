"""What every module keeps: its size, the size of its functions, documented names, and a test of its own."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
TESTS_OF = {"erc_bench": "tests", "systems": "tests/systems"}
MODULES = sorted(path for folder in TESTS_OF for path in (REPOSITORY / folder).rglob("*.py"))
MOST_LINES, MEDIAN_LINES, MOST_LINES_OF_A_FUNCTION, DOCUMENTED = 400, 150, 60, 0.95
EMPTY = 20
"""Lines of a module that holds nothing to speak of, as an `__init__.py` does: it does not count for the median."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def lines_of(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def definitions(body: list[ast.stmt]) -> Iterator[Definition]:
    return (node for node in body if isinstance(node, Definition))


TREES = {path: ast.parse(path.read_text("utf-8")) for path in MODULES}
CLASSES = {node.name: node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def base_names(node: ast.ClassDef) -> Iterator[str]:
    for base in node.bases:
        target = base.value if isinstance(base, ast.Subscript) else base
        yield target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def ancestors(node: ast.ClassDef) -> Iterator[ast.ClassDef]:
    for base in base_names(node):
        if base in CLASSES and base != node.name:  # `class Command(click.Command)` has its parent elsewhere
            yield CLASSES[base]
            yield from ancestors(CLASSES[base])


def is_documented(node: Definition, owner: ast.ClassDef | None) -> bool:
    """Whether a definition has a docstring, or overrides a method that has one, which `help` then shows."""
    overridden = (each for base in (ancestors(owner) if owner else ()) for each in definitions(base.body))
    return any(ast.get_docstring(each) for each in (node, *overridden) if each.name == node.name)


def public(tree: ast.Module) -> Iterator[tuple[Definition, ast.ClassDef | None]]:
    """Functions and classes without a leading underscore, and such methods of such classes."""
    for node in definitions(tree.body):
        if node.name.startswith("_"):
            continue
        yield node, None
        if isinstance(node, ast.ClassDef):
            for method in definitions(node.body):
                if not method.name.startswith("_"):
                    yield method, node


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_and_its_functions_can_be_read_at_a_glance(path: Path) -> None:
    assert lines_of(path) <= MOST_LINES
    functions = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


def test_the_median_module_is_short() -> None:
    assert statistics.median(lines for path in MODULES if (lines := lines_of(path)) > EMPTY) <= MEDIAN_LINES


def test_public_names_are_documented() -> None:
    found = {
        f"{named(path)}: {node.name}": is_documented(node, owner)
        for path in MODULES
        for node, owner in public(TREES[path])
    }
    missing = sorted(name for name, documented in found.items() if not documented)
    assert len(found) > 500
    assert len(missing) <= (1 - DOCUMENTED) * len(found), missing


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=named)
def test_a_folder_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(TREES[path])


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=named)
def test_every_module_has_its_twin(path: Path) -> None:
    """tests/<room>/test_<module>.py, which imports that module or runs it."""
    folder = named(path).split("/")[0]
    twin = REPOSITORY / TESTS_OF[folder] / path.relative_to(REPOSITORY / folder).parent / f"test_{path.name}"
    assert twin.is_file(), f"write {named(twin)}"
    assert "def test_" in twin.read_text("utf-8")


def test_no_type_is_ignored() -> None:
    """`mypy --strict` holds without exception."""
    marker = "# type:" + " ignore"
    files = [*MODULES, *sorted((REPOSITORY / "tests").rglob("*.py"))]
    assert [named(path) for path in files if marker in path.read_text("utf-8")] == []
