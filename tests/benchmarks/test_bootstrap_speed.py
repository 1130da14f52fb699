from __future__ import annotations

import runpy
from pathlib import Path

import pytest


@pytest.mark.slow
def test_bootstrap_is_a_hundred_times_faster_than_a_scikit_learn_loop() -> None:
    measure = runpy.run_path(str(Path(__file__).with_name("bench_bootstrap.py")))["measure"]
    result = measure()
    assert result.difference < 1e-9
    assert result.ratio >= 100
