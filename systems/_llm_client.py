"""Many requests at a time to one server or several, and what happens when one of them goes away.

Targets are asked dialogue by dialogue, so that a server's prefix cache finds the dialogue it has just read, and all
of a dialogue goes to the same server. The openai client retries what may pass (connection errors, 408, 409, 429,
5xx) with exponential backoff and jitter. What still fails marks the server as away: the request moves to another
server, or waits until one is back.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from erc_bench.domain import Dialogue, Target
from erc_bench.errors import ModelUnavailableError, SystemFailedError
from erc_bench.serving import POLL_SECONDS, served_models
from erc_bench.system import Prediction

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

MOVES = 4  # how often one request may outlive a server before the run gives up


@dataclass(eq=False)
class Endpoint:
    """One server. `url` lacks the `/v1`; `model` is the name under which it offers the model.

    `bring_back` restarts a server that the harness owns; None for one that is somebody else's to restart.
    """

    url: str
    model: str
    client: AsyncOpenAI
    bring_back: Callable[[], Awaitable[None]] | None = None
    under_way: int = 0
    away: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def up(self) -> bool:
        """Whether it answered when last heard of."""
        return self.away is None


Asker = Callable[[Endpoint, Dialogue, int], Awaitable[Prediction]]


class Session:
    """Asks for targets, `concurrency` requests at a time for each endpoint.

    Parameters
    ----------
    endpoints
        The servers; each takes the next dialogue as soon as it has room, so that a faster one takes more.
    ask
        Asks one of them for one target.
    concurrency
        Targets under way at a time, for each endpoint.
    patience
        Seconds to wait for a server that went away.
    """

    def __init__(self, endpoints: Sequence[Endpoint], ask: Asker, *, concurrency: int, patience: float) -> None:
        self.endpoints, self.moves = list(endpoints), 0
        self._ask, self._patience = ask, patience
        self._slots = {endpoint: asyncio.Semaphore(concurrency) for endpoint in self.endpoints}
        self._waiting: deque[tuple[Dialogue, list[Target]]] = deque()
        self._answers: asyncio.Queue[Prediction | BaseException] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, dialogues: Sequence[Dialogue], targets: Sequence[Target]) -> None:
        """Begin to ask; the answers come out of `answers`."""
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        self._waiting.extend((by_id[name], group) for name, group in _by_dialogue(targets))
        for endpoint in self.endpoints:
            self._spawn(self._feed(endpoint))

    def _spawn(self, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except Exception as error:
                self._answers.put_nowait(error)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _feed(self, endpoint: Endpoint) -> None:
        slots = self._slots[endpoint]
        while self._waiting:
            await slots.acquire()
            if endpoint.away is not None:
                slots.release()
                await asyncio.wait({endpoint.away})
                if not endpoint.up:
                    return  # lost for good: the others take what is left, and what it had under way tells why
                continue
            if not self._waiting:
                return
            dialogue, targets = self._waiting.popleft()
            for number, target in enumerate(targets):
                if number:
                    await slots.acquire()
                self._spawn(self._answer(endpoint, dialogue, target.turn))
            await asyncio.sleep(0)  # the other endpoints' turn

    async def _answer(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> None:
        try:
            self._answers.put_nowait(await self._persist(endpoint, dialogue, turn))
        finally:
            self._slots[endpoint].release()

    async def _persist(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        from openai import APIConnectionError, APIStatusError, InternalServerError, RateLimitError

        for move in itertools.count(1):
            if not endpoint.up:
                endpoint = await self._another(endpoint)
            endpoint.under_way += 1
            try:
                return await self._ask(endpoint, dialogue, turn)
            except (APIConnectionError, InternalServerError, RateLimitError) as error:
                if move > MOVES:
                    raise SystemFailedError(
                        f"the server at {endpoint.url} must answer, got {type(error).__name__}: {error} again and again. "
                        "See its log; the same command resumes the run."
                    ) from error
                self.moves += 1
                self._mark_away(endpoint)
            except APIStatusError as error:
                raise explained(error, endpoint) from error
            finally:
                endpoint.under_way -= 1
        raise AssertionError("unreachable")

    def _least_busy(self) -> Endpoint | None:
        return min((e for e in self.endpoints if e.up), key=lambda e: e.under_way, default=None)

    def _mark_away(self, endpoint: Endpoint) -> None:
        if endpoint.up:
            endpoint.away = asyncio.create_task(self._wait_for(endpoint))

    async def _wait_for(self, endpoint: Endpoint) -> None:
        if endpoint.bring_back is not None:
            await endpoint.bring_back()
        else:
            deadline = time.monotonic() + self._patience
            while await served_models(endpoint.url, api_key=endpoint.client.api_key) is None:
                if time.monotonic() > deadline:
                    raise SystemFailedError(
                        f"the server at {endpoint.url} must come back within server_timeout={self._patience:g} seconds, got "
                        "no answer. Start it again; the same command resumes the run."
                    )
                await asyncio.sleep(POLL_SECONDS)
        endpoint.away = None

    async def _another(self, endpoint: Endpoint) -> Endpoint:
        """A server that is up, waiting for the first of them to come back if none is."""
        while True:
            least_busy = self._least_busy()
            if least_busy is not None:
                return endpoint if endpoint.up else least_busy
            coming = {e.away for e in self.endpoints if e.away is not None}
            done, pending = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
            failures = [task.exception() for task in done]
            if not pending and all(failures):
                raise failures[0] or AssertionError("unreachable")
            if pending and any(failures):  # one is lost for good, another may still come back
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)

    async def answers(self) -> list[Prediction]:
        """What has arrived since the last call, at least one; raises what a request raised."""
        arrived = [await self._answers.get()]
        while not self._answers.empty():
            arrived.append(self._answers.get_nowait())
        for answer in arrived:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in arrived if isinstance(answer, Prediction)]

    async def close(self) -> None:
        """Cancel what is under way and close the connections."""
        tasks = [*self._tasks, *(e.away for e in self.endpoints if e.away is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for endpoint in self.endpoints:
            await endpoint.client.close()


def _by_dialogue(targets: Sequence[Target]) -> list[tuple[str, list[Target]]]:
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.dialogue, []).append(target)
    return list(groups.items())


def explained(error: APIStatusError, endpoint: Endpoint) -> SystemFailedError:
    """A refusal that no retry can cure, with the way out."""
    said = f"the server at {endpoint.url} refused a request with status {error.status_code}: {error.message[:500]}"
    text = error.message.lower()
    if error.status_code in (401, 403):
        return SystemFailedError(f"{said} Set OPENAI_API_KEY to a key of this server.")
    if error.status_code == 404:
        return ModelUnavailableError(f"{said} Is {endpoint.model} what it serves? --set served_name=… names another.")
    if "chat template" in text:
        return SystemFailedError(f"{said} This model has no chat template: --set chat=false asks with raw text.")
    if "context length" in text or "maximum model length" in text or "max_model_len" in text:
        return SystemFailedError(
            f"{said} The prompt is longer than the model allows: fewer examples, a smaller max_tokens, context=past, or a "
            "server with a larger --max-model-len."
        )
    return SystemFailedError(
        f"{said} Modes choose and rank, top_k and seeds need a recent vLLM (0.32 is known to work)."
    )
