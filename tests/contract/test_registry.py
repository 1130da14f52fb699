from __future__ import annotations

from importlib.metadata import EntryPoint

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
