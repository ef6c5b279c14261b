"""Grants that are asked for later: decided for that moment, and again when it comes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.core import events as e
from bot.core.errors import Invalid, WrongState
from bot.core.moves import Approve, Cancel, Claim, Revoke
from bot.core.policy import Guardrail, Policy, Selector, Verdict
from bot.core.scopes import Limits, TicketRule, Tracker
from bot.core.states import GrantState, RequestState
from bot.core.tickets import Ticket
from bot.core.windows import Window
from bot.usecases.ports import Standing
from bot.usecases.timers import START_PATIENCE
from bot.usecases.wishes import Wish
from tests.usecases.bots import (
    ANNA,
    AT_ONCE,
    BEN,
    BY_LEAD,
    DAN,
    SHELF,
    TWO_LEADS,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)

LATER = timedelta(hours=3)
AHEAD = timedelta(days=7)
PLANNED = a_bundle("planned", start_within=AHEAD)


def changed(*rules, rails: tuple[Guardrail, ...] = (), **over) -> Policy:
    """Return a policy with these rules for `planned`."""
    shelf = {**SHELF, "planned": (replace(PLANNED, **over), rules or (BY_LEAD,))}
    return a_policy(shelf, rails=rails)


async def planned(bot: Bot, *, after: timedelta = LATER, bundle: str = "planned", **over):
    """Return a request that was approved, to start `after` from now."""
    request = await bot.ask(bundle, start=bot.clock.now() + after, **over)
    if request.grant is None:
        request = (await bot.move(request, Approve(), by=BEN)).request
    assert request.waiting_grant is not None
    return request


async def ended_unstarted(bot: Bot, request) -> str:
    """Return why the grant ended before it began."""
    over = await bot.now(request)
    assert over.grant.state is GrantState.REVOKED
    assert over.grant.never_started
    assert over.is_over
    assert e.Started not in await bot.kinds(request)
    return over.grant.close.reason


async def test_it_starts_by_itself_at_its_time_and_ends_by_its_own_length(bot: Bot) -> None:
    request = await planned(bot)
    start = request.asked.start_at
    assert await bot.listings.count_live() == 0
    await bot.pass_(hours=2, minutes=59)
    assert (await bot.now(request)).waiting_grant is not None
    await bot.pass_(minutes=2)
    grant = (await bot.now(request)).working_grant
    assert grant is not None
    assert grant.started_at == start
    assert grant.ends_at == start + request.asked.duration
    assert await bot.works(grant.token)
    await bot.pass_(minutes=30)
    assert (await bot.now(request)).grant.state is GrantState.EXPIRED
    assert not await bot.works(grant.token)


@pytest.mark.parametrize(
    ("bundle", "after", "why"),
    [
        ("read", LATER, "cannot be asked for later"),
        ("claimed", LATER, "cannot be asked for later"),
        ("planned", AHEAD + timedelta(seconds=2), "7d ahead at most"),
        ("planned", timedelta(0), "has passed"),
        ("planned", -LATER, "has passed"),
    ],
)
async def test_a_start_that_cannot_be_is_refused_and_nothing_is_recorded(
    bot: Bot, bundle, after, why
) -> None:
    with pytest.raises(Invalid, match=why) as caught:
        await bot.ask(bundle, start=bot.clock.now() + after)
    assert caught.value.field == "start"
    assert await bot.requests.mine(ANNA) == []


async def test_break_glass_is_never_for_later(bot: Bot) -> None:
    with pytest.raises(Invalid, match="never for later"):
        await bot.break_glass("alarm", start=bot.clock.now() + LATER)


def closed(at: datetime) -> Guardrail:
    """Return a guardrail that forbids everything on the day of `at`."""
    day = at.date()
    window = Window(name="freeze", zone=UTC, first=day, last=day)
    return Guardrail(id="frozen", bundles=Selector(), during=window, deny=True)


async def test_policy_decides_about_the_moment_of_the_start(bot: Bot) -> None:
    then = bot.clock.now() + timedelta(days=2)
    bot.policy = changed(rails=(closed(then),))
    denied = await bot.ask("planned", start=then)
    assert denied.state is RequestState.DENIED
    assert "guardrail frozen forbids it" in denied.close.reason
    why = await bot.requests.why(Wish(bundle="planned", start=then), by=ANNA)
    assert why.decision.guardrail == "frozen"
    bot.policy = changed(rails=(closed(bot.clock.now()),))
    assert (await bot.ask("planned")).state is RequestState.DENIED
    request = await planned(bot, after=timedelta(days=2))
    await bot.pass_(days=2, minutes=1)
    assert (await bot.now(request)).working_grant is not None


async def test_a_policy_that_denies_by_then_ends_it_before_it_begins(bot: Bot) -> None:
    request = await planned(bot)
    bot.policy = changed(a_rule(Verdict.DENY))
    await bot.pass_(hours=3, minutes=1)
    assert "rule rule says deny" in await ended_unstarted(bot, request)


async def test_a_policy_that_asks_others_by_then_ends_it_before_it_begins(bot: Bot) -> None:
    request = await planned(bot)
    bot.policy = changed(a_rule(Verdict.REQUIRE, TWO_LEADS))
    await bot.pass_(hours=3, minutes=1)
    assert "others must approve it now" in await ended_unstarted(bot, request)


async def test_what_policy_approved_by_itself_is_decided_again_without_counting_itself(
    bot: Bot,
) -> None:
    bot.policy = changed(AT_ONCE, limits=Limits(auto_per_day=1))
    request = await planned(bot, after=timedelta(days=2))
    await bot.pass_(days=1, hours=23)
    assert (await bot.ask("planned")).working_grant is not None  # the one of today
    await bot.pass_(hours=1, minutes=1)
    assert (await bot.now(request)).working_grant is not None


async def test_who_has_left_by_then_gets_nothing(bot: Bot) -> None:
    request = await planned(bot)
    bot.directory.people[ANNA.id] = Standing.DEACTIVATED
    await bot.pass_(hours=3, minutes=1)
    assert "deactivated" in await ended_unstarted(bot, request)


async def test_as_many_as_are_allowed_at_once_start(bot: Bot) -> None:
    bot.policy = changed(AT_ONCE, limits=Limits(active_total=1))
    first, second = await planned(bot), await planned(bot)
    await bot.pass_(hours=3, minutes=1)
    grants = [(await bot.now(each)).grant for each in (first, second)]
    assert sorted(grant.state for grant in grants) == [GrantState.LIVE, GrantState.REVOKED]
    [reason] = [grant.close.reason for grant in grants if grant.close is not None]
    assert "1 is the limit" in reason


TICKET = TicketRule(pattern="[A-Z]+-[0-9]+", example="OPS-1", tracker=Tracker.JIRA)


async def test_the_ticket_is_looked_at_again(bot: Bot) -> None:
    bot.policy = changed(ticket=TICKET)
    bot.tracker.tickets["OPS-7"] = Ticket(id="OPS-7", title="Ship it", open=True, status="Open")
    request = await planned(bot, ticket="OPS-7")
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    await bot.pass_(hours=3, minutes=1)
    assert "OPS-7" in await ended_unstarted(bot, request)


async def test_what_cannot_be_found_out_is_tried_again(bot: Bot) -> None:
    request = await planned(bot)
    bot.directory.away = True
    await bot.pass_(hours=3, minutes=5)
    assert (await bot.now(request)).waiting_grant is not None
    bot.directory.away = False
    await bot.pass_(minutes=2)
    grant = (await bot.now(request)).working_grant
    assert grant.ends_at - grant.started_at == request.asked.duration
    assert grant.started_at >= request.asked.start_at + timedelta(minutes=5)


async def test_and_in_the_end_it_does_not_start(bot: Bot) -> None:
    request = await planned(bot)
    bot.directory.away = True
    await bot.pass_(hours=3)
    await bot.pass_(seconds=START_PATIENCE.total_seconds() - 1)
    assert (await bot.now(request)).waiting_grant is not None
    await bot.pass_(minutes=2)
    assert "could not be found out in time" in await ended_unstarted(bot, request)


@pytest.mark.parametrize("by", [ANNA, BEN, DAN], ids=str)
async def test_it_can_be_given_up_before_it_begins(bot: Bot, by) -> None:
    request = await planned(bot)
    await bot.move(request, Revoke("not needed"), by=by)
    await bot.pass_(hours=4)
    assert await ended_unstarted(bot, request) == "not needed"


async def test_nobody_starts_it_by_hand(bot: Bot) -> None:
    request = await planned(bot)
    with pytest.raises(WrongState, match="does not start so"):
        await bot.move(request, Claim(), by=ANNA)


async def test_it_can_be_taken_back_while_people_decide(bot: Bot) -> None:
    request = await bot.ask("planned", start=bot.clock.now() + LATER)
    await bot.move(request, Cancel(), by=ANNA)
    await bot.pass_(hours=4)
    assert await bot.kinds(request) == [e.Requested, e.Cancelled]


async def test_what_is_approved_too_late_starts_at_once(bot: Bot) -> None:
    request = await bot.ask("planned", start=bot.clock.now() + timedelta(minutes=5))
    await bot.pass_(minutes=10)
    granted = (await bot.move(request, Approve(), by=BEN)).request.working_grant
    assert granted.ends_at - granted.started_at == request.asked.duration


async def test_two_replicas_start_it_once(replicas: tuple[Bot, Bot]) -> None:
    bot, twin = replicas
    request = await planned(bot, after=timedelta(seconds=2))
    await bot.wait(timedelta(seconds=2.1))
    await asyncio.gather(bot.work(), twin.work())
    assert (await bot.kinds(request)).count(e.Started) == 1


async def test_while_the_clocks_disagree_nothing_starts(bot: Bot) -> None:
    request = await planned(bot)
    bot.clock.agreeing = False
    await bot.pass_(hours=3, minutes=1)
    assert (await bot.now(request)).waiting_grant is not None
    bot.clock.agreeing = True
    await bot.pass_(minutes=2)
    assert (await bot.now(request)).working_grant is not None
