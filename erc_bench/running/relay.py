"""Progress of a run in another process, shown in this one: sent as small messages, played back there."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from erc_bench.progress import Progress, Task

SECONDS_BETWEEN_MESSAGES = 0.25


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the person who watches."""

    message: str


@dataclass(frozen=True, slots=True)
class Started:
    """A piece of work began; `number` names it in later messages."""

    number: int
    description: str
    total: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Advanced:
    """More units of a piece of work are done."""

    number: int
    amount: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A piece of work is over."""

    number: int


Message = Note | Started | Advanced | Ended


class _RelayTask:
    def __init__(self, number: int, send: Callable[[Message], None]) -> None:
        self.number, self.send = number, send
        self.waiting, self.last = 0.0, time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self.waiting += amount
        if time.monotonic() - self.last >= SECONDS_BETWEEN_MESSAGES:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            self.send(Advanced(self.number, self.waiting))
        self.waiting, self.last = 0.0, time.monotonic()


class RelayProgress:
    """Sends what happens instead of showing it, each task at most four times a second."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._deliver, self._numbers, self._process = send, itertools.count(), os.getpid()

    def _send(self, message: Message) -> None:
        if os.getpid() == self._process:  # not what a copy of this process says that a system forked
            self._deliver(message)

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        """As `Progress.task`."""
        task = _RelayTask(next(self._numbers), self._send)
        self._send(Started(task.number, description, total, unit))
        try:
            yield task
        finally:
            task.flush()
            self._send(Ended(task.number))

    def note(self, message: str) -> None:
        """As `Progress.note`."""
        self._send(Note(message))


class Playback:
    """Shows the messages of one run in a display that many runs share; every line says which run it is of."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title = progress, title
        self._open: dict[int, tuple[AbstractContextManager[Task], Task]] = {}

    def show(self, message: Message) -> None:
        """Show one message; of a task that is not known (its start was lost with a process) nothing is shown."""
        match message:
            case Note(text):
                self._progress.note(f"[{self._title}] {text}")
            case Started(number, description, total, unit):
                context = self._progress.task(f"[{self._title}] {description}", total, unit)
                self._open[number] = context, context.__enter__()
            case Advanced(number, amount) if number in self._open:
                self._open[number][1].advance(amount)
            case Ended(number) if number in self._open:
                self._open.pop(number)[0].__exit__(None, None, None)

    def close(self) -> None:
        """End what is still open: the run is over, or its process is."""
        for number in [*self._open]:
            self.show(Ended(number))
