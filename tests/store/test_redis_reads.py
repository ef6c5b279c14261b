"""Reads that go out together: how many calls they make, and who is told when one fails."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.core.errors import OutcomeUnknown, Unavailable
from bot.store.embedded import EmbeddedServer
from bot.store.redis import connect
from bot.store.redis_reads import IN_FLIGHT, KEYS_AT_MOST, Reads
from bot.store.redis_server import Server


async def calls(redis: Redis) -> dict[str, int]:
    """Return how often the server was asked to do what."""
    stats = await redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}


async def made(redis: Redis, before: dict[str, int]) -> dict[str, int]:
    after = await calls(redis)
    return {
        name: after[name] - before.get(name, 0)
        for name in ("get", "mget")
        if after.get(name, 0) != before.get(name, 0)
    }


async def test_what_one_turn_of_the_loop_asks_for_is_one_call(redis: Redis) -> None:
    reads = Reads(Server(redis))
    await redis.mset({f"{{jit:0}}:{n}": n for n in range(100)})
    before = await calls(redis)
    values = await asyncio.gather(*(reads.get(f"{{jit:0}}:{n}") for n in range(100)))
    assert values == [str(n).encode() for n in range(100)]
    assert await made(redis, before) == {"mget": 1}


async def test_a_call_has_a_longest_and_the_same_key_stands_in_it_once(redis: Redis) -> None:
    reads = Reads(Server(redis))
    before = await calls(redis)
    names = [f"{{jit:0}}:{n}" for n in range(3 * KEYS_AT_MOST)]
    await asyncio.gather(*(reads.get(name) for name in names))
    assert await made(redis, before) == {"mget": 3}
    before = await calls(redis)
    await asyncio.gather(*(reads.get(names[0]) for _ in range(3 * KEYS_AT_MOST)))
    assert await made(redis, before) == {"mget": 1}


class Held(Server):
    """Answers nothing until it is let go."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.free = asyncio.Event()
        self.begun = 0

    async def read(self, *command):
        self.begun += 1
        await self.free.wait()
        return await super().read(*command)


async def test_what_is_asked_for_meanwhile_goes_out_together(redis: Redis) -> None:
    server = Held(redis)
    reads = Reads(server)
    asked = []
    for number in range(60):
        asked.append(asyncio.create_task(reads.get(f"{{jit:0}}:{number}")))
        await asyncio.sleep(0.001)
    assert server.begun == IN_FLIGHT
    server.free.set()
    assert await asyncio.gather(*asked) == [None] * 60
    assert server.begun == IN_FLIGHT + 1


async def test_who_gives_up_takes_nothing_from_the_others(redis: Redis) -> None:
    reads = Reads(Server(redis))
    await redis.set("{jit:0}:a", "1")
    gone, stays = (asyncio.create_task(reads.get("{jit:0}:a")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == b"1"
    before = await calls(redis)
    alone = asyncio.create_task(reads.get("{jit:0}:a"))
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.gather(alone, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert await made(redis, before) == {}
    assert await reads.get("{jit:0}:a") == b"1"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path) as started:
        yield started


async def test_a_failure_reaches_everybody_who_waits_in_one_deadline(
    server: EmbeddedServer,
) -> None:
    client = connect(server.url)
    reads = Reads(Server(client))
    await reads.get("{jit:0}:a")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = asyncio.get_running_loop().time()
        asked = [reads.get(f"{{jit:0}}:{n}") for n in range(5 * KEYS_AT_MOST)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        took_s = asyncio.get_running_loop().time() - began
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert {type(each) for each in told} == {Unavailable}
    assert OutcomeUnknown not in {type(each) for each in told}
    assert len({id(each) for each in told}) == len(told)
    assert took_s < 3.5
    assert await reads.get("{jit:0}:a") is None
    await client.aclose()


async def test_a_mistake_of_ours_is_told_as_such(redis: Redis) -> None:
    class Wrong(Server):
        async def read(self, *command):
            return await super().read("NONSENSE", *command)

    reads = Reads(Wrong(redis))
    told = await asyncio.gather(*(reads.get("a") for _ in range(3)), return_exceptions=True)
    assert {type(each).__name__ for each in told} == {"ResponseError"}
