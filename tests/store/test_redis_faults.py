"""What goes wrong with a real server, and that nothing is lost or done twice."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bot.core import events as e
from bot.core.account import Account
from bot.core.errors import Conflict, OutcomeUnknown, Unavailable
from bot.core.identity import RequestId
from bot.store.embedded import EmbeddedServer
from bot.store.redis import PREFIX, RedisStore, connect
from bot.usecases.ports import Committed, Queue, Receipt
from tests.builders import REQUEST, T0, a_request, ended, granted, requested
from tests.contracts.jobs_contract import show
from tests.contracts.world import LONG, change, job, opening, token
from tests.store.test_redis import world_on

NOTE = e.Revealed(request=REQUEST, at=T0, by=requested().by, jti="j")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path) as started:
        yield started


@pytest.fixture
async def own(server: EmbeddedServer) -> AsyncIterator[Redis]:
    """A client of a server that a test may hurt."""
    client = connect(server.url)
    yield client
    await client.aclose()


@pytest.mark.parametrize("url", ["unix:///nowhere/redis.sock", "redis://127.0.0.1:1"])
async def test_a_server_that_is_away_recorded_nothing(url: str) -> None:
    client = connect(url)
    store = RedisStore.on(client)
    for attempt in (
        store.ledger.commit(opening()),
        store.ledger.load(REQUEST),
        store.ledger.log(),
        store.listings.count_live(),
        store.jobs.claim(Queue.SAFETY, limit=1, lease=LONG),
        store.jobs.next_due(Queue.SAFETY),
        store.receipts.of(REQUEST),
        store.tokens.find(token(T0)[0]),
        store.once.first("x", within=LONG),
    ):
        with pytest.raises(Unavailable) as caught:
            await attempt
        assert not isinstance(caught.value, OutcomeUnknown)
    await client.aclose()


async def test_a_paused_server_leaves_it_open_and_a_retry_settles_it(
    server: EmbeddedServer, own: Redis
) -> None:
    store = RedisStore.on(own)
    await store.ledger.commit(opening())
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    mine = change("mine", events=(NOTE,), show=[REQUEST])
    try:
        with pytest.raises(OutcomeUnknown):
            await store.ledger.commit(mine)
        assert time.monotonic() - began < 2.5
        await asyncio.sleep(max(0.0, began + 3 - time.monotonic()))
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert await store.ledger.commit(mine) in Committed
    assert await store.ledger.commit(mine) is Committed.DONE_BEFORE
    assert await store.ledger.history(REQUEST) == [requested(), NOTE]
    assert [event for _, event in await store.ledger.log()] == [requested(), NOTE]


async def test_a_paused_server_makes_reads_unavailable(server: EmbeddedServer, own: Redis) -> None:
    store = RedisStore.on(own)
    await store.ledger.load(REQUEST)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable) as caught:
            await store.tokens.find(token(T0)[0])
        assert not isinstance(caught.value, OutcomeUnknown)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert await store.tokens.find(token(T0)[0]) is None


async def test_commits_survive_connections_that_break_under_them(own: Redis, redis: Redis) -> None:
    store = RedisStore.on(redis)
    ids = [RequestId(f"R-{n:03}") for n in range(200)]
    killing = asyncio.create_task(_kill_connections(redis))
    stored = []
    for id_ in ids:
        for _ in range(20):
            try:
                stored.append(await store.ledger.commit(opening(request=id_)))
                break
            except Unavailable:
                continue
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    assert len(stored) == len(ids)
    assert [event.request for _, event in await store.ledger.log(limit=999)] == ids
    for id_ in ids:
        assert await store.ledger.history(id_) == [requested(request=id_)]


async def _kill_connections(redis: Redis) -> None:
    killer = connect(f"unix://{redis.connection_pool.connection_kwargs['path']}")
    try:
        while True:
            await killer.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await asyncio.sleep(0.001)
    finally:
        await killer.aclose()


async def test_a_cancelled_question_leaves_no_answer_for_the_next(redis_url: str) -> None:
    client = connect(redis_url + "?max_connections=1")
    store = RedisStore.on(client)
    await client.flushdb()
    accounts = [Account(id=f"a{n}", version=1) for n in range(2)]
    await store.ledger.commit(change("c", *accounts))
    cancelled = 0
    for turns in range(240):
        asking = asyncio.create_task(store.ledger.load_all([], ["a0"]))
        for _ in range(turns % 12):
            await asyncio.sleep(0)
        in_time = not asking.done()
        asking.cancel()
        [answer] = await asyncio.gather(asking, return_exceptions=True)
        assert isinstance(answer, asyncio.CancelledError) is in_time
        cancelled += in_time
        assert await store.ledger.load_all([], ["a1"]) == ([], [accounts[1]])
    assert cancelled >= 40  # before the first turn, and before an answer can have come
    await client.aclose()


async def test_scripts_that_the_server_forgot_are_sent_again(redis: Redis) -> None:
    store = RedisStore.on(redis)
    await store.ledger.commit(opening())
    await redis.execute_command("SCRIPT", "FLUSH")
    assert await store.ledger.commit(opening()) is Committed.DONE_BEFORE
    await redis.execute_command("SCRIPT", "FLUSH")
    assert await store.jobs.claim(Queue.SAFETY, limit=1, lease=LONG) == []


async def test_a_full_server_ends_things_and_begins_none(own: Redis) -> None:
    store, world = RedisStore.on(own), world_on(own)
    facts = granted(requested(), at=T0)
    hash_, record = token(world.now() + LONG)
    live = change("live", a_request(*facts), expected=0, timers={job(): T0}, tokens={hash_: record})
    other = opening(request=RequestId("R-B"))
    await store.ledger.commit(live)
    await store.ledger.commit(other)
    await show(world, "a")
    await own.execute_command("CONFIG", "SET", "maxmemory", "1")

    with pytest.raises(Unavailable) as caught:
        await store.ledger.commit(opening("c", request=RequestId("R-C")))
    assert not isinstance(caught.value, OutcomeUnknown)
    granting = change(
        "grant",
        a_request(*facts, request=RequestId("R-B")),
        expected=1,
        subject=RequestId("R-B"),
        timers={job("lapse", RequestId("R-B")): None},
        opens={RequestId("R-B"): None},
        tokens={token(T0, "b")[0]: token(world.now() + LONG, "b")[1]},
    )
    with pytest.raises(Unavailable):
        await store.ledger.commit(granting)
    assert await store.ledger.load(RequestId("R-B")) == a_request(request=RequestId("R-B"))
    with pytest.raises(Unavailable):
        await store.ledger.commit(change("note", events=(NOTE,), show=[REQUEST]))

    [end] = await store.jobs.claim(Queue.SAFETY, limit=9, lease=LONG)
    over = a_request(*facts, ended())
    ending = change(
        "end",
        over,
        events=(ended(),),
        timers={end.id: None, job("sum"): world.now() + LONG},
        tokens={hash_: None},
        show=[REQUEST],
    )
    assert await store.ledger.commit(ending) is Committed.STORED
    assert await store.ledger.load(REQUEST) == over
    assert await store.tokens.find(hash_) is None
    assert await store.listings.count_live() == 0

    [shown] = await store.jobs.claim(Queue.MESSAGES, limit=9, lease=LONG)
    assert await store.receipts.keep(shown, Receipt("card", "C1", "1", ""), lease=LONG)
    assert await store.jobs.renew(shown, lease=LONG)
    assert await store.jobs.postpone(shown, delay=timedelta(milliseconds=1))
    await asyncio.sleep(0.005)
    [shown] = await store.jobs.claim(Queue.MESSAGES, limit=9, lease=LONG)
    assert await store.jobs.finish(shown)


@pytest.mark.parametrize(
    "trouble",
    [
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("CONFIG", "SET", "requirepass", "new"),
    ],
    ids=lambda trouble: trouble[2] if trouble[0] == "CONFIG" else trouble[0],
)
async def test_a_server_that_refuses_recorded_nothing(own: Redis, trouble: tuple[str, ...]) -> None:
    store = RedisStore.on(own)
    await store.ledger.commit(opening())
    await own.execute_command(*trouble)
    if "requirepass" in trouble:
        await own.connection_pool.disconnect()
    with pytest.raises(Unavailable) as caught:
        await store.ledger.commit(change("c", events=(NOTE,)))
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_a_master_that_comes_back_is_used_again(own: Redis) -> None:
    store = RedisStore.on(own)
    await own.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(Unavailable):
        await store.ledger.commit(opening())
    await own.execute_command("REPLICAOF", "NO", "ONE")
    assert await store.ledger.commit(opening()) is Committed.STORED


async def test_our_own_mistakes_are_not_called_faults_of_the_server(redis: Redis) -> None:
    await redis.set(f"{PREFIX}req:{REQUEST}", "not a hash")
    with pytest.raises(ResponseError):
        await RedisStore.on(redis).ledger.load(REQUEST)


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_what_was_answered_outlives_the_server(tmp_path: Path, *, killed: bool) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start()
    answered: list[RequestId] = []
    writers = [asyncio.create_task(_write(server.url, n, answered)) for n in range(5)]
    while len(answered) < 50:  # noqa: ASYNC110  it is a count, not an event
        await asyncio.sleep(0.005)
    if killed:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    await server.stop()
    await asyncio.gather(*writers)
    async with EmbeddedServer(tmp_path) as again:
        client = connect(again.url)
        store = RedisStore.on(client)
        for id_ in answered:
            assert await store.ledger.load(id_) == a_request(request=id_)
            assert await store.ledger.history(id_) == [requested(request=id_)]
        owed = 0
        while claimed := await store.jobs.claim(Queue.MESSAGES, limit=500, lease=LONG):
            owed += len(claimed)
        assert owed >= len(answered)
        await client.aclose()


async def _write(url: str, writer: int, answered: list[RequestId]) -> None:
    client = connect(url)
    store = RedisStore.on(client)
    for n in range(10_000):
        id_ = RequestId(f"R-{writer}-{n}")
        try:
            request = a_request(request=id_)
            await store.ledger.commit(
                change("open", request, subject=id_, events=(request.asked,), show=[id_])
            )
        except Unavailable:
            break
        answered.append(id_)
    await client.aclose()


async def test_the_clock_is_told_the_servers_time(redis: Redis) -> None:
    told: list[datetime] = []
    store = RedisStore.on(redis, on_time=told.append)
    await store.ledger.commit(opening())
    with pytest.raises(Conflict):
        await store.ledger.commit(opening("again"))
    await store.jobs.claim(Queue.SAFETY, limit=1, lease=LONG)
    assert len(told) == 3
    assert told == sorted(told)
    assert abs(told[-1] - datetime.now(UTC)) < timedelta(seconds=1)


async def test_two_stores_with_other_prefixes_are_strangers(redis: Redis) -> None:
    one, other = RedisStore.on(redis), RedisStore.on(redis, prefix="{jit:1}:")
    await one.ledger.commit(opening())
    assert await other.ledger.load(REQUEST) is None
    assert await other.listings.count_pending() == 0
    await other.ledger.commit(opening())
    for key in await redis.keys("*"):
        assert key.startswith((b"{jit:0}:", b"{jit:1}:"))
