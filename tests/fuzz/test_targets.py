"""Whatever bytes come from outside, they are read or refused in a sentence that says where; `make fuzz` looks deeper."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_targets", Path(__file__).with_name("targets.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_targets"] = module
    spec.loader.exec_module(module)
    return module


targets = _load()


@pytest.mark.parametrize("name", targets.TARGETS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_damaged_input_is_refused_in_words(name: str, tmp_path: Path, data: st.DataObject) -> None:
    content: bytes = data.draw(st.sampled_from(targets.TARGETS[name].seeds))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 12)))
        piece = data.draw(st.sampled_from([*targets.pieces()]) | st.binary(max_size=6))
        content = content[:start] + piece + content[end:]
    targets.try_target(name, tmp_path, content)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_whole_input_is_read_or_refused_for_what_it_lacks(name: str, tmp_path: Path) -> None:
    refusals = [targets.try_target(name, tmp_path, seed) for seed in targets.TARGETS[name].seeds]
    assert "" in refusals or name in ("settings", "triplets", "few-shot", "published results"), refusals


def test_the_fuzzer_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "atheris.py").write_text("raise ImportError\n")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("fuzz.py"))],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "pip install 'erc-bench[fuzz]'" in done.stderr
