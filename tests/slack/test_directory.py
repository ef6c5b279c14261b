import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.core.errors import Unavailable
from bot.on_call.memory import MemoryOnCall
from bot.sandbox.client import Acme
from bot.slack.directory import SlackDirectory, find_home
from bot.slack.listeners import ANSWER_WITHIN_S
from bot.usecases.ports import Standing
from tests.clocks import ManualClock
from tests.contracts.directory_contract import (
    BILLING,
    MANAGER,
    ON_CALL,
    ROTA,
    WHOEVER,
    DirectoryContract,
    Workspace,
    who,
)
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

            on_call = MemoryOnCall()

            def roster(*users):
                people = sandbox.workspace.people
                on_call.rotas[ROTA] = frozenset(
                    people[user].email if user in people else "nobody@acme.example"
                    for user in users
                )

            def settle(user, zone):
                people = sandbox.workspace.people
                people[user] = replace(people[user], zone=zone)

            directory = SlackDirectory(api, home, on_call, now=lambda: datetime.now(UTC))
            yield Workspace(
                directory=directory,
                zones=directory,
                settle=settle,
                deactivate=deactivate,
                go_away=go_away,
                roster=roster,
                forget_rotas=on_call.rotas.clear,
            )


class SlowOnCall(MemoryOnCall):
    hangs = False

    async def who(self, rota):
        await asyncio.sleep(60 * self.hangs)
        return await super().who(rota)


@pytest.fixture
def on_call():
    return SlowOnCall()


@pytest.fixture
async def slack(on_call):
    """The stand-in, a directory whose time passes only when a test says so, and its clock."""
    async with a_slack() as (sandbox, api), Acme(sandbox.url) as acme:
        clock = ManualClock()
        home = await find_home(api)
        yield acme, SlackDirectory(api, home, on_call, now=clock.now), clock


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
        await directory.groups_of(who("U0ANNA"), [BILLING], about=WHOEVER)
        await directory.channel_problem("#general")
    for method in ("users.info", "usergroups.users.list", "conversations.list"):
        assert await calls(acme, method) == 1
    await clock.wait(timedelta(minutes=1))
    await directory.standing(who("U0ANNA"))
    await directory.groups_of(who("U0ANNA"), [BILLING], about=WHOEVER)
    assert await calls(acme, "users.info") == 2
    assert await calls(acme, "usergroups.users.list") == 2


async def test_an_event_makes_it_look_again_at_once(slack):
    acme, directory, _ = slack
    assert await directory.standing(who("U0BEN")) is Standing.MEMBER
    assert await directory.groups_of(who("U0BEN"), [BILLING], about=WHOEVER) == {"billing"}
    await acme.becomes("Ben", "guest")
    await acme.regroups("S0BILLING", "Cleo")
    directory.forget_person("U0BEN")
    directory.forget_members("S0BILLING")
    assert await directory.standing(who("U0BEN")) is Standing.GUEST
    assert await directory.groups_of(who("U0BEN"), [BILLING], about=WHOEVER) == frozenset()


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
    assert await directory.groups_of(who("U0ANNA"), [], about=WHOEVER) == frozenset()
    assert await calls(acme, "usergroups.users.list") == 0


async def test_who_is_on_call_is_kept_for_a_minute_and_asked_anew_where_it_counts(slack, on_call):
    _, directory, clock = slack
    on_call.rotas[ROTA] = frozenset({"dan@acme.example"})
    assert await directory.members_of(ON_CALL, about=WHOEVER) == {"U0DAN"}
    on_call.rotas[ROTA] = frozenset({"U0BEN"})
    assert await directory.members_of(ON_CALL, about=WHOEVER) == {"U0DAN"}
    assert await directory.groups_of(who("U0DAN"), [ON_CALL], about=WHOEVER) == {"on-call"}
    fresh = await directory.groups_of(who("U0DAN"), [ON_CALL], about=WHOEVER, fresh=True)
    assert fresh == frozenset()
    assert await directory.members_of(ON_CALL, about=WHOEVER) == {"U0BEN"}
    on_call.rotas[ROTA] = frozenset({"U0CLEO"})
    await clock.wait(timedelta(minutes=1))
    assert await directory.members_of(ON_CALL, about=WHOEVER) == {"U0CLEO"}


async def test_what_was_known_before_a_service_went_down_is_not_told_afterwards(slack, on_call):
    _, directory, _ = slack
    on_call.rotas[ROTA] = frozenset({"U0DAN"})
    await directory.members_of(ON_CALL, about=WHOEVER)
    on_call.away = True
    with pytest.raises(Unavailable, match="on-call of PSRE123 cannot be read"):
        await directory.groups_of(who("U0DAN"), [ON_CALL], about=WHOEVER, fresh=True)
    with pytest.raises(Unavailable):
        await directory.members_of(ON_CALL, about=WHOEVER)
    on_call.away = False
    assert await directory.members_of(ON_CALL, about=WHOEVER) == {"U0DAN"}


async def test_a_service_that_hangs_is_not_waited_for_longer_than_a_click_can(slack, on_call):
    _, directory, _ = slack
    on_call.hangs = True
    async with asyncio.timeout(ANSWER_WITHIN_S):
        with pytest.raises(Unavailable, match="PSRE123"):
            await directory.groups_of(who("U0DAN"), [ON_CALL], about=WHOEVER, fresh=True)


async def test_another_manager_is_seen_when_slack_tells_of_the_person(slack):
    acme, directory, _ = slack
    anna = who("U0ANNA")
    assert await directory.members_of(MANAGER, about=anna) == {"U0BEN"}
    assert await directory.members_of(MANAGER, about=anna) == {"U0BEN"}
    assert await calls(acme, "users.profile.get") == 1
    directory.forget_person("U0ANNA")
    await directory.members_of(MANAGER, about=anna)
    assert await calls(acme, "users.profile.get") == 2


async def test_a_manager_who_is_no_member_any_more_does_not_count(slack):
    acme, directory, _ = slack
    for kind in ("guest", "deactivated"):
        await acme.becomes("Ben", kind)
        directory.forget_person("U0BEN")
        directory.forget_person("U0ANNA")
        assert await directory.members_of(MANAGER, about=who("U0ANNA")) == frozenset()


async def test_a_profile_that_cannot_be_read_is_told_as_such(slack):
    acme, directory, _ = slack
    await acme.fails("users.profile.get", error="fatal_error", times=10)
    with pytest.raises(Unavailable, match="did not say who the manager of whoever asks is"):
        await directory.groups_of(who("U0BEN"), [MANAGER], about=who("U0ANNA"))
