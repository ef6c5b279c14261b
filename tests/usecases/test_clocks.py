"""Grants that begin when their holder starts them: decided again then, and lapsing unused."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import NotAllowed, TooLate, Unavailable, WrongState
from bot.core.moves import Approve, Claim, Reveal, Revoke
from bot.core.policy import Verdict
from bot.core.states import GrantState
from bot.usecases.ports import Standing
from tests.usecases.bots import (
    ANNA,
    AT_ONCE,
    BEN,
    BY_LEAD,
    CLAIM_WITHIN,
    DAN,
    FINN,
    SHELF,
    TWO_LEADS,
    Bot,
    a_policy,
    a_rule,
)


async def approved(bot: Bot, bundle: str = "claimed"):
    """Return a request that was approved, and whose grant has yet to start."""
    request = await bot.ask(bundle)
    if request.grant is None:
        request = (await bot.move(request, Approve(), by=BEN)).request
    assert request.waiting_grant is not None
    return request


async def test_an_approval_starts_nothing_until_the_requester_does(either: Bot) -> None:
    request = await approved(either)
    assert (await either.kinds(request))[-2:] == [e.Approved, e.Granted]
    assert request.open_until == request.close.at + CLAIM_WITHIN
    assert await either.listings.count_live() == 0
    with pytest.raises(WrongState, match="not started yet"):
        await either.requests.reveal(request.id, by=ANNA, delivery="r")
    started = (await either.move(request, Claim(), by=ANNA)).request
    grant = started.working_grant
    assert grant is not None
    assert grant.ends_at - grant.started_at == request.asked.duration
    assert await either.works(grant.token)
    assert await either.requests.reveal(request.id, by=ANNA, delivery="r2")


@pytest.mark.parametrize("by", [BEN, DAN, FINN], ids=str)
async def test_nobody_else_starts_it(bot: Bot, by) -> None:
    request = await approved(bot)
    with pytest.raises(NotAllowed, match="only the person who asked"):
        await bot.move(request, Claim(), by=by)
    assert (await bot.now(request)).waiting_grant is not None


async def test_starting_it_many_times_at_once_starts_it_once(either: Bot) -> None:
    request = await approved(either)
    clicks = (either.move(request, Claim(), by=ANNA) for _ in range(10))
    outcomes = await asyncio.gather(*clicks)
    assert {outcome.request.grant.token for outcome in outcomes} == {
        (await either.now(request)).grant.token
    }
    assert (await either.kinds(request)).count(e.Started) == 1


async def test_what_is_not_started_in_time_lapses(bot: Bot) -> None:
    request = await approved(bot)
    await bot.pass_(minutes=19)
    assert (await bot.now(request)).waiting_grant is not None
    await bot.pass_(minutes=2)
    over = await bot.now(request)
    assert over.grant.state is GrantState.EXPIRED
    assert over.grant.never_started
    assert over.is_over
    assert (await bot.kinds(request))[-1] is e.Unclaimed
    with pytest.raises(WrongState, match="expired already"):
        await bot.move(request, Claim(), by=ANNA)


async def test_who_starts_it_too_late_is_told_and_it_lapses_at_once(either: Bot) -> None:
    bundle = replace(SHELF["claimed"][0], claim_within=timedelta(milliseconds=300))
    either.policy = a_policy({**SHELF, "claimed": (bundle, (BY_LEAD,))})
    request = await approved(either)
    await either.wait(timedelta(milliseconds=400))
    with pytest.raises(TooLate):
        await either.move(request, Claim(), by=ANNA)
    if (await either.now(request)).waiting_grant is not None:
        await either.work()
    assert (await either.kinds(request))[-1] is e.Unclaimed


async def test_the_stores_clock_decides_whether_it_is_too_late(either: Bot) -> None:
    bundle = replace(SHELF["claimed"][0], claim_within=timedelta(milliseconds=300))
    either.policy = a_policy({**SHELF, "claimed": (bundle, (BY_LEAD,))})
    request = await approved(either)
    case = either.desk.circumstances()
    await either.wait(timedelta(milliseconds=400))
    with pytest.raises(TooLate):  # though by our clock it is early enough
        await either.desk.carry_out(request.id, Claim(), by=ANNA, case=case, commit_id="c")
    assert (await either.kinds(request))[-1] is e.Unclaimed


async def test_today_s_policy_decides_at_the_start(bot: Bot) -> None:
    request = await approved(bot)
    for rule, why in (
        (a_rule(Verdict.DENY), "says deny"),
        (a_rule(Verdict.REQUIRE, TWO_LEADS), "others must approve it now"),
    ):
        bot.policy = a_policy({**SHELF, "claimed": (SHELF["claimed"][0], (rule,))})
        with pytest.raises(NotAllowed, match=why):
            await bot.move(request, Claim(), by=ANNA)
    assert (await bot.now(request)).waiting_grant is not None
    bot.policy = a_policy()
    assert (await bot.move(request, Claim(), by=ANNA)).request.working_grant is not None


async def test_who_is_no_member_any_more_starts_nothing(bot: Bot) -> None:
    request = await approved(bot)
    bot.directory.away = True
    with pytest.raises(Unavailable):
        await bot.move(request, Claim(), by=ANNA)
    bot.directory.away = False
    bot.directory.people[ANNA.id] = Standing.DEACTIVATED
    with pytest.raises(NotAllowed, match="deactivated"):
        await bot.move(request, Claim(), by=ANNA)
    assert (await bot.now(request)).waiting_grant is not None


async def test_limits_are_counted_at_the_start(either: Bot) -> None:
    first, second = await approved(either, "claimed-rare"), await approved(either, "claimed-rare")
    await either.move(first, Claim(), by=ANNA)
    with pytest.raises(NotAllowed, match="1 is the limit"):
        await either.move(second, Claim(), by=ANNA)
    await either.move(first, Revoke(), by=ANNA)
    started = await either.move(second, Claim(), by=ANNA)
    assert started.request.working_grant is not None


async def test_what_policy_approved_by_itself_does_not_count_against_itself(bot: Bot) -> None:
    request = await approved(bot, "claimed-once")
    assert (await bot.move(request, Claim(), by=ANNA)).request.working_grant is not None


@pytest.mark.parametrize("by", [ANNA, BEN, DAN], ids=str)
async def test_who_may_end_a_grant_may_end_it_before_it_begins(either: Bot, by) -> None:
    request = await approved(either)
    over = (await either.move(request, Revoke("no need"), by=by)).request
    assert over.grant.state is GrantState.REVOKED
    assert over.is_over
    with pytest.raises(WrongState, match="revoked already"):
        await either.move(request, Claim(), by=ANNA)


async def test_the_end_is_counted_from_the_start(bot: Bot) -> None:
    request = await approved(bot)
    await bot.pass_(minutes=15)
    token = (await bot.move(request, Claim(), by=ANNA)).request.grant.token
    await bot.pass_(minutes=26)
    assert (await bot.now(request)).grant.state is GrantState.EXPIRING
    assert await bot.works(token)
    await bot.pass_(minutes=5)
    assert (await bot.kinds(request))[-2:] == [e.Ended, e.UsageSummed]
    assert not await bot.works(token)


async def test_break_glass_waits_for_no_claim(bot: Bot) -> None:
    bundle = replace(SHELF["alarm"][0], claim_within=CLAIM_WITHIN)
    bot.policy = a_policy({**SHELF, "alarm": (bundle, (AT_ONCE,))})
    assert (await bot.break_glass("alarm")).working_grant is not None


async def test_more_time_starts_at_once(bot: Bot) -> None:
    request = await approved(bot)
    await bot.move(request, Claim(), by=ANNA)
    more = (await bot.requests.extend(request.id, by=ANNA, delivery="x")).request
    assert more.asked.claim_within is None
    assert more.asked.claim_within is None
    await bot.move(more, Approve(), by=BEN)
    assert len((await bot.now(request)).grant.tokens) == 2
    await bot.move(request, Reveal(), by=ANNA)
