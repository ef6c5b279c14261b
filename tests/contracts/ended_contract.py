import asyncio
from datetime import timedelta

from bot.usecases.ports import BEGINNING
from tests.contracts.world import World, change, ended_token

AT_ONCE = timedelta(0)
SOON = timedelta(seconds=1)


async def end(world: World, *names: str, id_: str = ""):
    """Commit the early end of tokens; return them."""
    tokens = [ended_token(world.now(), name) for name in names]
    await world.ledger.commit(change(id_ or " ".join(names), ended=tokens))
    return tokens


class EndedContract:
    async def test_at_first_nothing_has_ended(self, world: World) -> None:
        assert list(await world.ended.after(BEGINNING, limit=9, wait=AT_ONCE)) == []

    async def test_what_ended_comes_in_order_and_equal(self, world: World) -> None:
        tokens = [*await end(world, "a"), *await end(world, "b", "c")]
        found = await world.ended.after(BEGINNING, limit=9, wait=SOON)
        assert [token for _, token in found] == tokens
        places = [place for place, _ in found]
        assert places == sorted(set(places))
        assert places[0] > BEGINNING
        last = await world.ended.after(places[1], limit=9, wait=AT_ONCE)
        assert last == [found[2]]
        assert list(await world.ended.after(places[2], limit=9, wait=AT_ONCE)) == []

    async def test_no_more_come_than_were_asked_for(self, world: World) -> None:
        await end(world, *"abcde")
        found = await world.ended.after(BEGINNING, limit=2, wait=AT_ONCE)
        following = await world.ended.after(found[-1][0], limit=2, wait=AT_ONCE)
        assert [token.jti for _, token in (*found, *following)] == list("abcd")

    async def test_a_commit_that_is_sent_again_ends_nothing_twice(self, world: World) -> None:
        await end(world, "a", id_="same")
        await end(world, "a", id_="same")
        assert len(await world.ended.after(BEGINNING, limit=9, wait=AT_ONCE)) == 1

    async def test_who_waits_is_woken_by_the_next(self, world: World) -> None:
        await end(world, "a")
        [(place, _)] = await world.ended.after(BEGINNING, limit=9, wait=AT_ONCE)
        waiting = asyncio.create_task(world.ended.after(place, limit=9, wait=SOON))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await end(world, "b")
        async with asyncio.timeout(0.5):
            assert [token.jti for _, token in await waiting] == ["b"]

    async def test_nobody_waits_for_longer_than_was_said(self, world: World) -> None:
        wait = timedelta(milliseconds=50)
        async with asyncio.timeout(1):
            assert list(await world.ended.after(BEGINNING, limit=9, wait=wait)) == []

    async def test_what_was_forgotten_is_gone_and_the_rest_is_not(self, world: World) -> None:
        await end(world, *"abc")
        places = [place for place, _ in await world.ended.after(BEGINNING, limit=9, wait=AT_ONCE)]
        await world.ended.forget([places[0], places[2]])
        await world.ended.forget([])
        found = await world.ended.after(BEGINNING, limit=9, wait=AT_ONCE)
        assert [token.jti for _, token in found] == ["b"]
        await end(world, "d")
        after = await world.ended.after(places[2], limit=9, wait=AT_ONCE)
        assert [token.jti for _, token in after] == ["d"]
