"""A policy that changes while a request waits: same, kept, tightened, closed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.conditions import compile_condition
from bot.core.errors import NotAllowed, Unavailable, WrongState
from bot.core.identity import BOT
from bot.core.known import InForce
from bot.core.moves import Approve, Deny, Narrow, Question, Revoke
from bot.core.policy import Escalation, Group, Stage, Verdict
from bot.core.request import Request, replay, shown_digest
from bot.core.scopes import Prolonging, ScopeText
from bot.core.states import RequestState
from bot.usecases.ports import Standing
from tests.usecases.bots import (
    ANNA,
    AT_ONCE,
    BEN,
    CLEO,
    DAN,
    EVA,
    FINN,
    GUARD,
    LEAD,
    LEADS,
    OWNERS,
    SECURITY,
    TWO_LEADS,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)

REQUIRE = Verdict.REQUIRE
THREE_LEADS = replace(TWO_LEADS, quorum=3)
FEWER = replace(LEADS, users=frozenset({BEN.id, DAN.id}))
MORE = replace(LEADS, users=LEADS.users | {FINN.id})


def under(*stages: Stage, digest: str = "d" * 64, **over):
    """Return a policy in which `x` is approved by `stages`, or as `over` says."""
    rule = over.pop("rule", None) or (a_rule(REQUIRE, *stages) if stages else AT_ONCE)
    bundle = a_bundle("x", **over)
    return a_policy({"x": (bundle, (rule,))}, digest=digest)


def today(*stages: Stage, **over):
    return under(*stages, digest="e" * 64, **over)


async def asked(bot: Bot, *stages: Stage, by=ANNA) -> Request:
    bot.policy = under(*stages)
    return await bot.ask("x", by=by)


async def yes(bot: Bot, request: Request, *people) -> Request:
    for by in people:
        request = (await bot.move(request, Approve(), by=by)).request
    return request


def stages_of(request: Request) -> list[str]:
    return [stage.name for stage in request.asked.stages]


async def rerouting(bot: Bot, request: Request) -> e.Rerouted:
    [event] = [
        each for each in await bot.ledger.history(request.id) if isinstance(each, e.Rerouted)
    ]
    return event


async def test_more_approvals_are_asked_for_and_those_given_count(either: Bot) -> None:
    request = await yes(either, await asked(either, TWO_LEADS), BEN)
    either.policy = today(THREE_LEADS)
    after = await yes(either, request, CLEO)
    assert after.state is RequestState.PENDING
    assert after.votes_in(0) == (BEN, CLEO)
    event = await rerouting(either, request)
    assert (event.by, event.digest) == (BOT, "e" * 64)
    assert [vote.by for vote in event.votes] == [BEN]
    assert event.what == ("3 must approve, not 2",)
    approved = await yes(either, request, DAN)
    assert approved.state is RequestState.APPROVED
    history = await either.ledger.history(request.id)
    assert replay(history) == await either.now(request)
    [approval] = [each for each in history if isinstance(each, e.Approved)]
    assert approval.under == InForce(digest="e" * 64, rule="rule", is_laxer=False)


async def test_less_is_not_taken_for_it(either: Bot) -> None:
    request = await yes(either, await asked(either, THREE_LEADS), BEN)
    either.policy = today(TWO_LEADS)
    assert (await yes(either, request, CLEO)).state is RequestState.PENDING
    approved = await yes(either, request, DAN)
    assert approved.state is RequestState.APPROVED
    *_, approval = (
        each for each in await either.ledger.history(request.id) if isinstance(each, e.Approved)
    )
    assert approval.under == InForce(digest="e" * 64, rule="rule", is_laxer=True)
    assert e.Rerouted not in await either.kinds(request)


async def test_a_rule_that_would_approve_at_once_lifts_nothing(bot: Bot) -> None:
    request = await asked(bot, TWO_LEADS)
    bot.policy = today()
    assert (await yes(bot, request, BEN)).state is RequestState.PENDING
    assert (await yes(bot, request, CLEO)).state is RequestState.APPROVED


async def test_what_does_not_matter_changes_nothing(bot: Bot) -> None:
    request = await asked(bot, TWO_LEADS)
    louder = replace(TWO_LEADS, name="other", remind=(timedelta(minutes=1),))
    bot.policy = today(louder, title="Another title", channel="#alarm")
    await yes(bot, request, BEN, CLEO)
    assert e.Rerouted not in await bot.kinds(request)


async def test_a_policy_that_denies_ends_it_and_says_why(either: Bot) -> None:
    request = await yes(either, await asked(either, TWO_LEADS), BEN)
    either.policy = today(rule=a_rule(Verdict.DENY, note="Not any more"))
    with pytest.raises(WrongState, match="closed: today's policy forbids it: rule rule says deny"):
        await either.move(request, Approve(), by=CLEO)
    after = await either.now(request)
    assert after.state is RequestState.DENIED
    assert after.close is not None
    assert (after.close.by, after.grant) == (BOT, None)
    denied = (await either.ledger.history(request.id))[-1]
    assert isinstance(denied, e.Denied)
    assert (denied.rule, denied.digest) == ("rule", "e" * 64)
    assert denied.reason == "today's policy forbids it: rule rule says deny: Not any more"
    with pytest.raises(WrongState, match="denied already"):
        await either.move(request, Approve(), by=CLEO)


@pytest.mark.parametrize(
    "policy",
    [
        today(LEAD, rule=a_rule(REQUIRE, LEAD, requesters=("security",))),
        today(LEAD, scopes=a_bundle("x").scopes[:1]),
        today(LEAD, scopes=(ScopeText("other:read"),)),
        today(LEAD, max_duration=timedelta(minutes=10)),
        today(LEAD, resource="https://other.example"),
        a_policy({}, digest="e" * 64),
    ],
    ids=["requesters", "a scope gone", "scopes", "shorter", "resource", "bundle"],
)
async def test_it_ends_when_who_asked_or_what_was_asked_for_is_no_more(bot: Bot, policy) -> None:
    request = await asked(bot, LEAD)
    bot.policy = policy
    with pytest.raises(WrongState, match="this request is closed"):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.DENIED


async def test_scopes_that_are_added_never_widen_it(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    scopes = request.asked.scopes
    bot.policy = today(LEAD, scopes=(*scopes, ScopeText("everything:write")))
    after = await yes(bot, request, BEN)
    assert after.working_grant is not None
    assert after.working_grant.token.scopes == tuple(text.scope for text in scopes)


async def test_scopes_that_are_added_never_widen_a_request_that_is_rerouted(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    scopes = request.asked.scopes
    bot.policy = today(TWO_LEADS, scopes=(*scopes, ScopeText("everything:write")))
    after = await yes(bot, request, BEN, CLEO)
    assert after.working_grant is not None
    assert after.working_grant.token.scopes == tuple(text.scope for text in scopes)


async def test_things_that_are_so_just_now_end_nothing(bot: Bot) -> None:
    rule = a_rule(REQUIRE, LEAD, when=(compile_condition("user.active_grants < 1"),))
    bot.policy = under(rule=rule)
    request = await bot.ask("x")
    other = await yes(bot, await bot.ask("x"), BEN)
    with pytest.raises(NotAllowed, match="cannot be granted any more"):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.PENDING

    await bot.move(other, Revoke("done"), by=ANNA)
    assert (await yes(bot, request, BEN)).state is RequestState.APPROVED


async def test_another_rule_that_holds_by_now_reroutes_though_no_file_changed(bot: Bot) -> None:
    few = a_rule(REQUIRE, LEAD, when=(compile_condition("user.active_grants < 1"),))
    many = replace(a_rule(REQUIRE, TWO_LEADS), id="many")
    bot.policy = a_policy({"x": (a_bundle("x"), (few, many))})
    request, other = await bot.ask("x"), await bot.ask("x")
    await yes(bot, other, BEN)
    after = await yes(bot, request, BEN)
    assert (after.state, after.asked.rule) == (RequestState.PENDING, "many")
    assert (await rerouting(bot, request)).what == (
        "rule many decides now, not rule",
        "2 must approve, not 1",
    )


async def test_who_is_no_approver_any_more_is_not_counted_and_may_not_vote(bot: Bot) -> None:
    request = await yes(bot, await asked(bot, THREE_LEADS), CLEO)
    two = replace(TWO_LEADS, quorum=2, approvers=(FEWER, SECURITY))
    bot.policy = today(two)
    after = await yes(bot, request, EVA)
    assert after.votes_in(0) == (EVA,)
    assert [vote.by for vote in after.spare] == [CLEO]
    with pytest.raises(NotAllowed, match="not an approver"):
        await bot.move(request, Approve(), by=CLEO)


async def test_who_was_added_to_a_list_has_no_say_in_what_was_asked_before(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(replace(LEAD, approvers=(MORE,)))
    with pytest.raises(NotAllowed, match="not an approver"):
        await bot.move(request, Approve(), by=FINN)
    assert (await yes(bot, request, BEN)).state is RequestState.APPROVED


async def test_whoever_was_taken_off_a_list_loses_their_say(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(replace(LEAD, approvers=(FEWER,)))
    for move in (Approve(), Deny("no"), Question("why?")):
        with pytest.raises(NotAllowed, match="not an approver"):
            await bot.move(request, move, by=CLEO)
    assert (await yes(bot, request, BEN)).state is RequestState.APPROVED


async def test_where_neither_chain_is_stricter_both_must_be_complete(either: Bot) -> None:
    request = await asked(either, LEAD)
    either.policy = today(GUARD)
    with pytest.raises(NotAllowed, match="the policy has changed"):
        await either.move(request, Approve(), by=BEN)
    rerouted = await either.now(request)
    assert stages_of(rerouted) == ["security"]
    assert [chain.rule for chain in rerouted.asked.owed] == ["rule"]
    waits = await yes(either, request, EVA)
    assert waits.state is RequestState.PENDING
    assert stages_of(waits) == ["lead"]
    assert [stage.name for chain in waits.passed for stage in chain.stages] == ["security"]
    assert (await yes(either, request, BEN)).state is RequestState.APPROVED
    assert replay(await either.ledger.history(request.id)) == await either.now(request)


async def test_a_yes_of_before_counts_in_the_chain_of_before_though_not_in_todays(
    either: Bot,
) -> None:
    request = await yes(either, await asked(either, TWO_LEADS), BEN)
    either.policy = today(GUARD)
    waits = await yes(either, request, EVA)
    assert (stages_of(waits), waits.votes_in(0)) == (["leads"], (BEN,))
    assert (await yes(either, request, CLEO)).state is RequestState.APPROVED


async def test_a_yes_counts_in_both(bot: Bot) -> None:
    request = await yes(bot, await asked(bot, TWO_LEADS), BEN)
    wide = replace(THREE_LEADS, approvers=(LEADS, SECURITY))
    bot.policy = today(wide)
    assert (await yes(bot, request, CLEO)).state is RequestState.PENDING
    assert (await yes(bot, request, EVA)).state is RequestState.APPROVED


async def test_one_yes_never_counts_twice_in_a_chain(bot: Bot) -> None:
    request = await yes(bot, await asked(bot, TWO_LEADS), DAN)
    bot.policy = today(LEAD, replace(LEAD, name="owner", approvers=(OWNERS,)))
    waits = await yes(bot, request, BEN)
    # Dan alone is an owner, so his yes is that of the second stage.
    assert waits.state is RequestState.APPROVED


async def test_a_list_that_means_others_now_is_two_groups(bot: Bot) -> None:
    request = await yes(bot, await asked(bot, TWO_LEADS), BEN)
    swapped = replace(LEADS, users=frozenset({BEN.id, EVA.id, FINN.id}))
    bot.policy = today(replace(THREE_LEADS, approvers=(swapped,)))
    waits = await yes(bot, request, EVA, FINN)
    # Today's chain is complete; of the leads of before only Ben has agreed.
    [stage] = waits.asked.stages
    assert waits.state is RequestState.PENDING
    assert [group.name for group in stage.approvers] == ["leads@dddddddd"]
    assert waits.votes_in(0) == (BEN,)
    assert (await yes(bot, request, CLEO)).state is RequestState.APPROVED


async def test_it_ends_where_nobody_could_complete_both(bot: Bot) -> None:
    request = await asked(bot, TWO_LEADS)
    alone = Group(name="alone", users=frozenset({ANNA.id}))
    bot.policy = today(replace(LEAD, approvers=(alone,)))
    with pytest.raises(WrongState, match="chain chain cannot be completed"):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.DENIED


async def test_it_ends_where_nobody_is_left_of_those_who_were_asked_before(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.directory.usergroups["S0SECURITY"] = frozenset({EVA.id})
    lone = Group(name="leads", usergroup="S0SECURITY")
    bot.policy = today(replace(TWO_LEADS, quorum=1, approvers=(lone,)))
    waits = await yes(bot, request, EVA)
    assert (waits.state, stages_of(waits)) == (RequestState.PENDING, ["lead"])
    assert (await yes(bot, request, BEN)).state is RequestState.APPROVED


async def test_the_way_back_is_no_third_way(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(GUARD)
    waits = await yes(bot, request, EVA)
    bot.policy = under(LEAD)
    assert (await yes(bot, waits, BEN)).state is RequestState.APPROVED
    assert (await bot.kinds(request)).count(e.Rerouted) == 1


async def test_policies_pile_up_and_all_of_them_count(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    owner = Stage(name="owner", approvers=(OWNERS,))
    bot.policy = today(GUARD)
    assert (await yes(bot, request, EVA)).state is RequestState.PENDING
    bot.policy = under(owner, digest="f" * 64)
    waits = await yes(bot, request, DAN)
    # Dan is a lead as well, and one yes of his counts in both of these chains.
    assert waits.state is RequestState.APPROVED
    history = await bot.ledger.history(request.id)
    assert [vote.by for event in history if isinstance(event, e.Rerouted) for vote in event.spare]
    assert replay(history) == waits


async def test_a_yes_to_less_is_judged_as_less(bot: Bot) -> None:
    bot.policy = under(TWO_LEADS)
    request = await bot.ask("x")
    short = a_rule(REQUIRE, GUARD, max_duration=timedelta(minutes=10))
    bot.policy = a_policy(
        {"x": (a_bundle("x"), (short, a_rule(REQUIRE, TWO_LEADS)))}, digest="e" * 64
    )
    less = Narrow("", ("invoices:read",), timedelta(minutes=10))
    with pytest.raises(NotAllowed, match="others must approve it now"):
        await bot.move(request, less, by=BEN)
    assert (await bot.now(request)).votes == ()
    less = Narrow("", ("invoices:read",), timedelta(minutes=20))
    after = (await bot.move(request, less, by=BEN)).request
    assert after.votes_in(0) == (BEN,)
    assert (await yes(bot, request, CLEO)).state is RequestState.APPROVED


async def test_a_yes_to_less_after_the_policy_was_tightened_counts_in_the_new_chain(
    bot: Bot,
) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(TWO_LEADS)
    less = Narrow(shown_digest(request.asked), ("invoices:read",), timedelta(minutes=10))
    after = (await bot.move(request, less, by=BEN)).request
    assert (after.state, after.votes_in(0)) == (RequestState.PENDING, (BEN,))
    assert after.asked.duration == timedelta(minutes=10)
    done = await yes(bot, request, CLEO)
    assert done.working_grant is not None
    assert done.working_grant.token.scopes == ("invoices:read",)


async def test_a_form_that_is_opened_is_a_click(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(GUARD)
    with pytest.raises(NotAllowed, match="the policy has changed"):
        await bot.requests.may(request.id, Deny("?"), by=BEN, delivery="x")
    assert (await bot.requests.may(request.id, Deny("?"), by=EVA, delivery="y")).asked.owed
    bot.policy = under(rule=a_rule(Verdict.DENY), digest="f" * 64)
    with pytest.raises(WrongState, match="today's policy forbids it"):
        await bot.requests.may(request.id, Question("?"), by=EVA, delivery="z")


async def test_a_no_is_taken_though_nobody_can_say_what_today_is(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    ghosts = Group(name="ghosts", usergroup="S0GHOSTS")
    rule = a_rule(REQUIRE, LEAD, requesters=("ghosts",))
    bot.policy = a_policy(
        {"x": (a_bundle("x"), (rule,))}, groups=(LEADS, ghosts, OWNERS), digest="e" * 64
    )
    with pytest.raises(Unavailable):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.move(request, Deny("no"), by=BEN)).request.state is RequestState.DENIED


async def test_what_the_clock_owes_begins_anew_and_the_end_never_comes_later(either: Bot) -> None:
    request = await asked(either, LEAD)
    slow = replace(
        TWO_LEADS,
        remind=(timedelta(minutes=2),),
        escalate=(Escalation(after=timedelta(minutes=3), add_approvers=(SECURITY,)),),
    )
    rule = a_rule(REQUIRE, slow)
    assert rule.chain is not None
    chain = replace(rule.chain, expire_after=timedelta(minutes=5))
    either.policy = today(rule=replace(rule, chain=chain))
    after = await yes(either, request, BEN)
    event = await rerouting(either, request)
    assert after.asked.deadline == event.at + timedelta(minutes=5) < request.asked.deadline
    assert after.stage_began == event.at


async def test_more_time_is_not_given_by_a_policy_that_changes(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    rule = a_rule(REQUIRE, TWO_LEADS)
    assert rule.chain is not None
    long = replace(rule, chain=replace(rule.chain, expire_after=timedelta(hours=9)))
    bot.policy = today(rule=long)
    after = await yes(bot, request, BEN)
    assert after.asked.deadline == request.asked.deadline
    await bot.pass_(minutes=21)
    assert (await bot.now(request)).state is RequestState.EXPIRED


async def test_the_new_deadline_holds_in_the_store(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    rule = a_rule(REQUIRE, TWO_LEADS)
    assert rule.chain is not None
    hasty = replace(rule, chain=replace(rule.chain, expire_after=timedelta(minutes=5)))
    bot.policy = today(rule=hasty)
    await yes(bot, request, BEN)
    await bot.wait(timedelta(minutes=6))
    with pytest.raises(WrongState):
        await bot.move(request, Approve(), by=CLEO)
    await bot.pass_(minutes=1)
    assert (await bot.now(request)).state is RequestState.EXPIRED


async def test_those_who_can_act_now_are_reminded(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(replace(GUARD, remind=(timedelta(minutes=2),)))
    with pytest.raises(NotAllowed):
        await bot.move(request, Approve(), by=BEN)
    await bot.pass_(minutes=3)
    [reminded] = [
        each for each in await bot.ledger.history(request.id) if isinstance(each, e.Reminded)
    ]
    assert reminded.people == (EVA.id,)


async def test_an_extension_is_judged_alike(bot: Bot) -> None:
    bot.policy = under(LEAD)
    granted = await bot.granted("x")
    wish = await bot.requests.extend(granted.id, by=ANNA, delivery="e")
    bot.policy = today(TWO_LEADS)
    assert (await yes(bot, wish.request, BEN)).state is RequestState.PENDING
    bot.policy = under(TWO_LEADS, digest="f" * 64, prolonging=Prolonging(times=0))
    with pytest.raises(WrongState, match="it can be extended 0 times at most"):
        await bot.move(wish.request, Approve(), by=CLEO)
    assert (await bot.now(wish.request)).state is RequestState.DENIED
    assert (await bot.now(granted)).working_grant is not None


async def test_rivals_under_a_policy_that_changes_lose_no_vote(replicas) -> None:
    one, other = replicas
    request = await yes(one, await asked(one, THREE_LEADS), BEN)
    four = replace(TWO_LEADS, quorum=4, approvers=(LEADS, SECURITY))
    one.policy = other.policy = today(four)
    await asyncio.gather(
        one.move(request, Approve(), by=CLEO),
        other.move(request, Approve(), by=DAN),
        other.move(request, Approve(), by=EVA),
    )
    after = await one.now(request)
    assert after.state is RequestState.APPROVED
    assert (await one.kinds(request)).count(e.Rerouted) == 1
    assert replay(await one.ledger.history(request.id)) == after


async def test_whoever_left_is_granted_nothing_on_any_way(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(TWO_LEADS)
    await yes(bot, request, BEN)
    bot.directory.people[ANNA.id] = Standing.DEACTIVATED
    with pytest.raises(NotAllowed, match="deactivated"):
        await bot.move(request, Approve(), by=CLEO)


async def test_a_channel_that_todays_chain_names_must_do(bot: Bot) -> None:
    request = await asked(bot, LEAD)
    bot.policy = today(replace(TWO_LEADS, channel="#hidden"))
    with pytest.raises(NotAllowed, match="the app is not in #hidden"):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.PENDING
