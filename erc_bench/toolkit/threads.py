"""How many threads compute: as many as a run declares, so that its bits do not depend on the machine or on neighbours."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from erc_bench.contract.config import option

__all__ = [
    "available_threads",
    "fixed_threads",
    "threads_option",
]

# Read by libraries when they are loaded; threadpoolctl and torch set those that are loaded already.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _granted() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_GRANTED = _granted()  # before anything here changes the environment


def available_threads() -> int:
    """Cores that this process may use: OMP_NUM_THREADS where it was set at the start, else those it may run on.

    For work whose result does not depend on the number of threads, whatever `fixed_threads` says around it.
    """
    return _GRANTED


def threads_option() -> Any:
    """The setting `threads` of a system, which `System.resources` reads: one thread, and runs without it had one."""
    return option(
        1,
        "threads that training computes with, on as many cores: the last bits of what is learned depend on it",
        before=1,
        at_least=1,
        at_most=1024,
    )


@contextmanager
def fixed_threads(count: int) -> Iterator[None]:
    """Linear algebra computes with `count` threads inside, in libraries that are loaded and in those to come."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else None
    try:
        with threadpool_limits(count):
            if torch is not None:
                torch.set_num_threads(count)
            yield
    finally:
        if torch is not None and threads is not None:
            torch.set_num_threads(threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
