"""Many requests at a time to one server or several, and what happens when one of them goes away.

Targets are asked dialogue by dialogue, so that a server's prefix cache finds the dialogue it has just read, and all
of a dialogue goes to the same server. The openai client retries what may pass (connection errors, 408, 409, 429,
5xx) with exponential backoff and jitter. What still fails marks the server as away: the request moves to another
server, or waits until one is back. A server is left alone for a while before it is asked again, longer each time, also
where it says that it is there: it may be overloaded.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import ModelUnavailableError, SystemFailedError
from erc_bench.shown import on_one_line
from erc_bench.toolkit.serving import POLL_SECONDS, public_url, served_models

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

MOVES = 4  # how often one request may outlive a server that fails on it before the run gives up
FIRST_PAUSE_SECONDS = 2.0  # before a server that failed is asked again, doubled with every failure in a row
LONGEST_PAUSE_SECONDS = 60.0
OVERLOADED = frozenset({408, 409, 429, 502, 503, 504})  # says nothing against the request: waited for with patience


@dataclass(eq=False)
class Endpoint:
    """One server. `url` lacks the `/v1`; `model` is the name under which it offers the model.

    `bring_back` restarts a server that the harness owns; None for one that is somebody else's to restart. `answers`
    is False for one that was not there when the session began.
    """

    url: str
    model: str
    client: AsyncOpenAI
    bring_back: Callable[[], Awaitable[None]] | None = None
    answers: bool = True
    under_way: int = 0
    failures: int = field(default=0, repr=False)
    away: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def up(self) -> bool:
        """Whether it answered when last heard of."""
        return self.away is None

    @property
    def shown(self) -> str:
        """Its address as messages give it, without a user's name and password."""
        return public_url(self.url)


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
        Seconds to wait for a server that went away, or that says it is overloaded.
    """

    def __init__(self, endpoints: Sequence[Endpoint], ask: Asker, *, concurrency: int, patience: float) -> None:
        self.endpoints, self.moves = list(endpoints), 0
        self._ask, self._patience = ask, patience
        self._slots = {endpoint: asyncio.Semaphore(concurrency) for endpoint in self.endpoints}
        self._waiting: deque[tuple[Dialogue, list[Target]]] = deque()
        self._answers: asyncio.Queue[Prediction | BaseException] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def start(self, dialogues: Sequence[Dialogue], targets: Sequence[Target]) -> None:
        """Begin to ask; the answers come out of `answers`."""
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        self._waiting.extend((by_id[name], group) for name, group in _by_dialogue(targets))
        for endpoint in self.endpoints:
            if not endpoint.answers:
                self._mark_away(endpoint)
            self._spawn(self._feed, endpoint)

    def _spawn(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        async def guarded() -> None:
            try:
                await work(*arguments)  # made here: a task that is cancelled before it starts has made nothing
            except Exception as error:
                self._answers.put_nowait(error)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Ctrl-C may arrive inside a request; it is raised there, and asyncio reports what nobody took

    async def _feed(self, endpoint: Endpoint) -> None:
        slots = self._slots[endpoint]
        while self._waiting:
            await slots.acquire()
            away = endpoint.away
            if away is not None:
                slots.release()
                await asyncio.wait({away})
                # Not `endpoint.up`: a request that failed since then has put another task there.
                if away.exception() is not None:
                    return  # lost for good: the others take what is left, and what it had under way tells why
                continue
            if not self._waiting:
                return
            dialogue, targets = self._waiting.popleft()
            for number, target in enumerate(targets):
                if number:
                    await slots.acquire()
                self._spawn(self._answer, endpoint, dialogue, target.turn)
            await asyncio.sleep(0)  # the other endpoints' turn

    async def _answer(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> None:
        try:
            self._answers.put_nowait(await self._persist(endpoint, dialogue, turn))
        finally:
            self._slots[endpoint].release()

    async def _persist(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        from openai import APIConnectionError, APIStatusError

        failing_since: float | None = None
        for move in itertools.count(1):
            if not endpoint.up:
                endpoint = await self._another(endpoint)
            endpoint.under_way += 1
            try:
                prediction = await self._ask(endpoint, dialogue, turn)
                endpoint.failures = 0
                return prediction
            except (APIConnectionError, APIStatusError) as error:
                status = None
                if isinstance(error, APIStatusError):
                    status = error.status_code
                    if status < 500 and status not in OVERLOADED:
                        raise explained(error, endpoint) from error
                now = time.monotonic()
                failing_since = now if failing_since is None else failing_since
                patient = status in OVERLOADED and now - failing_since < self._patience
                if move > MOVES and not patient:
                    raise SystemFailedError(
                        f"the server at {endpoint.shown} must answer, got {type(error).__name__}: "
                        f"{on_one_line(error, 500)} again and again. See its log; the same command resumes the run."
                    ) from error
                self.moves += 1
                self._mark_away(endpoint)
            finally:
                endpoint.under_way -= 1
        raise AssertionError("unreachable")

    def _least_busy(self) -> Endpoint | None:
        return min((e for e in self.endpoints if e.up), key=lambda e: e.under_way, default=None)

    def _mark_away(self, endpoint: Endpoint) -> None:
        if endpoint.up:
            endpoint.away = asyncio.create_task(self._wait_for(endpoint))

    async def _wait_for(self, endpoint: Endpoint) -> None:
        deadline = time.monotonic() + self._patience
        pause = min(FIRST_PAUSE_SECONDS * 2.0**endpoint.failures, LONGEST_PAUSE_SECONDS, self._patience)
        endpoint.failures += 1
        await asyncio.sleep(pause)
        if endpoint.bring_back is not None:
            await endpoint.bring_back()
        else:
            while (got := await _absence(endpoint)) is not None:
                if time.monotonic() > deadline:
                    raise SystemFailedError(
                        f"the server at {endpoint.shown} must come back within server_timeout={self._patience:g} seconds, got "
                        f"{got}. Start it again; the same command resumes the run."
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
        """What has arrived since the last call, at least one; raises what a request raised.

        Answers that arrived beside a failure are returned first, and the next call raises it: they were paid for.
        """
        arrived: list[Prediction | BaseException] = [] if self._failure else [await self._answers.get()]
        while not self._answers.empty():
            arrived.append(self._answers.get_nowait())
        predictions = []
        for answer in arrived:
            if isinstance(answer, Prediction):
                predictions.append(answer)
            else:
                self._failure = self._failure or answer
                self._waiting.clear()
        if self._failure is not None and not predictions:
            raise self._failure
        return predictions

    async def close(self) -> None:
        """Cancel what is under way and close the connections."""
        tasks = [*self._tasks, *(e.away for e in self.endpoints if e.away is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for endpoint in self.endpoints:
            await endpoint.client.close()


async def _absence(endpoint: Endpoint) -> str | None:
    """What keeps somebody else's server from being asked; None if nothing does."""
    try:
        models, got = await served_models(endpoint.url, api_key=endpoint.client.api_key)
    except SystemFailedError as error:  # a gateway in trouble may refuse keys or send a web page for a while
        return f"this: {error}"
    if models is None:
        return got
    return None if endpoint.model in models else f"one that offers {', '.join(models) or 'no model'}"


def _by_dialogue(targets: Sequence[Target]) -> list[tuple[str, list[Target]]]:
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.dialogue, []).append(target)
    return list(groups.items())


def _reason(error: APIStatusError) -> str:
    """What a server says of its refusal: some versions of the client put all that was sent into their message, others less."""
    said = error.body.get("message") if isinstance(error.body, dict) else None
    return said if isinstance(said, str) and said else error.message


def explained(error: APIStatusError, endpoint: Endpoint) -> SystemFailedError:
    """A refusal that no retry can cure, with the way out."""
    reason = _reason(error)
    refused = f"refused a request with status {error.status_code}: {on_one_line(reason, 500)}"
    said = f"the server at {endpoint.shown} {refused}"
    text = reason.lower()
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
        f"{said} Modes choose and rank, top_k and seeds need a recent vLLM (0.32 is known to work); --set top_k=0 --set "
        "send_seed=false leaves the latter two out."
    )
