"""The waiting room: who is woken, by what, and what it costs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from bot.core.errors import Busy, Unavailable
from bot.core.identity import RequestId
from bot.store.memory import MemoryChanges, MemoryLedger, MemoryStore
from bot.usecases import waiting
from bot.usecases.waiting import Crowded, WaitingRoom
from tests.builders import REQUEST, T0
from tests.contracts.world import opening

OTHER = RequestId("R-BBBBBBBBBBBB")


class Log(MemoryChanges):
    """The log in memory, which may be slow to say where its end is, or away.

    Attributes:
        calls: How often it was asked.
    """

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.opens = asyncio.Event()
        self.opens.set()
        self.away = False
        self.calls = 0

    async def after(self, cursor: str, *, wait: timedelta) -> tuple[str, frozenset[RequestId]]:
        self.calls += 1
        await self.opens.wait()
        if self.away:
            raise Unavailable("it is away")
        return await super().after(cursor, wait=wait)


class House:
    def __init__(self) -> None:
        store = MemoryStore(lambda: T0)
        self.ledger, self.log = MemoryLedger(store), Log(store)
        self.room = WaitingRoom(self.log)

    async def changed(self, request: RequestId = REQUEST) -> None:
        await self.ledger.commit(opening(request, request=request))

    async def waits(self, request: RequestId = REQUEST, *, at_most_s: float = 5.0) -> float:
        """Return after how many seconds a poll for `request` looks again.

        The first look is not counted: who begins to follow the log has everybody look once more.
        """
        now_s = asyncio.get_running_loop().time
        with self.room.seat(request, client="ci") as seat:
            await seat.change(at_most_s=0.1)
            began_s = now_s()
            await seat.change(at_most_s=at_most_s)
            return now_s() - began_s


@asynccontextmanager
async def following(house: House) -> AsyncIterator[House]:
    task = asyncio.create_task(house.room.run())
    yield house
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with following(House()) as found:
        yield found


async def test_a_change_wakes_who_waits_for_it_and_nobody_else(house: House) -> None:
    mine = asyncio.create_task(house.waits(OTHER, at_most_s=0.6))
    theirs = asyncio.create_task(house.waits())
    await asyncio.sleep(0.2)
    await house.changed()
    assert await theirs < 0.5
    assert await mine > 0.5


async def test_what_changed_before_the_log_was_followed_is_looked_at_again(house: House) -> None:
    house.log.opens.clear()
    waits = asyncio.create_task(house.waits())
    await asyncio.sleep(0.2)
    await house.changed()  # the follower does not know where the log ended yet
    house.log.opens.set()
    assert await waits < 1


async def test_nobody_waiting_costs_nothing(house: House) -> None:
    await asyncio.sleep(0.3)
    assert house.log.calls == 0
    await house.waits(at_most_s=0.1)
    await asyncio.sleep(1.2)
    calls = house.log.calls
    await asyncio.sleep(1.2)
    assert house.log.calls == calls


async def test_many_that_wait_cost_what_one_costs(house: House) -> None:
    ids = [RequestId(f"R-{number:012d}") for number in range(100)]
    waits = [asyncio.create_task(house.waits(id_, at_most_s=1.5)) for id_ in ids]
    await asyncio.gather(*waits)
    assert house.log.calls <= 4


async def test_a_store_that_was_away_is_followed_again(house: House) -> None:
    house.log.away = True
    waits = asyncio.create_task(house.waits())
    await asyncio.sleep(0.1)
    await house.changed()
    house.log.away = False
    assert await waits < 2


async def test_there_are_so_many_seats(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SEATS", 2)
    monkeypatch.setattr(waiting, "SEATS_OF_ONE", 1)
    with house.room.seat(REQUEST, client="ci"):
        with pytest.raises(Crowded), house.room.seat(OTHER, client="ci"):
            pass
        with (
            house.room.seat(OTHER, client="cron"),
            pytest.raises(Busy),
            house.room.seat(RequestId("R-CCCCCCCCCCCC"), client="other"),
        ):
            pass
    with house.room.seat(OTHER, client="ci"):
        pass


async def test_the_newer_poll_takes_the_place_of_the_older(house: House) -> None:
    with house.room.seat(REQUEST, client="ci") as older:
        with house.room.seat(REQUEST, client="ci") as newer:
            assert (older.superseded, newer.superseded) == (True, False)
            await older.change(at_most_s=1)
        assert not newer.superseded


async def test_a_room_that_closes_lets_everybody_go(house: House) -> None:
    waits = asyncio.create_task(house.waits())
    await asyncio.sleep(0.1)
    house.room.stop()
    assert await waits < 1
    assert house.room.closed
