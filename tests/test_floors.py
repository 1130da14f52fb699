"""The order of floors in pyproject.toml: a room imports from itself and from the rooms before it, inside functions too."""

import ast
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
RULES = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["erc-bench"]["floors"]
FOLDERS = {"erc_bench": "erc_bench", "erc_bench.systems": "systems", "erc_bench.prompts": "prompts"}
FILES = {
    ".".join([package, *path.relative_to(REPOSITORY / folder).with_suffix("").parts]).removesuffix(".__init__"): path
    for package, folder in FOLDERS.items()
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
}


def imports(source: str, name: str, *, is_package: bool) -> set[str]:
    """The modules of erc_bench that a module imports, wherever in the file the import stands."""
    home = name.split(".") if is_package else name.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = home[: len(home) + 1 - node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            # `from room import module` names the module, `from module import thing` the module it comes from.
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base for alias in node.names}
    return {target for target in found if target.split(".")[0] == "erc_bench"}


IMPORTS = {
    name: imports(path.read_text("utf-8"), name, is_package=path.name == "__init__.py") for name, path in FILES.items()
}


def room(name: str) -> str:
    """`erc_bench.data.load` lies in the room `data`; the package itself is the room `erc_bench`."""
    return name.split(".")[1] if "." in name else name


def allowed(name: str) -> set[str]:
    """The rooms that a module may import from."""
    order = RULES["order"]
    here = room(name)
    return {here, *(RULES["outside"][here] if here in RULES["outside"] else order[: order.index(here)])}


def climbing() -> set[tuple[str, str]]:
    """Every import that the order does not allow."""
    return {
        (name, target) for name, targets in IMPORTS.items() for target in targets if room(target) not in allowed(name)
    }


def test_the_order_names_every_room() -> None:
    assert {room(name) for name in FILES} == {*RULES["order"], *RULES["outside"]}


def test_no_import_climbs_but_the_exceptions_named_with_a_reason() -> None:
    exceptions = {(each["module"], each["imports"]) for each in RULES.get("exceptions", [])}
    assert climbing() == exceptions, "change the import, or pyproject.toml where an exception no longer applies"
    assert all(len(each["reason"]) > 20 for each in RULES.get("exceptions", []))


def test_modules_do_not_import_each_other_in_circles() -> None:
    list(TopologicalSorter({name: targets - {name} for name, targets in IMPORTS.items()}).static_order())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    from ..scoring import metrics", {"erc_bench.scoring.metrics"}),
        ("from ..errors import UsageError", {"erc_bench.errors"}),
        ("from . import show", {"erc_bench.inspection.show"}),
        ("import numpy\nfrom pathlib import Path", set()),
    ],
)
def test_imports_are_found_wherever_they_stand(source: str, expected: set[str]) -> None:
    assert imports(source, "erc_bench.inspection.audit", is_package=False) == expected
