"""Break-glass: granted at once, told, reviewed by somebody else, and barred until then."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.conditions import compile_condition
from bot.core.emergency import Unreachable
from bot.core.errors import Invalid, NotAllowed, Unavailable, WrongState
from bot.core.moves import Approve, RaiseConcern, Revoke, SignOff
from bot.core.policy import Guardrail, Selector, Verdict
from bot.core.request import replay
from bot.core.scopes import Delivery, Limits, TicketRule
from bot.core.states import GrantState, RequestState, ReviewState
from bot.core.windows import Window
from bot.usecases.ports import Standing
from tests.usecases.bots import (
    ANNA,
    BEN,
    BY_LEAD,
    DAN,
    EVA,
    FINN,
    GLASS,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)


def with_glass(*rules, rails=(), **over):
    """Return a policy whose bundle `alarm` has a glass."""
    bundle = a_bundle("alarm", **{"glass": GLASS, **over})
    return a_policy({"alarm": (bundle, rules or (BY_LEAD,))}, rails=rails)


def rail(**over):
    return Guardrail(**{"id": "rail", "bundles": Selector(), "deny": True, **over})


async def test_it_grants_at_once_in_one_commit_and_names_the_outcome(bot: Bot) -> None:
    request = await bot.break_glass()
    assert await bot.kinds(request) == [e.Requested, e.GlassBroken, e.Granted, e.Started]
    assert request.asked.rule == "BREAK-GLASS"
    assert request.working_grant is not None
    assert await bot.works(request.working_grant.token)
    assert request.review is not None
    assert request.review.state is ReviewState.DUE
    assert not request.is_over


async def test_it_lasts_no_longer_than_its_own_cap(bot: Bot) -> None:
    request = await bot.break_glass()
    assert request.asked.duration == timedelta(minutes=15)
    bot.policy = with_glass()
    for minutes in (16, 60):
        with pytest.raises(Invalid, match="15m at most"):
            await bot.break_glass(by=BEN, duration=timedelta(minutes=minutes))


async def test_the_reason_is_forced(bot: Bot) -> None:
    with pytest.raises(Invalid, match="at least 20 characters"):
        await bot.break_glass(reason="it is broken")


async def test_scopes_and_ticket_are_the_bundles(bot: Bot) -> None:
    bot.policy = with_glass(ticket=TicketRule(pattern="INC-[0-9]+", example="INC-7"))
    with pytest.raises(Invalid, match="a ticket is needed"):
        await bot.break_glass()
    with pytest.raises(Invalid, match="has no scope"):
        await bot.break_glass(ticket="INC-1", scopes=("root",))
    request = await bot.break_glass(ticket="INC-1", scopes=("invoices:read",))
    assert [text.scope for text in request.asked.scopes] == ["invoices:read"]


async def test_rules_windows_and_ordinary_guardrails_are_skipped(bot: Bot) -> None:
    never = Window(name="never", zone=bot.clock.now().tzinfo, start=0, end=1)
    rules = (a_rule(Verdict.DENY), replace(BY_LEAD, during=never))
    rails = (rail(), rail(min_approvals=3, deny=False), rail(when=(BROKEN,)))
    bot.policy = with_glass(*rules, rails=rails)
    assert (await bot.break_glass()).working_grant is not None


BROKEN = compile_condition("bundle.labels.owner == 'x'")


async def test_limits_across_requests_neither_bar_it_nor_count_it(bot: Bot) -> None:
    limits = Limits(per_user_per_day=1, active_total=1, active_per_user=1)
    bot.policy = with_glass(a_rule(Verdict.AUTO_APPROVE), limits=limits)
    await bot.ask("alarm")
    request = await bot.break_glass()
    assert request.working_grant is not None
    _, [account] = await bot.ledger.load_all([], ["bundle:alarm"])
    assert request.id not in account.live


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({}, "forbids it: not even then"),
        ({"requesters": ("engineers",)}, "forbids it"),
        ({"deny": False, "max_duration": timedelta(minutes=5)}, "allows 5m at most"),
        ({"deny": False, "min_approvals": 1}, "wants 1 approvals"),
        ({"when": (BROKEN,)}, "bundle.labels.owner"),
        ({"when": (compile_condition("user.active_grants == 0"),)}, "forbids it"),
    ],
)
async def test_guardrails_that_hold_even_then_deny_it_on_record(bot: Bot, over, why) -> None:
    bot.policy = with_glass(rails=(rail(even_break_glass=True, note="not even then", **over),))
    request = await bot.break_glass()
    assert request.state is RequestState.DENIED
    assert request.grant is None
    assert request.review is None
    assert why in "; ".join(request.asked.reasons)
    bot.policy = with_glass()
    assert (await bot.break_glass()).working_grant is not None  # a denied one bars nothing


async def test_a_guardrail_that_holds_even_then_but_is_not_about_it_does_not_deny(bot: Bot) -> None:
    other = rail(even_break_glass=True, requesters=("owners",))
    bot.policy = with_glass(rails=(other,))
    assert (await bot.break_glass()).working_grant is not None


async def test_only_those_who_may_and_only_where_there_is_a_glass(bot: Bot) -> None:
    bot.policy = with_glass(glass=replace(GLASS, who=("owners", "leads")))
    with pytest.raises(NotAllowed, match="by owners or leads only") as caught:
        await bot.emergencies.prospect("alarm", by=ANNA)
    assert "/jit request alarm" in caught.value.hint
    request = await bot.break_glass()
    assert request.state is RequestState.DENIED
    assert "you are in none of them" in "; ".join(request.asked.reasons)
    bot.policy = a_policy()
    with pytest.raises(NotAllowed, match="read cannot be had by break-glass"):
        await bot.break_glass("read")


async def test_who_may_is_read_anew(bot: Bot) -> None:
    bot.policy = with_glass(glass=replace(GLASS, who=("security",)))
    assert (await bot.break_glass(by=EVA)).working_grant is not None
    bot.directory.usergroups["S0SECURITY"] = frozenset()
    assert (await bot.break_glass(by=EVA)).state is RequestState.DENIED


async def test_somebody_who_has_just_left_cannot(bot: Bot) -> None:
    await bot.ask(by=ANNA)  # known as a member from now on
    bot.directory.people[ANNA.id] = Standing.DEACTIVATED
    with pytest.raises(NotAllowed, match="deactivated"):
        await bot.break_glass()


async def test_what_cannot_be_looked_up_refuses(bot: Bot) -> None:
    bot.policy = with_glass(glass=replace(GLASS, who=("security",)))
    del bot.directory.usergroups["S0SECURITY"]
    with pytest.raises(Unavailable):
        await bot.break_glass(by=EVA)


async def test_the_prospect_says_what_would_happen(bot: Bot) -> None:
    found = await bot.emergencies.prospect("alarm", by=ANNA)
    assert found.bundle.max_duration == timedelta(minutes=15)
    assert [group.name for group in found.emergency.skipped] == ["leads"]
    assert [group.name for group in found.emergency.review_by] == ["security", "owners"]
    assert found.emergency.unreachable == ()
    assert await bot.requests.mine(ANNA) == []


async def test_channels_that_fail_do_not_hold_it_up_and_are_told(bot: Bot) -> None:
    glass = replace(GLASS, notify=("#hidden", "#alarm"))
    bot.policy = with_glass(glass=glass, channel="#nowhere")
    request = await bot.break_glass()
    assert request.working_grant is not None
    assert request.asked.emergency is not None
    assert request.asked.emergency.unreachable == (
        Unreachable("#nowhere", "there is no channel #nowhere"),
        Unreachable("#hidden", "the app is not in #hidden"),
    )
    assert request.asked.emergency.told == ("#alarm",)


async def test_a_second_one_is_barred_until_somebody_else_has_signed_off(bot: Bot) -> None:
    first = await bot.break_glass()
    await bot.move(first, Revoke(), by=ANNA)
    for deed in (bot.break_glass(), bot.emergencies.prospect("alarm", by=ANNA)):
        with pytest.raises(NotAllowed, match=f"{first.id}.*not signed off"):
            await deed
    await bot.break_glass(by=BEN)
    await bot.move(first, SignOff("it was down indeed"), by=EVA)
    assert (await bot.break_glass()).working_grant is not None


async def test_of_two_at_once_only_one_is_granted(either: Bot) -> None:
    asks = [either.break_glass(delivery=f"d{number}") for number in range(4)]
    found = await asyncio.gather(*asks, return_exceptions=True)
    assert sum(isinstance(each, NotAllowed) for each in found) == 3
    assert await either.listings.count_live() == 1


async def test_the_same_delivery_breaks_it_once(either: Bot) -> None:
    asks = [either.break_glass(delivery="d") for _ in range(4)]
    found = await asyncio.gather(*asks)
    assert len({request.id for request in found}) == 1
    assert len(await either.requests.mine(ANNA)) == 1


async def test_as_many_may_wait_as_the_bundle_says_but_none_beside_an_overdue_one(bot: Bot) -> None:
    bot.policy = with_glass(glass=replace(GLASS, unreviewed=2))
    first, second = await bot.break_glass(), await bot.break_glass()
    with pytest.raises(NotAllowed, match="not signed off"):
        await bot.break_glass()
    await bot.move(second, SignOff("fine"), by=EVA)
    bot.clock.at += timedelta(hours=4)  # nobody works
    with pytest.raises(NotAllowed, match="overdue"):
        await bot.break_glass()
    await bot.move(first, SignOff("fine, but late"), by=EVA)
    await bot.break_glass()


async def test_the_requester_cannot_review_nor_can_those_who_are_no_reviewers(bot: Bot) -> None:
    request = await bot.break_glass(by=DAN)  # one of the owners, who review
    for by, why in ((DAN, "your own"), (BEN, "not one of those"), (FINN, "not one of those")):
        for move in (SignOff("fine"), RaiseConcern("why?")):
            with pytest.raises(NotAllowed, match=why):
                await bot.move(request, move, by=by)
    assert (await bot.kinds(request)).count(e.Refused) == 3
    with pytest.raises(Invalid):
        await bot.move(request, SignOff("  "), by=EVA)
    outcome = await bot.move(request, SignOff("fine"), by=EVA)
    assert [type(event) for event in outcome.events] == [e.Reviewed]
    assert outcome.request.review.close.by == EVA
    again = await bot.move(request, SignOff("fine"), by=EVA)
    assert again.events == ()
    with pytest.raises(WrongState, match="signed off already"):
        await bot.move(request, RaiseConcern("hm"), by=EVA)


async def test_a_grant_that_is_no_break_glass_has_no_review(bot: Bot) -> None:
    request = await bot.granted()
    for move in (SignOff("x"), RaiseConcern("x")):
        with pytest.raises(WrongState, match="no break-glass"):
            await bot.move(request, move, by=EVA)


async def test_signing_off_works_after_the_grant_has_ended(bot: Bot) -> None:
    request = await bot.break_glass()
    await bot.pass_(minutes=20)
    request = await bot.now(request)
    assert request.grant is not None
    assert request.grant.state is GrantState.EXPIRED
    assert not request.is_over
    done = (await bot.move(request, SignOff("fine"), by=EVA)).request
    assert done.is_over
    assert replay(await bot.ledger.history(request.id)) == done


async def test_a_concern_leaves_the_review_open_and_can_end_the_grant(bot: Bot) -> None:
    request = await bot.break_glass()
    await bot.move(request, RaiseConcern("was that needed?"), by=EVA)
    request = await bot.now(request)
    assert request.working_grant is not None
    token = request.working_grant.token
    await bot.move(request, RaiseConcern("I think not", ends=True), by=EVA)
    request = await bot.now(request)
    assert request.grant.state is GrantState.REVOKED
    assert not await bot.works(token)
    assert [each.text for each in request.review.concerns] == ["was that needed?", "I think not"]
    with pytest.raises(NotAllowed):
        await bot.break_glass()
    await bot.move(request, RaiseConcern("still", ends=True), by=EVA)  # nothing is left to end
    await bot.move(request, SignOff("we have talked"), by=EVA)
    await bot.break_glass()


async def test_those_who_were_skipped_and_those_who_review_may_end_it(bot: Bot) -> None:
    for by in (BEN, EVA):
        request = await bot.break_glass(by=ANNA)
        await bot.move(request, Revoke("stop"), by=by)
        await bot.move(request, SignOff("fine"), by=EVA)
    request = await bot.break_glass()
    with pytest.raises(NotAllowed):
        await bot.move(request, Revoke("stop"), by=FINN)


async def test_reviewers_are_reminded_once_and_then_it_is_overdue(bot: Bot) -> None:
    request = await bot.break_glass()
    await bot.pass_(hours=2, minutes=59)
    assert e.ReviewReminded not in await bot.kinds(request)
    await bot.pass_(minutes=2)
    assert (await bot.kinds(request)).count(e.ReviewReminded) == 1
    await bot.pass_(hours=1)
    kinds = await bot.kinds(request)
    assert kinds[-1] is e.ReviewOverdue
    assert (await bot.now(request)).review.state is ReviewState.OVERDUE
    await bot.pass_(hours=24)
    assert await bot.kinds(request) == kinds
    await bot.move(request, SignOff("late"), by=EVA)
    assert (await bot.now(request)).is_over


async def test_what_is_signed_off_in_time_is_neither_reminded_of_nor_overdue(bot: Bot) -> None:
    request = await bot.break_glass()
    await bot.move(request, SignOff("fine"), by=EVA)
    await bot.pass_(hours=24)
    assert not {e.ReviewReminded, e.ReviewOverdue} & set(await bot.kinds(request))


async def test_it_cannot_be_extended(bot: Bot) -> None:
    request = await bot.break_glass()
    with pytest.raises(WrongState, match="break-glass"):
        await bot.requests.extend(request.id, by=ANNA, delivery="d")


async def test_its_token_waits_behind_a_button_where_the_bundle_says_so(bot: Bot) -> None:
    bot.policy = with_glass(delivery=Delivery.REVEAL)
    request = await bot.break_glass()
    await bot.work()
    assert bot.readable(request.working_grant.token) == []
    assert await bot.requests.reveal(request.id, by=ANNA, delivery="r")


async def test_a_pending_request_waits_on_beside_it(bot: Bot) -> None:
    asked = await bot.ask("alarm")
    assert asked.asked.has_glass
    await bot.break_glass()
    assert (await bot.move(asked, Approve(), by=BEN)).request.working_grant is not None
