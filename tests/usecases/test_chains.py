"""Chains as they are run: places, reminders, escalations, and what nobody could complete."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import NotAllowed
from bot.core.moves import Approve
from bot.core.policy import Share, Verdict
from bot.core.request import Request
from bot.core.states import RequestState
from tests.builders import T0
from tests.usecases.bots import (
    ANNA,
    BEN,
    CLEO,
    DAN,
    EVA,
    GUARD,
    LEAD,
    LEADS,
    PEERS,
    SECURITY,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)


async def happened(bot: Bot, request: Request, *kinds: type[e.Event]) -> list[tuple]:
    history = await bot.ledger.history(request.id)
    return [(type(event), event.at - T0) for event in history if isinstance(event, kinds)]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


async def test_a_yes_that_fills_no_place_is_refused_and_the_right_one_counts(bot: Bot) -> None:
    request = await bot.ask("careful")
    await bot.move(request, Approve(), by=BEN)
    with pytest.raises(NotAllowed, match="enough approvals from your groups"):
        await bot.move(request, Approve(), by=CLEO)
    passed = (await bot.move(request, Approve(), by=DAN)).request
    assert passed.stage == 1
    assert (await bot.move(request, Approve(), by=EVA)).request.state is RequestState.APPROVED


async def test_who_approved_one_stage_does_not_approve_another(bot: Bot) -> None:
    bot.directory.usergroups["S0SECURITY"] = frozenset({DAN.id, EVA.id})
    request = await bot.ask("careful")
    await bot.move(request, Approve(), by=BEN)
    await bot.move(request, Approve(), by=DAN)
    assert (await bot.move(request, Approve(), by=DAN)).events == ()
    assert (await bot.now(request)).state is RequestState.PENDING


async def test_reminders_name_those_who_can_still_act_and_stop_with_the_stage(bot: Bot) -> None:
    request = await bot.ask("careful")
    await bot.pass_(minutes=4)
    await bot.move(request, Approve(), by=BEN)
    await bot.pass_(minutes=5)
    history = await bot.ledger.history(request.id)
    reminded = [event for event in history if isinstance(event, e.Reminded)]
    assert [(each.number, each.at - T0) for each in reminded] == [(0, minutes(3)), (1, minutes(8))]
    # Ben has said yes, and one more lead would fill no place.
    assert [each.people for each in reminded] == [(BEN.id, CLEO.id, DAN.id), (DAN.id,)]
    await bot.move(request, Approve(), by=DAN)
    await bot.pass_(minutes=10)
    assert len(await happened(bot, request, e.Reminded, e.Escalated)) == 2


async def test_a_reminder_goes_out_also_where_a_group_cannot_be_read(bot: Bot) -> None:
    bot.policy = a_policy(
        {"x": (a_bundle("x"), (a_rule(Verdict.REQUIRE, replace(GUARD, remind=(minutes(1),))),))}
    )
    request = await bot.ask("x")
    bot.directory.away = True
    await bot.pass_(minutes=2)
    [reminded] = [
        each for each in await bot.ledger.history(request.id) if isinstance(each, e.Reminded)
    ]
    assert reminded.people == ()


async def test_an_escalation_lets_others_stand_in_and_never_grants(bot: Bot) -> None:
    request = await bot.ask("careful")
    await bot.move(request, Approve(), by=BEN)
    with pytest.raises(NotAllowed, match="not an approver"):
        await bot.move(request, Approve(), by=EVA)
    await bot.pass_(minutes=11)
    assert await happened(bot, request, e.Escalated) == [(e.Escalated, minutes(10))]
    assert (await bot.now(request)).stage == 0
    assert (await bot.move(request, Approve(), by=EVA)).request.stage == 1


async def test_a_chain_that_nobody_can_complete_is_denied_at_once_with_the_reason(bot: Bot) -> None:
    bot.directory.usergroups["S0SECURITY"] = frozenset()
    request = await bot.ask("careful")
    assert request.state is RequestState.DENIED
    assert request.asked.reasons[-1] == (
        "chain chain cannot be completed: "
        "stage security needs 1 approval, and nobody besides you is there for 1 of them"
    )
    assert request.asked.rule == "rule"


async def test_whether_it_can_be_completed_depends_on_who_asks(bot: Bot) -> None:
    lone = replace(PEERS, escalate=())
    bot.policy = a_policy({"x": (a_bundle("x"), (a_rule(Verdict.REQUIRE, lone),))})
    assert (await bot.ask("x", by=ANNA)).state is RequestState.PENDING
    assert (await bot.ask("x", by=DAN)).state is RequestState.DENIED


async def test_a_group_that_cannot_be_read_is_not_taken_for_empty(bot: Bot) -> None:
    del bot.directory.usergroups["S0SECURITY"]
    assert (await bot.ask("careful")).state is RequestState.PENDING


async def test_a_channel_that_a_stage_names_must_do(bot: Bot) -> None:
    stage = replace(LEAD, channel="#hidden")
    bot.policy = a_policy({"x": (a_bundle("x"), (a_rule(Verdict.REQUIRE, stage),))})
    with pytest.raises(NotAllowed, match="the notice of x cannot be posted: the app is not in"):
        await bot.ask("x")


async def test_a_place_that_was_kept_for_a_group_since_the_ask_is_asked_for(bot: Bot) -> None:
    either = replace(LEAD, approvers=(SECURITY, LEADS))
    bot.policy = a_policy({"x": (a_bundle("x"), (a_rule(Verdict.REQUIRE, either),))})
    request = await bot.ask("x")
    kept = replace(either, at_least=(Share("leads", 1),))
    bot.policy = a_policy({"x": (a_bundle("x"), (a_rule(Verdict.REQUIRE, kept),))})
    with pytest.raises(NotAllowed, match="the policy has changed"):
        await bot.move(request, Approve(), by=EVA)
    assert (await bot.move(request, Approve(), by=BEN)).request.state is RequestState.APPROVED
