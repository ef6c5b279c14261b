import asyncio
from datetime import timedelta

from bot.core.identity import RequestId
from tests.builders import REQUEST
from tests.contracts.world import World, opening

NOW = timedelta(0)
SOON = timedelta(milliseconds=300)
OTHER = RequestId("R-BBBBBBBBBBBB")


class ChangesContract:
    async def test_an_empty_log_has_an_end_too(self, world: World) -> None:
        cursor, changed = await world.changes.after("", wait=NOW)
        assert (bool(cursor), changed) == (True, frozenset())
        await world.ledger.commit(opening())
        _, changed = await world.changes.after(cursor, wait=NOW)
        assert changed == {REQUEST}

    async def test_what_was_before_the_end_is_not_told(self, world: World) -> None:
        await world.ledger.commit(opening())
        cursor, changed = await world.changes.after("", wait=NOW)
        assert changed == frozenset()
        again, changed = await world.changes.after(cursor, wait=NOW)
        assert (again, changed) == (cursor, frozenset())

    async def test_each_change_is_told_once(self, world: World) -> None:
        cursor, _ = await world.changes.after("", wait=NOW)
        await world.ledger.commit(opening())
        await world.ledger.commit(opening("other", request=OTHER))
        cursor, changed = await world.changes.after(cursor, wait=NOW)
        assert changed == {REQUEST, OTHER}
        _, changed = await world.changes.after(cursor, wait=NOW)
        assert changed == frozenset()

    async def test_who_waits_is_told_at_once(self, world: World) -> None:
        cursor, _ = await world.changes.after("", wait=NOW)
        waiting = asyncio.create_task(world.changes.after(cursor, wait=timedelta(seconds=1)))
        await asyncio.sleep(0.05)
        began_s = asyncio.get_running_loop().time()
        await world.ledger.commit(opening())
        _, changed = await waiting
        assert changed == {REQUEST}
        assert asyncio.get_running_loop().time() - began_s < 0.5

    async def test_nobody_waits_for_longer_than_they_will(self, world: World) -> None:
        cursor, _ = await world.changes.after("", wait=NOW)
        began_s = asyncio.get_running_loop().time()
        assert await world.changes.after(cursor, wait=SOON) == (cursor, frozenset())
        assert 0.25 < asyncio.get_running_loop().time() - began_s < 1.5
