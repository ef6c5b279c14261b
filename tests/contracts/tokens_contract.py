import asyncio
from datetime import timedelta

from tests.contracts.world import LONG, MILLISECOND, MOMENT, TICK, World, change, token


class TokensContract:
    async def test_a_token_is_found_equal(self, world: World) -> None:
        hash_, record = token(world.now() + LONG)
        await world.ledger.commit(change("a", tokens={hash_: record}))
        assert await world.tokens.find(hash_) == record
        assert await world.tokens.find(token(world.now(), "b")[0]) is None

    async def test_a_token_dies_at_its_end_by_itself(self, world: World) -> None:
        hash_, record = token(world.now() + MOMENT)
        await world.ledger.commit(change("a", tokens={hash_: record}))
        asked = world.now()
        while await world.tokens.find(hash_) is not None:
            assert asked < record.expires_at + MILLISECOND
            await world.wait(TICK)
            asked = world.now()
        assert world.now() > record.expires_at - MILLISECOND

    async def test_a_token_that_is_over_is_never_found(self, world: World) -> None:
        hash_, record = token(world.now() - timedelta(seconds=1))
        await world.ledger.commit(change("a", tokens={hash_: record}))
        assert await world.tokens.find(hash_) is None

    async def test_an_ended_token_is_gone_and_others_are_not(self, world: World) -> None:
        first, second = token(world.now() + LONG, "a"), token(world.now() + LONG, "b")
        await world.ledger.commit(change("a", tokens=dict([first, second])))
        await world.ledger.commit(change("b", tokens={first[0]: None}))
        assert await world.tokens.find(first[0]) is None
        assert await world.tokens.find(second[0]) == second[1]

    async def test_many_at_once_are_each_told_of_their_own(self, world: World) -> None:
        found = dict(token(world.now() + LONG, f"{n:03}") for n in range(300))
        await world.ledger.commit(change("a", tokens=found))
        asked = [*found, token(world.now(), "b")[0], *found]
        answers = await asyncio.gather(*map(world.tokens.find, asked))
        assert answers == [*found.values(), None, *found.values()]

    async def test_what_is_asked_after_an_end_is_never_told_from_before_it(
        self, world: World
    ) -> None:
        hash_, record = token(world.now() + LONG)
        await world.ledger.commit(change("a", tokens={hash_: record}))
        early = [asyncio.create_task(world.tokens.find(hash_)) for _ in range(50)]
        await world.ledger.commit(change("b", tokens={hash_: None}))
        late = await asyncio.gather(*(world.tokens.find(hash_) for _ in range(50)))
        assert set(map(str, late)) == {"None"}
        await asyncio.gather(*early)

    async def test_all_that_may_be_used_are_listed(self, world: World) -> None:
        assert list(await world.tokens.living()) == []
        found = dict(token(world.now() + LONG, f"{n:04}") for n in range(2500))
        over = token(world.now() - timedelta(seconds=1), "b")
        ended = token(world.now() + LONG, "c")
        await world.ledger.commit(change("a", tokens=dict([*found.items(), over, ended])))
        await world.ledger.commit(change("b", tokens={ended[0]: None}))
        assert dict(await world.tokens.living()) == found
