from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, PathDistribution
from pathlib import Path

import pytest

from erc_bench.contract import registry
from erc_bench.contract.system import System
from erc_bench.errors import SystemFailedError, UnknownNameError


@pytest.mark.parametrize("name", registry.system_names())
def test_every_registered_system_loads(name: str) -> None:
    system = registry.system_class(name)
    assert issubclass(system, System)
    assert system.info.name == name


def test_unknown_system_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sentemocontext'"):
        registry.system_class("sentemocontxt")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:X", "cannot be imported from no_such_module:X: ModuleNotFoundError"),
        ("erc_bench.contract.domain:Dialogue", "must be a subclass of erc_bench.System"),
        ("erc_bench.systems.floors:Prior", "must carry the same info.name, got 'prior'"),
    ],
)
def test_broken_plugins_are_named(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", value, registry.GROUP)
    monkeypatch.setattr(registry, "registered", lambda group: {"broken": point})
    monkeypatch.setattr(registry, "system_origin", lambda name: "a-package 1.0")
    with pytest.raises(SystemFailedError, match=message):
        registry.system_class("broken")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, EntryPoint]]]:
    """What is registered by group and name, besides nothing else, until the test ends."""
    groups: dict[str, dict[str, EntryPoint]] = {registry.GROUP: {}, registry.SUMMARIES: {}}
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "registered", groups.__getitem__)
    registry._summaries.cache_clear()
    yield groups
    registry._summaries.cache_clear()


def of_package(folder: Path, package: str, group: str, name: str, value: str) -> EntryPoint:
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    (point,) = PathDistribution(about).entry_points
    return point


PRIOR = "erc_bench.systems.floors:Prior"


@pytest.mark.parametrize(
    ("package", "written", "expected"),
    [
        ("mine", f"SAID = {{{PRIOR!r}: ('Said apart.', 'past')}}", "Said apart."),
        ("another", f"SAID = {{{PRIOR!r}: ('Said apart.', 'past')}}", "Random draws"),
        ("mine", f"SAID = {{{PRIOR!r}: 'no pair'}}", "Random draws"),
        ("mine", "SAID = ['no mapping']", "Random draws"),
        ("mine", "raise SystemExit(3)", "Random draws"),
        ("mine", "", "Random draws"),
    ],
    ids=["its own", "of another package", "no pair", "no mapping", "ends the process", "not there"],
)
def test_a_package_says_what_its_systems_are_without_their_import(
    package: str, written: str, expected: str, packages: dict[str, dict[str, EntryPoint]], tmp_path: Path
) -> None:
    name = f"said_{abs(hash((package, written)))}"
    (tmp_path / f"{name}.py").write_text(written)
    packages[registry.GROUP]["prior"] = of_package(tmp_path, "mine", registry.GROUP, "prior", PRIOR)
    packages[registry.SUMMARIES]["x"] = of_package(tmp_path, package, registry.SUMMARIES, "x", f"{name}:SAID")
    assert registry.system_summary("prior").summary.startswith(expected)


def test_a_summary_hides_no_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'prior'"):
        registry.system_summary("priro")
