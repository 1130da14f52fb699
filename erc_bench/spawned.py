"""Processes beside this one that nobody has to end: Ctrl-C in the terminal is for the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any


def spawn(work: Callable[..., None], *arguments: Any, name: str) -> tuple[SpawnProcess, Connection[Any, Any]]:
    """A new process that calls `work(connection, *arguments)`, and this end of the connection.

    SIGINT is blocked in it until it unblocks it.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, *arguments), name=name)
    resource_tracker.ensure_running()  # which the first process would start, and it unblocks SIGINT
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    theirs.close()
    return process, ours


def end_with_parent() -> None:
    """Let this process get SIGTERM when the one that started it is gone, however that ended."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
