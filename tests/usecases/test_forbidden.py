"""Live grants under a policy that changed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.conditions import compile_condition
from bot.core.identity import BOT
from bot.core.moves import SignOff
from bot.core.policy import Guardrail, Selector, Verdict
from bot.core.scopes import Limits
from bot.usecases.forbidden import Forbidden
from bot.usecases.ports import Standing
from tests.usecases.bots import (
    ANNA,
    BEN,
    BY_LEAD,
    EVA,
    GLASS,
    SHELF,
    a_bundle,
    a_policy,
    a_rule,
)


def forbidden(bot):
    facts = bot.facts
    return Forbidden(bot.desk, bot.gate, facts, listings=bot.listings, policy=lambda: bot.policy)


def on_shelf(name, *rules, rails=(), **over):
    """Return a policy in which the bundle `name` is another, or has other rules."""
    bundle, old = SHELF[name]
    return a_policy({**SHELF, name: (replace(bundle, **over), rules or old)}, rails=rails)


def rail(**over):
    return Guardrail(id="rail", bundles=Selector(), deny=True, **over)


async def test_what_is_allowed_still_is_left_alone(either):
    request = await either.granted("read")
    await either.granted("auto", by=BEN)
    judged = await forbidden(either).judge()
    assert {each.request.id for each in judged} >= {request.id}
    assert [(each.forbidden, each.unknown) for each in judged] == [("", ""), ("", "")]


async def test_the_approval_that_reached_the_cap_is_not_forbidden_by_it(either):
    either.policy = on_shelf("auto", limits=Limits(auto_per_day=1))
    await either.granted("auto")
    [judged] = await forbidden(either).judge()
    assert (judged.forbidden, judged.unknown) == ("", "")


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (on_shelf("read", a_rule(Verdict.DENY)), "rule rule says deny"),
        (on_shelf("read", a_rule(Verdict.REQUIRE, requesters=("security",))), "no rule lets you"),
        (on_shelf("read", max_duration=timedelta(minutes=5)), "5m at most"),
        (on_shelf("read", scopes=a_bundle("x").scopes[:1]), "has no scope 'refunds:read'"),
        (on_shelf("read", resource="https://other.example"), "read is not what it was"),
        (
            a_policy({name: each for name, each in SHELF.items() if name != "read"}),
            "there is no read any more",
        ),
    ],
)
async def test_what_todays_policy_denies_is_ended_with_the_reason(bot, policy, why):
    request, other = await bot.granted("read"), await bot.granted("auto", by=BEN)
    token = request.working_grant.token
    bot.policy = policy
    grants = forbidden(bot)
    wrong = [each for each in await grants.judge() if each.forbidden]
    assert [each.request.id for each in wrong] == [request.id]
    assert why in wrong[0].forbidden
    assert await bot.works(token)
    outcome = await grants.end(wrong[0])
    revoked = outcome.events[-1]
    assert isinstance(revoked, e.Revoked)
    assert (revoked.by, why in revoked.reason) == (BOT, True)
    assert not await bot.works(token)
    assert await bot.works(other.working_grant.token)
    assert bot.shown[-1] == request.id
    assert not (await grants.end(wrong[0])).events
    assert [each.request.id for each in await grants.judge()] == [other.id]


async def test_what_others_must_approve_now_is_not_forbidden(bot):
    await bot.granted("auto")
    bot.policy = on_shelf("auto", BY_LEAD)
    assert [each.forbidden for each in await forbidden(bot).judge()] == [""]


async def test_who_left_the_group_or_the_company_loses_it(bot):
    request = await bot.granted("read")
    bot.directory.people[ANNA.id] = Standing.DEACTIVATED
    [judged] = await forbidden(bot).judge()
    assert "this account is deactivated" in judged.forbidden
    assert judged.request.id == request.id


async def test_what_cannot_be_looked_up_is_unknown_and_not_forbidden(bot):
    await bot.granted("read")
    bot.directory.away = True
    [judged] = await forbidden(bot).judge()
    assert (judged.forbidden, judged.unknown) == ("", "Slack did not answer")


async def test_the_grant_itself_is_not_counted_against_it(bot):
    request = await bot.granted("auto")
    assert request.working_grant is not None
    rule = a_rule(Verdict.AUTO_APPROVE, when=(compile_condition("user.active_grants == 0"),))
    bot.policy = on_shelf("auto", rule)
    assert [each.forbidden for each in await forbidden(bot).judge()] == [""]


@pytest.mark.parametrize(
    "policy",
    [
        on_shelf("alarm"),
        on_shelf("alarm", a_rule(Verdict.DENY)),
        on_shelf("alarm", rails=(rail(),)),
        on_shelf("alarm", rails=(rail(even_break_glass=True, requesters=("owners",)),)),
    ],
)
async def test_break_glass_goes_on_whatever_the_rules_say(either, policy):
    request = await either.break_glass()
    either.policy = policy
    [judged] = await forbidden(either).judge()
    assert (judged.request.id, judged.forbidden, judged.unknown) == (request.id, "", "")


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (on_shelf("alarm", a_rule(Verdict.AUTO_APPROVE), glass=None), "cannot be had by break"),
        (on_shelf("alarm", glass=replace(GLASS, who=("owners",))), "no rule lets you have alarm"),
        (
            on_shelf("alarm", glass=replace(GLASS, max_duration=timedelta(minutes=5))),
            "5m at most",
        ),
        (on_shelf("alarm", rails=(rail(even_break_glass=True),)), "guardrail rail forbids it"),
        (
            a_policy({name: each for name, each in SHELF.items() if name != "alarm"}),
            "there is no alarm any more",
        ),
    ],
)
async def test_break_glass_that_the_glass_forbids_by_now_is_ended_and_still_reviewed(
    either, policy, why
):
    request = await either.break_glass()
    either.policy = policy
    grants = forbidden(either)
    [judged] = await grants.judge()
    assert why in judged.forbidden
    outcome = await grants.end(judged)
    assert [type(event) for event in outcome.events] == [e.Revoked]
    assert not await either.works(request.working_grant.token)
    assert outcome.request.review.is_open
    assert (await either.move(request, SignOff("it was down"), by=EVA)).request.is_over


async def test_an_ordinary_grant_is_not_judged_by_the_glass(bot):
    request = await bot.granted("alarm")
    bot.policy = on_shelf("alarm", a_rule(Verdict.DENY))
    [judged] = await forbidden(bot).judge()
    assert judged.request.id == request.id
    assert "rule rule says deny" in judged.forbidden
