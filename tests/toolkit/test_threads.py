from __future__ import annotations

import os
import subprocess
import sys

import pytest
import threadpoolctl
import torch

from erc_bench.toolkit.threads import VARIABLES, available_threads, fixed_threads


def test_inside_everything_computes_with_that_many_threads() -> None:
    before = torch.get_num_threads(), {name: os.environ.get(name) for name in VARIABLES}
    with fixed_threads(3):
        assert torch.get_num_threads() == 3
        assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {3}
        assert {os.environ[name] for name in VARIABLES} == {"3"}
    assert (torch.get_num_threads(), {name: os.environ.get(name) for name in VARIABLES}) == before


def python(source: str, **environment: str) -> str:
    keep = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.check_output([sys.executable, "-c", source], env=keep | environment, text=True).strip()


LATE = """
from erc_bench.toolkit.threads import available_threads, fixed_threads
with fixed_threads(1):
    import torch
    print(torch.get_num_threads(), available_threads())
"""


def test_libraries_that_are_loaded_inside_obey_too() -> None:
    cores = len(os.sched_getaffinity(0))
    assert python(LATE) == f"1 {cores}"
    assert python(LATE, OMP_NUM_THREADS="5") == "1 5"


@pytest.mark.parametrize("value", ["", "0", "many"])
def test_a_variable_without_sense_counts_for_nothing(value: str) -> None:
    source = "from erc_bench.toolkit.threads import available_threads; print(available_threads())"
    assert int(python(source, OMP_NUM_THREADS=value)) == len(os.sched_getaffinity(0))
    assert available_threads() >= 1
