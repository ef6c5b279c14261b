"""One line of the log for all that one command recorded; a line each for everything else."""

import asyncio

from structlog.testing import capture_logs

from bot.core.moves import Cancel
from bot.usecases.tasks import Tasks
from bot.usecases.telling import collect, stop
from tests.usecases.bots import ANNA, Bot


async def test_what_nobody_collects_has_a_line_of_its_own(bot: Bot) -> None:
    with capture_logs() as lines:
        request = await bot.ask("read")
    told = [line for line in lines if line["event"] == "request.requested"]
    assert [line["request"] for line in told] == [request.id]


async def test_what_is_collected_has_none_and_is_told_together(bot: Bot) -> None:
    facts, collecting = collect()
    with capture_logs() as lines:
        request = await bot.ask("read")
        await bot.move(request, Cancel(), by=ANNA)
    stop(collecting)
    assert facts == [f"request.requested {request.id}", f"request.cancelled {request.id}"]
    assert not [line for line in lines if line["event"].startswith("request.")]


async def test_what_follows_in_a_task_of_its_own_is_not_swallowed(bot: Bot) -> None:
    tasks, (facts, collecting) = Tasks(), collect()
    with capture_logs() as lines:
        tasks.spawn(bot.ask("read"))
        stop(collecting)
        await asyncio.sleep(0)
        await tasks.drained()
    assert facts == []
    assert "request.requested" in [line["event"] for line in lines]
