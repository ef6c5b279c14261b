import asyncio

from tests.contracts.world import LONG, MILLISECOND, MOMENT, TICK, World


class OnceContract:
    async def test_the_first_of_twenty_is_the_only_one(self, world: World) -> None:
        answers = await asyncio.gather(*(world.once.first("x", within=LONG) for _ in range(20)))
        assert answers.count(True) == 1

    async def test_names_do_not_mix(self, world: World) -> None:
        assert await world.once.first("x", within=LONG)
        assert await world.once.first("y", within=LONG)

    async def test_after_the_time_it_is_the_first_again(self, world: World) -> None:
        began = world.now()
        assert await world.once.first("x", within=MOMENT)
        while not await world.once.first("x", within=LONG):
            await world.wait(TICK)
        assert world.now() > began + MOMENT - MILLISECOND
        assert not await world.once.first("x", within=MOMENT)
