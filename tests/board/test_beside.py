from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from erc_bench.board.beside import Beside, rarely_collected

TOYS = """
import multiprocessing
import os
import time

from erc_bench.errors import DataError

def work(task):
    time.sleep(0.05)
    if task == "refused":
        raise DataError("no")
    if multiprocessing.parent_process() is None:
        return f"{task} done"
    if task == "dies":
        os._exit(9)
    if task == "fails":
        raise RuntimeError(task)
    return (lambda: task) if task == "cannot be sent" else f"{task} done"

def where(task):
    time.sleep(0.05)
    return os.getpid()
"""


@pytest.fixture
def toys(importable: Callable[[str, str], Any]) -> Any:
    return importable("beside_toys", TOYS)


@pytest.mark.parametrize("processes", [0, 1, 2])
@pytest.mark.parametrize("first", ["dies", "fails", "cannot be sent", "refused", "an ordinary one"])
def test_results_are_the_same_whoever_works(toys: Any, processes: int, first: str) -> None:
    tasks = [first, *map(str, range(40)), first]
    with Beside[str, str](toys.work, processes) as beside:
        found = sorted(beside.results(tasks), key=lambda pair: tasks.index(pair[0]))
        assert [*beside.results([])] == []
    expected = [(task, None if task == "refused" else f"{task} done") for task in tasks]
    assert found == sorted(expected, key=lambda pair: tasks.index(pair[0]))


def test_tasks_are_shared_and_no_process_is_left(toys: Any) -> None:
    with Beside[int, int](toys.where, 1) as beside:
        workers = {found for _, found in beside.results(range(60))}
        assert len(workers) == 2
    others = workers - {psutil.Process().pid}
    assert len(others) == 1
    assert not any(psutil.pid_exists(each) for each in others if each is not None)


def test_leaving_early_stops_the_others(toys: Any) -> None:
    def interrupted(beside: Beside[int, int]) -> None:
        for _ in beside.results(range(1_000)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Beside[int, int](toys.where, 1) as beside:
        interrupted(beside)
    assert not any("spawn_main" in " ".join(child.cmdline()) for child in psutil.Process().children())


def test_work_that_cannot_be_sent_is_done_here() -> None:
    work: Callable[[int], int] = lambda task: task + 1  # noqa: E731
    with Beside[int, int](work, 2) as beside:
        assert [*beside.results([1, 2])] == [(1, 2), (2, 3)]


def test_garbage_is_collected_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with rarely_collected():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
