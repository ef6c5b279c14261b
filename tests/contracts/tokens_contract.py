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
