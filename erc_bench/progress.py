"""Progress of long work: a bar on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from erc_bench.shown import shown

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 10.0


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, amount: float = 1) -> None:
        """Count `amount` more units as done."""


class Progress(Protocol):
    """What the harness hands to systems so that long work can be watched."""

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        """A piece of work of `total` units (None: unknown), done when the block ends."""
        yield _SilentTask()

    def note(self, message: str) -> None:
        """One line for the person who watches."""


class _SilentTask:
    def advance(self, amount: float = 1) -> None:
        """Nothing to show."""


class SilentProgress:
    """Shows nothing: for tests and for use as a library."""

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        yield _SilentTask()

    def note(self, message: str) -> None:
        """Nothing to show."""


def _say(line: str) -> None:
    """Print to stderr; a run does not end because nobody reads any more how far it is."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: the stream was closed
        print(shown(line), file=sys.stderr, flush=True)


class PrintedBySystem(io.TextIOBase):
    """Standard output as a system sees it: what it prints is for the person who watches, as text."""

    def write(self, text: str) -> int:
        """Show a text on standard error."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(shown(text))
        return len(text)


class _LineTask:
    def __init__(self, description: str, total: float | None, unit: str) -> None:
        self.description, self.total, self.unit = description, total, unit
        self.done = 0.0
        self.started = self.last = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            self.print(now)

    def print(self, now: float) -> None:
        of = f"/{self.total:.0f} ({100 * self.done / self.total:.0f}%)" if self.total else ""
        unit = f" {self.unit}" if self.unit else ""
        _say(f"{self.description}: {self.done:.0f}{of}{unit}, {now - self.started:.0f} s")


class LineProgress:
    """Plain lines, at most one every ten seconds a task and one at its end: for logs and pipes."""

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        task = _LineTask(description, total, unit)
        yield task
        task.print(time.monotonic())

    def note(self, message: str) -> None:
        _say(message)


class _BarTask:
    def __init__(self, bars: Bars, number: TaskID) -> None:
        self._bars, self._number = bars, number

    def advance(self, amount: float = 1) -> None:
        self._bars.advance(self._number, amount)


class BarProgress:
    """Bars drawn by rich on a terminal, those of all tasks under way in one display."""

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._open: list[TaskID] = []

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        bars = self._bars or self._begin()
        number = bars.add_task(shown(description), total=total, unit=shown(unit))
        self._open.append(number)
        try:
            yield _BarTask(bars, number)
        finally:
            self._open.remove(number)
            if self._open:
                bars.remove_task(number)  # the display shows what is under way; the last bar stays on the screen
            else:
                bars.stop()
                self._bars = None

    def _begin(self) -> Bars:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bars.start()
        return self._bars

    def note(self, message: str) -> None:
        _say(message)


def default_progress() -> Progress:
    """Bars where stderr is a terminal, plain lines where it is not."""
    return BarProgress() if sys.stderr.isatty() else LineProgress()
