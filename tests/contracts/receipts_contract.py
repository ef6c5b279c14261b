from bot.core.identity import RequestId
from bot.usecases.ports import Queue, Receipt
from tests.builders import REQUEST
from tests.contracts.jobs_contract import claim_one, show
from tests.contracts.world import LONG, MOMENT, World

CARD = Receipt("card", "C1", "1700000000.000100", "")


class ReceiptsContract:
    async def test_receipts_are_kept_by_name(self, world: World) -> None:
        await show(world, "a")
        job = await claim_one(world)
        filled = Receipt("card", "C1", "1700000000.000100", "d" * 16)
        line = Receipt("line:1", "C1", "1700000000.000200", "ü")
        for receipt in (CARD, filled, line):
            assert await world.receipts.keep(job, receipt, lease=LONG)
        assert await world.receipts.of(REQUEST) == {"card": filled, "line:1": line}

    async def test_a_request_that_was_never_shown_has_none(self, world: World) -> None:
        assert await world.receipts.of(RequestId("R-BBBBBBBBBBBB")) == {}

    async def test_keeping_a_receipt_renews_the_lease(self, world: World) -> None:
        await show(world, "a")
        job = await claim_one(world, lease=MOMENT)
        assert await world.receipts.keep(job, CARD, lease=LONG)
        await world.wait(MOMENT * 1.5)
        assert await world.owed(Queue.MESSAGES) == []

    async def test_an_old_holder_keeps_nothing(self, world: World) -> None:
        await show(world, "a")
        old = await claim_one(world, lease=MOMENT)
        await world.wait(MOMENT * 1.5)
        new = await claim_one(world)
        assert not await world.receipts.keep(old, CARD, lease=LONG)
        assert await world.receipts.of(REQUEST) == {}
        assert await world.receipts.keep(new, CARD, lease=LONG)

    async def test_a_finished_job_keeps_nothing(self, world: World) -> None:
        await show(world, "a")
        job = await claim_one(world)
        await world.jobs.finish(job)
        assert not await world.receipts.keep(job, CARD, lease=LONG)
        assert await world.receipts.of(REQUEST) == {}
