from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from erc_bench.spawned import spawn

TOYS = """
import os
import signal
from collections.abc import Callable
import time

from erc_bench.spawned import end_with_parent, spawn

def answer(connection, number):
    blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    connection.send((os.getpid(), number + 1, blocked))

def wait(connection):
    end_with_parent()
    connection.send(os.getpid())
    time.sleep(600)

def leave_one(connection):
    _, to_other = spawn(wait, name="left")
    connection.send(to_other.recv())
    connection.recv()
    os._exit(9)
"""


@pytest.fixture
def toys(importable: Callable[[str, str], Any]) -> Any:
    return importable("spawned_toys", TOYS)


def test_a_process_answers_and_is_not_interrupted(toys: Any) -> None:
    process, connection = spawn(toys.answer, 4, name="toy")
    assert connection.recv() == (process.pid, 5, True)
    process.join(30)
    assert process.exitcode == 0
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_process_ends_with_the_one_that_started_it(toys: Any) -> None:
    process, connection = spawn(toys.leave_one, name="toy")
    left = psutil.Process(connection.recv())
    connection.send("die")
    process.join(30)
    left.wait(30)
    assert not left.is_running()
