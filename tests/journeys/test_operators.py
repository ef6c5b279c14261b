"""What an operator does at a terminal, and how it is told in Slack."""

import asyncio

from click.testing import CliRunner

from bot.cli import main
from tests.journeys.town import DIRECT, becomes, granted, told


async def jit(*words, url):
    run, env = CliRunner().invoke, {"REDIS_URL": url}
    return await asyncio.to_thread(run, main, list(words), env=env)


async def test_grants_that_an_operator_ends_are_dead_and_told_in_their_threads(web_town, redis_url):
    anna, ben, cleo = web_town.people("Anna", "Ben", "Cleo")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    _, other = await granted(cleo, "read", "to look at bill 4712", by=ben)
    reason = ("--reason", "laptop stolen")
    found = await jit("grants", "revoke", "--person", anna.id, "--yes", *reason, url=redis_url)
    assert (found.exit_code, found.output) == (0, "1 grant found, 1 ended\n")
    assert not await web_town.works(token)
    assert await web_town.works(other)
    await becomes(ben, card, "*Ended early*")
    await told(ben, card, "The access has ended", "by an operator: laptop stolen")
    await anna.sees("The token is dead", channel=DIRECT)
    left = await jit("grants", "list", "--client", "slack", url=redis_url)
    assert left.output.splitlines()[-1] == "1 live"
