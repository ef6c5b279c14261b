import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.core.errors import Unavailable
from bot.core.policy import Group
from bot.sandbox.client import Acme
from bot.slack.directory import SlackDirectory, find_home
from bot.usecases.ports import Standing
from tests.clocks import ManualClock
from tests.contracts.directory_contract import BILLING, DirectoryContract, Workspace, who
from tests.slack.stand_in import a_slack


class TestSlackDirectory(DirectoryContract):
    @pytest.fixture
    async def workspace(self):
        async with a_slack() as (sandbox, api), Acme(sandbox.url) as acme:
            home = await find_home(api)

            async def deactivate(user):
                await acme.becomes(user, "deactivated")

            async def go_away():
                await acme.fails("*", status=503, times=1000)

            directory = SlackDirectory(api, home, now=lambda: datetime.now(UTC))
            yield Workspace(directory=directory, deactivate=deactivate, go_away=go_away)


@pytest.fixture
async def slack():
    """The stand-in, a directory whose time passes only when a test says so, and its clock."""
    async with a_slack() as (sandbox, api), Acme(sandbox.url) as acme:
        clock = ManualClock()
        yield acme, SlackDirectory(api, await find_home(api), now=clock.now), clock


async def calls(acme, method):
    return len(await acme.calls(method))


async def test_where_the_app_is_installed():
    async with a_slack() as (_, api):
        home = await find_home(api)
        assert (home.id, home.team, home.bot_user) == ("T0DEMO", "T0DEMO", "U0JITBOT")


async def test_what_was_looked_up_is_kept_for_a_minute(slack):
    acme, directory, clock = slack
    for _ in range(3):
        await directory.standing(who("U0ANNA"))
        await directory.groups_of(who("U0ANNA"), [BILLING])
        await directory.channel_problem("#general")
    for method in ("users.info", "usergroups.users.list", "conversations.list"):
        assert await calls(acme, method) == 1
    await clock.wait(timedelta(minutes=1))
    await directory.standing(who("U0ANNA"))
    await directory.groups_of(who("U0ANNA"), [BILLING])
    assert await calls(acme, "users.info") == 2
    assert await calls(acme, "usergroups.users.list") == 2


async def test_an_event_makes_it_look_again_at_once(slack):
    acme, directory, _ = slack
    assert await directory.standing(who("U0BEN")) is Standing.MEMBER
    assert await directory.groups_of(who("U0BEN"), [BILLING]) == {"billing"}
    await acme.becomes("Ben", "guest")
    await acme.regroups("S0BILLING", "Cleo")
    directory.forget_person("U0BEN")
    directory.forget_members("S0BILLING")
    assert await directory.standing(who("U0BEN")) is Standing.GUEST
    assert await directory.groups_of(who("U0BEN"), [BILLING]) == frozenset()


async def test_many_who_ask_at_once_are_one_look(slack):
    acme, directory, _ = slack
    await asyncio.gather(*(directory.standing(who("U0ANNA")) for _ in range(20)))
    assert await calls(acme, "users.info") == 1


async def test_a_channel_that_was_mended_is_seen_at_once(slack):
    acme, directory, _ = slack
    assert "/invite" in await directory.channel_problem("#hidden")
    with pytest.raises(Unavailable):
        await directory.channel_id("#hidden")
    before = await calls(acme, "conversations.list")
    await directory.channel_problem("#hidden")
    assert await calls(acme, "conversations.list") > before


async def test_a_channel_is_found_by_name_and_by_id(slack):
    _, directory, _ = slack
    assert await directory.channel_id("#access-requests") == "C0ACCESS"
    assert await directory.channel_id("C0ACCESS") == "C0ACCESS"


async def test_no_group_at_all_needs_no_look(slack):
    acme, directory, _ = slack
    assert await directory.groups_of(who("U0ANNA"), []) == frozenset()
    assert await calls(acme, "usergroups.users.list") == 0


async def test_a_fresh_look_sees_that_somebody_has_left_a_group(slack):
    acme, directory, _ = slack
    dan, sre = who("U0DAN"), Group(name="sre", usergroup="S0SRE")
    assert await directory.groups_of(dan, [sre]) == {"sre"}
    await acme.regroups("S0SRE", "Cleo")
    assert await directory.groups_of(dan, [sre]) == {"sre"}  # as it was told lately
    assert await directory.groups_of(dan, [sre], fresh=True) == frozenset()
    assert await directory.groups_of(dan, [sre]) == frozenset()
