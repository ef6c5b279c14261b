"""Approvers from elsewhere: whoever is on call, and the requester's manager."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import NotAllowed, Unavailable
from bot.core.moves import Approve, Revoke
from bot.core.policy import Escalation, Group, Share, Stage, Verdict
from bot.core.request import Request
from bot.core.sources import Manager, ProfileField, Provider, Rota
from bot.core.states import RequestState
from bot.usecases.ports import Standing
from bot.usecases.shows import LOOK_AGAIN, LOOK_AGAIN_UNKNOWN
from bot.usecases.wishes import Wish
from tests.usecases.bots import (
    ANNA,
    BEN,
    CLEO,
    DAN,
    ENGINEERS,
    EVA,
    FINN,
    LEADS,
    OWNERS,
    SECURITY,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)

SRE = Rota(provider=Provider.PAGERDUTY, schedule="PSRE123")
ON_CALL = Group(name="sre-oncall", on_call=SRE)
MANAGER = Group(name="manager", manager=Manager(profile_field="Xf0MANAGER"))
BOSS = Group(name="boss", manager=Manager(of={ANNA.id: BEN.id, FINN.id: EVA.id}))
EITHER = Group(name="either", any_of=(OWNERS, ON_CALL))
GROUPS = (ENGINEERS, LEADS, SECURITY, OWNERS, ON_CALL, MANAGER, BOSS, EITHER)


def with_stages(bot: Bot, *stages: Stage, requesters: tuple[str, ...] = ("engineers",)) -> None:
    rule = a_rule(Verdict.REQUIRE, *stages, requesters=requesters)
    bot.policy = a_policy({"x": (a_bundle("x"), (rule,))}, groups=GROUPS)


def of(*groups: Group, **over: object) -> Stage:
    return Stage(name="stage", approvers=groups, **over)  # type: ignore[arg-type]  # as named


def on_call(bot: Bot, *who: object) -> None:
    bot.directory.rostered[SRE] = frozenset(each.id for each in who)  # type: ignore[attr-defined]


def down(bot: Bot) -> None:
    bot.directory.rostered.clear()


async def found(bot: Bot, request: Request) -> object:
    return await bot.gate.found(await bot.now(request))


async def test_who_is_on_call_at_the_click_counts_and_not_who_was_at_the_ask(bot: Bot) -> None:
    with_stages(bot, of(ON_CALL))
    on_call(bot, DAN)
    request = await bot.ask("x")
    on_call(bot, CLEO)
    with pytest.raises(NotAllowed, match="not an approver"):
        await bot.move(request, Approve(), by=DAN)
    assert (await bot.move(request, Approve(), by=CLEO)).request.state is RequestState.APPROVED
    voted = [each for each in await bot.ledger.history(request.id) if isinstance(each, e.Voted)]
    assert [(each.by, each.groups) for each in voted] == [(CLEO, ("sre-oncall",))]


async def test_who_asked_never_counts_also_while_on_call(bot: Bot) -> None:
    with_stages(bot, of(ON_CALL))
    on_call(bot, ANNA)
    denied = await bot.ask("x")
    assert denied.state is RequestState.DENIED
    assert "nobody besides you is there for 1 of them" in denied.asked.reasons[-1]
    on_call(bot, DAN)
    request = await bot.ask("x")
    on_call(bot, ANNA)
    with pytest.raises(NotAllowed, match="your own request"):
        await bot.move(request, Approve(), by=ANNA)


async def test_a_service_that_is_down_keeps_nobody_else_from_approving(bot: Bot) -> None:
    with_stages(bot, of(ON_CALL, LEADS))
    down(bot)
    request = await bot.ask("x")
    assert request.state is RequestState.PENDING
    with pytest.raises(Unavailable):
        await bot.move(request, Approve(), by=EVA)
    assert (await bot.move(request, Approve(), by=BEN)).request.state is RequestState.APPROVED


async def test_while_a_service_is_down_the_place_kept_for_it_waits_or_is_stood_in_for(
    bot: Bot,
) -> None:
    step = Escalation(
        after=timedelta(minutes=5), add_approvers=(SECURITY,), stand_in_for="sre-oncall"
    )
    stage = of(LEADS, ON_CALL, quorum=2, at_least=(Share("sre-oncall", 1),), escalate=(step,))
    with_stages(bot, stage)
    down(bot)
    request = await bot.ask("x")
    await bot.move(request, Approve(), by=BEN)
    with pytest.raises(NotAllowed, match="enough approvals from your groups"):
        await bot.move(request, Approve(), by=DAN)  # on call, but nobody can tell
    await bot.pass_(minutes=6)
    assert e.Escalated in await bot.kinds(request)
    assert (await bot.move(request, Approve(), by=EVA)).request.state is RequestState.APPROVED


async def test_when_the_service_is_back_who_is_on_call_can_approve(bot: Bot) -> None:
    with_stages(bot, of(LEADS, ON_CALL, quorum=2, at_least=(Share("sre-oncall", 1),)))
    down(bot)
    request = await bot.ask("x")
    assert await found(bot, request) == {"sre-oncall": None}
    await bot.move(request, Approve(), by=BEN)
    on_call(bot, DAN)
    assert await found(bot, request) == {"sre-oncall": {DAN.id}}
    assert (await bot.move(request, Approve(), by=DAN)).request.state is RequestState.APPROVED


async def test_a_card_is_looked_at_again_while_it_waits_for_people_from_elsewhere(bot: Bot) -> None:
    with_stages(bot, of(ON_CALL, LEADS))
    down(bot)
    request = await bot.ask("x")
    seen: list[object] = []
    show = bot.messenger.show

    def told(story, receipts):  # type: ignore[no-untyped-def]
        seen.append(dict(story.found))
        return show(story, receipts)

    bot.messenger.show = told  # type: ignore[method-assign]
    await bot.work()
    on_call(bot, DAN)
    await bot.pass_(seconds=LOOK_AGAIN_UNKNOWN.total_seconds() + 1)
    on_call(bot, CLEO)
    await bot.pass_(seconds=LOOK_AGAIN.total_seconds())
    by_name = [each["sre-oncall"] for each in seen]  # type: ignore[index]
    assert by_name == [None, {DAN.id}, {CLEO.id}]
    await bot.move(request, Approve(), by=BEN)
    await bot.work()
    assert seen[-1] == {}
    looks = len(seen)
    await bot.pass_(seconds=5 * LOOK_AGAIN.total_seconds())
    assert len(seen) == looks


async def test_a_group_that_decides_who_may_ask_and_cannot_be_read_refuses(bot: Bot) -> None:
    with_stages(bot, of(LEADS), requesters=("sre-oncall",))
    on_call(bot, ANNA)
    assert (await bot.ask("x")).state is RequestState.PENDING
    down(bot)
    with pytest.raises(Unavailable, match="PSRE123"):
        await bot.ask("x")
    with pytest.raises(Unavailable, match="PSRE123"):
        await bot.requests.why(Wish(bundle="x"), by=ANNA)


async def test_an_emptied_rota_is_unknown_where_members_are_expected(bot: Bot) -> None:
    alone = replace(ON_CALL, min_members=1)
    bot.policy = a_policy(
        {"x": (a_bundle("x"), (a_rule(Verdict.REQUIRE, of(alone)),))}, groups=(ENGINEERS, alone)
    )
    on_call(bot)
    assert (await bot.ask("x")).state is RequestState.PENDING
    with_stages(bot, of(ON_CALL))
    assert (await bot.ask("x")).state is RequestState.DENIED


async def test_a_union_holds_whoever_is_on_call(bot: Bot) -> None:
    with_stages(bot, of(EITHER))
    on_call(bot, EVA)
    request = await bot.ask("x")
    assert await found(bot, request) == {"sre-oncall": {EVA.id}}
    assert (await bot.move(request, Approve(), by=EVA)).request.state is RequestState.APPROVED


@pytest.mark.parametrize("group", [MANAGER, BOSS])
async def test_the_manager_of_who_asks_approves_and_no_other(bot: Bot, group: Group) -> None:
    managers = {ANNA.id: BEN.id, DAN.id: CLEO.id}
    bot.directory.profiles |= {ProfileField(a, "Xf0MANAGER"): b for a, b in managers.items()}
    with_stages(bot, of(group))
    request = await bot.ask("x")
    assert await found(bot, request) == {group.name: {BEN.id}}
    with pytest.raises(NotAllowed, match="not an approver"):
        await bot.move(request, Approve(), by=CLEO)
    granted = (await bot.move(request, Approve(), by=BEN)).request
    assert granted.state is RequestState.APPROVED
    with pytest.raises(NotAllowed):
        await bot.move(request, Revoke(), by=CLEO)
    await bot.move(request, Revoke(), by=BEN)


@pytest.mark.parametrize("standing", [Standing.GUEST, Standing.DEACTIVATED])
async def test_a_manager_who_may_not_use_the_bot_leaves_the_chain_to_nobody(
    bot: Bot, standing: Standing
) -> None:
    with_stages(bot, of(BOSS))
    bot.directory.people[BEN.id] = standing
    denied = await bot.ask("x")
    assert "nobody besides you is there" in denied.asked.reasons[-1]


async def test_who_has_no_manager_cannot_ask_for_what_one_must_approve(bot: Bot) -> None:
    with_stages(bot, of(BOSS))
    assert (await bot.ask("x", by=DAN)).state is RequestState.DENIED


async def test_a_request_keeps_who_manages_its_requester_and_nobody_else(bot: Bot) -> None:
    with_stages(bot, of(Group(name="union", any_of=(LEADS, BOSS))))
    request = await bot.ask("x")
    (union,) = request.asked.stages[0].approvers
    assert union.any_of == (LEADS, Group(name="boss", manager=Manager(of={ANNA.id: BEN.id})))


async def test_reminders_and_details_name_who_is_on_call(bot: Bot) -> None:
    with_stages(bot, of(ON_CALL, BOSS, remind=(timedelta(minutes=1),)))
    on_call(bot, CLEO)
    request = await bot.ask("x")
    await bot.pass_(minutes=2)
    [reminded] = [
        each for each in await bot.ledger.history(request.id) if isinstance(each, e.Reminded)
    ]
    assert reminded.people == (BEN.id, CLEO.id)
    behind = await bot.backgrounds.of(request.id, by=CLEO)
    assert (behind.groups, behind.people) == (("sre-oncall",), (BEN.id, CLEO.id))
    assert behind.found == {"sre-oncall": {CLEO.id}, "boss": {BEN.id}}


async def test_before_asking_one_sees_who_would_decide(bot: Bot) -> None:
    with_stages(bot, of(ON_CALL, BOSS))
    on_call(bot, DAN)
    explanation = await bot.requests.why(Wish(bundle="x"), by=ANNA)
    people = await bot.requests.who_would_decide(explanation)
    assert people == {"sre-oncall": {DAN.id}, "boss": {BEN.id}}
