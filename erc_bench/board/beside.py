"""Work shared with processes beside this one, each of which takes the next task when it is done with one.

What another process cannot do (it fails or dies there, or the result cannot be sent) is done here, where it meets the same
error: other processes only save time.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from erc_bench.errors import DataError
from erc_bench.spawned import end_with_parent, spawn

Task = TypeVar("Task")
Result = TypeVar("Result")

NEW_OBJECTS = 100_000


@contextlib.contextmanager
def rarely_collected() -> Iterator[None]:
    """Inside, unreachable cycles are looked for after so many new objects, and not after 700.

    Reading makes millions that have none, and looking through them took a twentieth of the time of a board.
    """
    before = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Beside(Generic[Task, Result]):
    """Other processes that share the tasks of this one, from entering the context to leaving it.

    Parameters
    ----------
    work
        Does a task. It is sent to the processes once, and may keep there what the next task needs, too.
    processes
        How many there are beside this one.
    """

    def __init__(self, work: Callable[[Task], Result], processes: int) -> None:
        self._work = work
        self._processes = processes
        self._workers: list[tuple[SpawnProcess, Connection[Any, Any]]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        with contextlib.suppress(Exception):  # no more processes may be started, or the work cannot be sent
            for _ in range(self._processes):
                self._workers.append(spawn(_serve, self._work, name="erc-bench board"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, _ in self._workers:
            process.kill()
            process.join()
        for thread in self._threads:  # which find their processes gone
            thread.join()
        for _, connection in self._workers:
            connection.close()

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result | None]]:
        """The result of each task as it is there, None for one that met a `DataError`."""
        waiting, arrived, lost = deque(tasks), SimpleQueue[tuple[Task, Result]](), deque[Task]()
        self._threads = [
            threading.Thread(target=self._feed, args=(*worker, waiting, arrived, lost), daemon=True)
            for worker in self._workers
        ]
        for thread in self._threads:
            thread.start()
        while (task := _next(waiting)) is not None:
            yield task, self._done(task)
        for thread in self._threads:
            thread.join()
        while not arrived.empty():
            yield arrived.get()
        for task in lost:
            yield task, self._done(task)

    def _done(self, task: Task) -> Result | None:
        try:
            return self._work(task)
        except DataError:
            return None

    def _feed(
        self,
        process: SpawnProcess,
        connection: Connection[Any, Any],
        waiting: deque[Task],
        arrived: SimpleQueue[tuple[Task, Result]],
        lost: deque[Task],
    ) -> None:
        """Hand one process tasks as long as there are any; what does not come back is lost."""
        while (task := _next(waiting)) is not None:
            try:
                connection.send(task)
                done, result = connection.recv()
            except Exception:
                done, result = False, None
            if done:
                arrived.put((task, result))
            else:
                lost.append(task)
                if not process.is_alive():
                    return


def _next(waiting: deque[Task]) -> Task | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _serve(connection: Connection[Any, Any], work: Callable[[Task], Result]) -> None:
    end_with_parent()
    with rarely_collected(), contextlib.suppress(EOFError, OSError):
        while True:
            task = connection.recv()
            try:
                connection.send((True, work(task)))
            except OSError:
                raise
            except Exception:
                connection.send((False, None))
