from __future__ import annotations

import asyncio

from erc_bench.running.channel import Channel
from erc_bench.running.relay import Note


def test_messages_of_a_moment_are_taken_together_and_in_order() -> None:
    async def scene() -> None:
        channel = Channel()
        taking = asyncio.ensure_future(channel.take())
        await asyncio.sleep(0)
        assert not taking.done()
        await channel.put(3, 0, Note("one"))
        await channel.put(4, 1, Note("two"))
        assert await taking == [(3, 0, Note("one")), (4, 1, Note("two"))]
        assert await channel.drain() == []
        await channel.put(3, 0, Note("three"))
        assert await channel.drain() == [(3, 0, Note("three"))]

    asyncio.run(scene())
