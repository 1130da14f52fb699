"""The session that asks, with servers that exist only as functions: races and what is kept when something fails."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from erc_bench.contract.domain import Dialogue, Utterance
from erc_bench.contract.system import Prediction
from erc_bench.errors import SystemFailedError
from erc_bench.systems.llm import client as llm_client
from erc_bench.systems.llm.client import Endpoint, Session
from erc_bench.toolkit.serving import Offer

Ask = Callable[[Endpoint, Dialogue, int], Awaitable[Prediction]]


@pytest.fixture(autouse=True)
def always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def served_models(url: str, *, api_key: str) -> Offer:
        return Offer(["model"])

    monkeypatch.setattr(llm_client, "served_models", served_models)
    monkeypatch.setattr(llm_client, "FIRST_PAUSE_SECONDS", 0.0)


def session(ask: Ask, *, concurrency: int) -> Session:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url="http://127.0.0.1:1/v1", api_key="x")
    return Session([Endpoint("http://127.0.0.1:1", "model", client)], ask, concurrency=concurrency, patience=10)


def talks(count: int, length: int) -> list[Dialogue]:
    return [Dialogue(f"d{i}", tuple(Utterance(f"Line {t}", "A") for t in range(length))) for i in range(count)]


def test_failures_at_every_turn_of_the_loop_do_not_stop_the_feeding() -> None:
    from openai import APIConnectionError

    dialogues = talks(80, 3)
    targets = [target for dialogue in dialogues for target in dialogue.targets()]
    asked: set[tuple[str, int]] = set()
    request: Any = None

    async def ask(endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        again = (dialogue.id, turn) in asked
        asked.add((dialogue.id, turn))
        if not again and len(asked) <= 64:
            for _ in range(len(asked)):  # one fails at every turn of the loop, also while the feeder wakes up
                await asyncio.sleep(0)
            raise APIConnectionError(request=request)
        return Prediction(dialogue.id, turn, None)

    async def run() -> int:
        asking = session(ask, concurrency=64)
        asking.start(dialogues, targets)
        arrived = 0
        try:
            while arrived < len(targets):
                arrived += len(await asyncio.wait_for(asking.answers(), 5))
        finally:
            await asking.close()
        return arrived

    assert asyncio.run(run()) == 240


def test_answers_beside_a_failure_are_kept_and_the_failure_follows() -> None:
    async def ask(endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        if turn == 2:
            raise SystemFailedError("refused")
        return Prediction(dialogue.id, turn, None)

    async def run() -> None:
        asking = session(ask, concurrency=8)
        asking.start(talks(1, 6), talks(1, 6)[0].targets())
        try:
            assert {prediction.turn for prediction in await asking.answers()} == {0, 1, 3, 4, 5}
            for _ in range(2):
                with pytest.raises(SystemFailedError, match="refused"):
                    await asking.answers()
        finally:
            await asking.close()

    asyncio.run(run())


def test_after_a_failure_nothing_new_is_asked() -> None:
    asked: list[str] = []

    async def ask(endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        asked.append(dialogue.id)
        await asyncio.sleep(0.01)
        if len(asked) < 3:
            return Prediction(dialogue.id, turn, None)
        raise SystemFailedError("refused")

    async def run() -> None:
        asking = session(ask, concurrency=1)
        asking.start(talks(50, 1), [target for dialogue in talks(50, 1) for target in dialogue.targets()])
        assert [len(await asking.answers()) for _ in range(2)] == [1, 1]
        with pytest.raises(SystemFailedError, match="refused"):
            await asking.answers()
        await asyncio.sleep(0.05)
        await asking.close()

    asyncio.run(run())
    assert len(asked) <= 4


def test_what_never_began_leaves_no_warning() -> None:
    async def ask(endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        return Prediction(dialogue.id, turn, None)

    async def run() -> None:
        asking = session(ask, concurrency=1)
        asking.start(talks(1, 1), talks(1, 1)[0].targets())
        await asking.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_ctrl_c_inside_a_request_is_raised_once_and_reported_nowhere_else() -> None:
    async def ask(endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        raise KeyboardInterrupt  # as asyncio does to whichever task runs when the main one has ended

    reported: list[str] = []
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: reported.append(context["message"]))
        asking = session(ask, concurrency=1)

        async def begin(asking: Session) -> None:
            asking.start(talks(3, 1), talks(3, 1)[0].targets())

        runner.run(begin(asking))
        with pytest.raises(KeyboardInterrupt):
            runner.run(asking.answers())
        runner.run(asking.close())
        del asking
        gc.collect()
    gc.collect()
    assert [message for message in reported if "never retrieved" in message] == []
