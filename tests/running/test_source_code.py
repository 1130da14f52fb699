from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from erc_bench.contract.registry import system_class
from erc_bench.contract.system import System
from erc_bench.running.source_code import _modules, code_of

SYSTEM = """
from erc_bench import Prediction, System, SystemInfo
from plug_in_under_test.weights import WEIGHT

class Plugged(System):
    info = SystemInfo("plugged", "a plug-in", "none", "utterance", "CC0-1.0")

    def predict(self, dialogues, targets, *, progress):
        from . import lazy
        yield from (Prediction(*target, None) for target in targets)
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "plug_in_under_test"
    package.mkdir()
    files = {"__init__": "", "system": SYSTEM, "weights": "WEIGHT = 1\n", "lazy": "", "unrelated": ""}
    for name, source in files.items():
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return package


def load() -> type[System[Any]]:
    for name in [name for name in sys.modules if name.startswith("plug_in_under_test")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    loaded: type[System[Any]] = importlib.import_module("plug_in_under_test.system").Plugged
    return loaded


def test_own_modules_count_wherever_they_are_imported(plug_in: Path) -> None:
    before = code_of(load())
    assert set(before) == {"sha256"}, "nothing was installed"
    for name in ("system", "weights", "lazy"):
        path = plug_in / f"{name}.py"
        source = path.read_text()
        path.write_text(source + "# edited\n")
        assert code_of(load()) != before
        path.write_text(source)
    (plug_in / "unrelated.py").write_text("EDITED = True\n")
    assert code_of(load()) == before


def test_built_in_systems_do_not_share_their_code_with_the_harness_or_each_other() -> None:
    floors = set(_modules(system_class("lookup")))
    assert floors == {"erc_bench.systems.floors"}
    assert code_of(system_class("lookup"))["distribution"].startswith("erc-bench ")
    assert code_of(system_class("lookup"))["sha256"] == code_of(system_class("prior"))["sha256"]
    family = set(_modules(system_class("sentemocontext-mpnet")))
    assert "erc_bench.systems.sentemocontext.network" in family
    assert not [name for name in family if not name.startswith("erc_bench.systems.")]
