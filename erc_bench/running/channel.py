"""How runs on a cluster tell the process that started them how far they are.

An actor beside that process collects messages; the process asks for them. Losing a message loses a line on the screen,
never a run.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from erc_bench.running.relay import Message

SECONDS_BETWEEN_ANSWERS = 0.2
SECONDS_TO_DELIVER = 10.0
Addressed = tuple[int, int, Message]
"""The number of a run, which attempt at it, and what it says."""


class Channel:
    """Messages that wait to be taken; made an actor by `on_this_machine`."""

    def __init__(self) -> None:
        self._messages: list[Addressed] = []
        self._there = asyncio.Event()

    @classmethod
    def on_this_machine(cls, ray: Any) -> Any:
        """The actor, on the machine of the process that asks, so that the loss of another one does not end it."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
        return ray.remote(cls).options(**options).remote()

    async def put(self, index: int, attempt: int, message: Message) -> None:
        """Leave a message."""
        self._messages.append((index, attempt, message))
        self._there.set()

    async def take(self) -> list[Addressed]:
        """All messages, once there are some; those of a moment together."""
        await self._there.wait()
        await asyncio.sleep(SECONDS_BETWEEN_ANSWERS)
        return await self.drain()

    async def drain(self) -> list[Addressed]:
        """All messages that are there now."""
        taken, self._messages = self._messages, []
        self._there.clear()
        return taken


class Sender:
    """The end of a channel in the process that makes a run."""

    def __init__(self, channel: Any, index: int, attempt: int) -> None:
        self._channel, self._index, self._attempt = channel, index, attempt
        self._last: Any = None

    def send(self, message: Message) -> None:
        """Send a message, and do not wait until it arrives."""
        self._last = self._channel.put.remote(self._index, self._attempt, message)

    def finish(self) -> None:
        """Wait until all messages are there, but not for long: what became of the run follows them."""
        import ray

        if self._last is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.get(self._last, timeout=SECONDS_TO_DELIVER)
