"""Who stands in for somebody away: what they can do, and what they never can."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core import events as e
from bot.core.absence import LONGEST, Absence
from bot.core.errors import Conflict, Invalid, NotAllowed, NotFound, Unavailable
from bot.core.identity import Actor, Kind, person
from bot.core.machine import Machine
from bot.core.moves import Approve, Deny, Narrow, Question, RaiseConcern, Revoke, SignOff
from bot.core.permission import why_not
from bot.core.policy import Group, Share, Stage, Verdict
from bot.core.request import Request, Vote
from bot.core.states import RequestState
from bot.core.voices import Voice, with_a_say
from bot.usecases.absences import Plan
from bot.usecases.ports import Receipt, Standing, Story
from tests.usecases.bots import (
    ANNA,
    BEN,
    CLEO,
    DAN,
    EVA,
    FINN,
    GUARD,
    GUS,
    LEADS,
    OLGA,
    OWNERS,
    PEERS,
    TEAM,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)

HOUR = timedelta(hours=1)


async def leaves(
    bot: Bot, who: Actor, to: Actor | None, *, begins: timedelta | None = None, lasts=HOUR
) -> Absence:
    now = bot.clock.now()
    since = None if begins is None else now + begins
    plan = Plan(stand_in=to, since=since, until=(since or now) + lasts)
    absence, _ = await bot.absences.declare(plan, by=who, delivery=bot.delivery())
    return absence


def only(*people: Actor, **over: Any) -> tuple[Group, Stage]:
    group = Group(name="few", users=frozenset(who.id for who in people))
    return group, Stage(name="few", approvers=(group,), **over)


def with_stages(bot: Bot, *stages: Stage, groups: tuple[Group, ...] = (), **bundle: Any) -> None:
    known = tuple(bot.policy.groups.values())
    shelf = {"x": (a_bundle("x", **bundle), (a_rule(Verdict.REQUIRE, *stages),))}
    bot.policy = a_policy(shelf, groups=(*known, *groups))


def vote(by: Actor, whose: Actor | None = None, *, groups: tuple[str, ...], stage: int = 0) -> Vote:
    return Vote(by=by, stage=stage, groups=groups, on_behalf_of=whose)


# What can be lent, and for how long.


async def test_what_is_lent_is_on_record_with_both_people_and_the_times(either: Bot) -> None:
    absence = await leaves(either, BEN, EVA, begins=timedelta(seconds=30))
    await either.absences.withdraw(by=BEN, delivery="off")
    said, back = [event for _, event in await either.ledger.log()]
    assert isinstance(said, e.AbsenceDeclared)
    assert isinstance(back, e.AbsenceWithdrawn)
    for event in (said, back):
        assert (event.request, event.by, event.stand_in) == (absence.id, BEN, EVA)
        assert (event.since, event.until) == (absence.since, absence.until)


async def test_the_same_delivery_says_it_once(either: Bot) -> None:
    plan = Plan(stand_in=EVA, since=None, until=either.clock.now() + HOUR)
    told = [await either.absences.declare(plan, by=BEN, delivery="one") for _ in range(3)]
    assert told[0] == told[1] == told[2]
    assert len((await either.absences.of(BEN)).mine) == 1
    assert len(await either.ledger.log()) == 1


async def test_a_delivery_of_somebody_else_is_no_repetition(bot: Bot) -> None:
    plan = Plan(stand_in=EVA, since=None, until=bot.clock.now() + HOUR)
    await bot.absences.declare(plan, by=BEN, delivery="one")
    with pytest.raises(Conflict):
        await bot.absences.declare(plan, by=CLEO, delivery="one")


async def test_many_can_say_so_at_once(replicas: tuple[Bot, Bot]) -> None:
    people = (ANNA, BEN, CLEO, DAN, EVA)
    plan = Plan(stand_in=FINN, since=None, until=replicas[0].clock.now() + HOUR)
    await asyncio.gather(
        *(
            replicas[number % 2].absences.declare(plan, by=who, delivery=who.id)
            for number, who in enumerate(people)
        )
    )
    assert {each.who for each in (await replicas[1].absences.of(FINN)).lent} == {*people}
    assert len(await replicas[0].ledger.log()) == len(people)


@pytest.mark.parametrize(
    ("to", "why"),
    [
        (BEN, "you cannot stand in for yourself"),
        (GUS, "they cannot stand in for you: guests cannot use this app"),
        (OLGA, "they cannot stand in for you: their account is deactivated"),
        (person("U0JITBOT", home=TEAM), "they cannot stand in for you: apps cannot use this app"),
        (person("U0NOBODY", home=TEAM), "Slack does not know their account"),
        (person(CLEO.id, home="T0OTHER"), "they are from another workspace"),
        (Actor(Kind.MACHINE, "billing"), "apps cannot use this app"),
    ],
)
async def test_not_everybody_can_stand_in(bot: Bot, to: Actor, why: str) -> None:
    with pytest.raises(NotAllowed, match=why):
        await leaves(bot, BEN, to)
    assert await bot.absences.now() == ()


@pytest.mark.parametrize(
    ("begins", "lasts", "field", "why"),
    [
        (timedelta(0), LONGEST + timedelta(seconds=1), "until", "^30d is the most at a time$"),
        (timedelta(days=91), HOUR, "from", "^it can begin within 90d at most$"),
        (timedelta(hours=2), -HOUR, "until", "^it would end before it begins$"),
        (timedelta(hours=-2), HOUR, "until", "^that time is over already$"),
    ],
)
async def test_the_times_are_bounded(
    bot: Bot, begins: timedelta, lasts: timedelta, field: str, why: str
) -> None:
    with pytest.raises(Invalid, match=why) as problem:
        await leaves(bot, BEN, CLEO, begins=begins, lasts=lasts)
    assert problem.value.field == field


async def test_only_one_stands_in_at_a_time_one_after_another(bot: Bot) -> None:
    await leaves(bot, BEN, CLEO)
    with pytest.raises(NotAllowed, match="only one person can stand in for you at a time"):
        await leaves(bot, BEN, DAN, begins=timedelta(minutes=30))
    await leaves(bot, BEN, DAN, begins=HOUR)
    assert [each.stand_in for each in (await bot.absences.of(BEN)).mine] == [CLEO, DAN]
    await bot.absences.withdraw(by=BEN, delivery="off", stand_in=DAN)
    assert [each.stand_in for each in (await bot.absences.of(BEN)).mine] == [CLEO]
    with pytest.raises(NotFound, match="nothing of yours to take back"):
        await bot.absences.withdraw(by=BEN, delivery="again", stand_in=DAN)


async def test_nobody_takes_back_what_others_have_said(bot: Bot) -> None:
    absence = await leaves(bot, BEN, CLEO)
    with pytest.raises(NotFound):
        await bot.absences.withdraw(by=CLEO, delivery="off", only=absence.id)
    assert await bot.absences.now() == (absence,)


async def test_few_can_be_stood_in_for_and_few_planned(bot: Bot) -> None:
    for number in range(5):
        bot.directory.people[f"U{number}"] = Standing.MEMBER
        await leaves(bot, person(f"U{number}", home=TEAM), CLEO)
    with pytest.raises(NotAllowed, match="they stand in for 5 people at that time already"):
        await leaves(bot, BEN, CLEO)
    for number in range(10):
        await leaves(bot, BEN, None, begins=HOUR * number)
    with pytest.raises(NotAllowed, match="10 absences of yours are planned already"):
        await leaves(bot, BEN, None, begins=HOUR * 10)


async def test_whoever_says_so_learns_that_the_other_is_away_too(bot: Bot) -> None:
    cleo = await leaves(bot, CLEO, DAN)
    plan = Plan(stand_in=CLEO, since=None, until=bot.clock.now() + HOUR)
    assert (await bot.absences.declare(plan, by=BEN, delivery="x"))[1] == (cleo,)


# What who stands in can do.


async def test_a_yes_counts_for_whoever_is_away_with_their_groups(either: Bot) -> None:
    await leaves(either, BEN, FINN)
    request = await either.ask()
    stands = (await either.move(request, Approve(), by=FINN)).request
    assert stands.state is RequestState.APPROVED
    assert stands.votes == (vote(FINN, BEN, groups=("leads",)),)
    voted = (await either.ledger.history(request.id))[1]
    assert isinstance(voted, e.Voted)
    assert (voted.by, voted.on_behalf_of) == (FINN, BEN)


async def test_a_no_a_question_and_a_yes_to_less_name_both(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask("two")
    less = Narrow("", ("invoices:read",), timedelta(minutes=5))
    for move in (Question("why?"), less, Deny("no")):
        await bot.move(request, move, by=FINN)
    acted = [each for each in await bot.ledger.history(request.id) if isinstance(each, e.Acting)]
    assert [type(each) for each in acted] == [e.Asked, e.Narrowed, e.Voted, e.Denied]
    assert all((each.by, each.on_behalf_of) == (FINN, BEN) for each in acted)
    close = (await bot.now(request)).close
    assert close is not None
    assert (close.by, close.on_behalf_of) == (FINN, BEN)


async def test_who_stands_in_does_not_count_twice_nor_does_who_is_away(bot: Bot) -> None:
    await leaves(bot, BEN, CLEO)
    request = await bot.ask("two")
    await bot.move(request, Approve(), by=CLEO)
    assert (await bot.move(request, Approve(), by=CLEO)).events == ()  # for Ben is no second one
    assert (await bot.now(request)).votes == (vote(CLEO, groups=("leads",)),)
    await bot.absences.withdraw(by=BEN, delivery="off")
    assert (await bot.move(request, Approve(), by=BEN)).request.state is RequestState.APPROVED


async def test_whoever_is_away_and_counted_cannot_approve_too(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask("two")
    await bot.move(request, Approve(), by=FINN)
    with pytest.raises(NotAllowed, match="everybody counts once, whoever clicks"):
        await bot.move(request, Approve(), by=BEN)


async def test_a_place_that_was_lent_to_one_after_another_counts_once(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask("two")
    await bot.move(request, Approve(), by=FINN)
    await bot.absences.withdraw(by=BEN, delivery="off")
    await leaves(bot, BEN, EVA)
    with pytest.raises(NotAllowed, match="everybody counts once, whoever clicks"):
        await bot.move(request, Approve(), by=EVA)


async def test_a_yes_goes_to_the_place_that_fewest_can_fill(bot: Bot) -> None:
    """Cleo is a lead herself, but the place of the owners waits for Dan, for whom she stands in."""
    await leaves(bot, DAN, CLEO)
    request = await bot.ask("careful")
    await bot.move(request, Approve(), by=CLEO)
    stands = (await bot.move(request, Approve(), by=BEN)).request
    assert stands.stage == 1
    assert stands.votes == (
        vote(CLEO, DAN, groups=("leads", "owners")),
        vote(BEN, groups=("leads",)),
    )


async def test_who_can_fill_a_place_as_oneself_does(bot: Bot) -> None:
    await leaves(bot, BEN, CLEO)
    request = await bot.ask()
    stands = (await bot.move(request, Approve(), by=CLEO)).request
    assert stands.votes == (vote(CLEO, groups=("leads",)),)


async def test_who_approved_for_somebody_may_end_it(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask()
    await bot.move(request, Approve(), by=FINN)
    with pytest.raises(NotAllowed):
        await bot.move(request, Revoke("stop"), by=EVA)
    ended = (await bot.move(request, Revoke("stop"), by=FINN)).request
    assert ended.working_grant is None


# What they never can.


async def test_nobody_approves_what_they_ask_for_whatever_is_lent(bot: Bot) -> None:
    await leaves(bot, BEN, ANNA)
    request = await bot.ask(by=ANNA)
    with pytest.raises(NotAllowed, match="you cannot approve your own request"):
        await bot.move(request, Approve(), by=ANNA)


async def test_the_place_of_whoever_asks_is_lent_to_nobody(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask(by=BEN)
    with pytest.raises(NotAllowed, match="not an approver of this request now"):
        await bot.move(request, Approve(), by=FINN)


@pytest.mark.parametrize("owner", ["owners", DAN.id])
async def test_the_place_of_who_answers_for_a_client_is_lent_to_nobody(
    bot: Bot, owner: str
) -> None:
    await leaves(bot, BEN, FINN)
    await leaves(bot, DAN, FINN)
    request = await bot.ask("two")
    machine = Machine(client="pipeline", owner=owner)
    asked = replace(request, asked=replace(request.asked, machine=machine))
    voices = await bot.absences.voices(FINN, asked, bot.policy)
    speaking = with_a_say(asked, FINN, voices)
    assert [voice.on_behalf_of for voice in speaking] == [BEN]
    everybody = with_a_say(request, FINN, await bot.absences.voices(FINN, request, bot.policy))
    assert [voice.on_behalf_of for voice in everybody] == [BEN, DAN]


async def test_who_answers_for_a_client_acts_for_nobody_and_is_not_said_to(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask()
    machine = Machine(client="pipeline", owner=FINN.id)
    asked = replace(request, asked=replace(request.asked, machine=machine))
    away = await bot.absences.now()
    missing = await bot.gate.missing(asked, bot.policy, away)
    assert missing.cannot == {ANNA.id, FINN.id}
    assert FINN.id not in await bot.gate.who_can_act(asked, bot.policy, away)
    case = replace(bot.desk.circumstances(), lent=(Voice(frozenset({"leads"}), BEN),))
    assert why_not(asked, Approve(), by=FINN, case=case) == (
        "you answer for the client that asks; somebody else must decide"
    )


async def test_what_is_lent_is_not_passed_on(bot: Bot) -> None:
    await leaves(bot, BEN, EVA)
    await leaves(bot, EVA, FINN)
    request = await bot.ask()
    with pytest.raises(NotAllowed, match="not an approver of this request now"):
        await bot.move(request, Approve(), by=FINN)
    assert (await bot.move(request, Approve(), by=EVA)).request.state is RequestState.APPROVED


@pytest.mark.parametrize("when", ["at the ask", "since then"])
async def test_a_bundle_can_bar_it(bot: Bot, when: str) -> None:
    with_stages(bot, Stage(name="lead", approvers=(LEADS,)), delegation=when == "since then")
    await leaves(bot, BEN, FINN)
    request = await bot.ask("x")
    with_stages(bot, Stage(name="lead", approvers=(LEADS,)), delegation=when == "at the ask")
    for move in (Approve(), Deny("no"), Question("why?")):
        with pytest.raises(NotAllowed, match="nobody can stand in for others here"):
            await bot.move(request, move, by=FINN)
    assert (await bot.move(request, Approve(), by=CLEO)).request.state is RequestState.APPROVED


async def test_the_review_of_an_emergency_is_lent_to_nobody(bot: Bot) -> None:
    await leaves(bot, EVA, FINN)
    request = await bot.break_glass()
    for move in (SignOff("fine"), RaiseConcern("why?")):
        with pytest.raises(NotAllowed, match="you are not one of those who review this"):
            await bot.move(request, move, by=FINN)


@pytest.mark.parametrize("how", ["taken back", "over", "not begun"])
async def test_what_is_not_lent_at_the_click_counts_for_nothing(bot: Bot, how: str) -> None:
    begins = timedelta(minutes=10) if how == "not begun" else None
    await leaves(bot, BEN, FINN, begins=begins, lasts=timedelta(minutes=5))
    request = await bot.ask()
    if how == "taken back":
        await bot.absences.withdraw(by=BEN, delivery="off")
    if how == "over":
        await bot.pass_(minutes=5)
    with pytest.raises(NotAllowed, match="not an approver of this request now"):
        await bot.move(request, Approve(), by=FINN)


@pytest.mark.parametrize("how", ["left the group", "left the company", "not known"])
async def test_whoever_is_away_must_still_be_an_approver(bot: Bot, how: str) -> None:
    bot.directory.usergroups["S0SECURITY"] = frozenset({DAN.id, EVA.id})
    with_stages(bot, GUARD)
    await leaves(bot, EVA, FINN)
    request = await bot.ask("x")
    if how == "left the group":
        bot.directory.usergroups["S0SECURITY"] = frozenset({DAN.id})
    if how == "left the company":
        bot.directory.people[EVA.id] = Standing.DEACTIVATED
    if how == "not known":
        standing = bot.directory.standing

        async def unknown(who: Actor, *, fresh: bool = False) -> Standing:
            if who == EVA:
                raise Unavailable("Slack did not answer")
            return await standing(who, fresh=fresh)

        bot.directory.standing = unknown
    with pytest.raises(NotAllowed, match="not an approver of this request now"):
        await bot.move(request, Approve(), by=FINN)


async def test_who_stands_in_must_still_be_a_member(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask()
    bot.directory.people[FINN.id] = Standing.GUEST
    with pytest.raises(NotAllowed, match="guests cannot use this app"):
        await bot.move(request, Approve(), by=FINN)


async def test_what_is_taken_back_at_the_same_moment_counts_for_nothing(either: Bot) -> None:
    """It is taken back when all has been looked up, and nothing is stored yet."""
    await leaves(either, BEN, FINN)
    request = await either.ask()
    admit = either.gate.admit_requester

    async def and_then(asked: Request) -> None:
        await admit(asked)
        await either.absences.withdraw(by=BEN, delivery="off")

    either.gate.admit_requester = and_then
    with pytest.raises((NotAllowed, NotFound)):
        await either.move(request, Approve(), by=FINN)
    assert (await either.now(request)).votes == ()


async def test_rivals_for_one_lent_place(replicas: tuple[Bot, Bot]) -> None:
    one, other = replicas
    await leaves(one, BEN, FINN)
    request = await one.ask("two")
    await asyncio.gather(
        one.move(request, Approve(), by=FINN),
        other.move(request, Approve(), by=BEN),
        return_exceptions=True,
    )
    assert len((await one.now(request)).votes) == 1


# Who is reminded, and what can be completed.


async def test_reminders_go_to_who_stands_in_and_not_to_who_is_away(bot: Bot) -> None:
    reminding = replace(PEERS, escalate=(), remind=(timedelta(minutes=1), timedelta(minutes=3)))
    with_stages(bot, reminding)
    request = await bot.ask("x")
    await leaves(bot, DAN, FINN)
    await leaves(bot, CLEO, None)
    await bot.pass_(minutes=2)
    await bot.move(request, Approve(), by=FINN)
    await bot.pass_(minutes=2)
    history = await bot.ledger.history(request.id)
    reminded = [each.people for each in history if isinstance(each, e.Reminded)]
    assert reminded == [(BEN.id, FINN.id), (BEN.id,)]


async def test_a_chain_of_people_who_are_all_away_is_denied_at_once(bot: Bot) -> None:
    few, stage = only(BEN)
    with_stages(bot, stage, groups=(few,))
    await leaves(bot, BEN, None)
    request = await bot.ask("x")
    assert request.state is RequestState.DENIED
    assert request.asked.reasons[-1] == (
        "chain chain cannot be completed: stage few needs 1 approval, and nobody besides you is "
        "there for 1 of them (1 person is away, and too few stand in for them)"
    )
    assert [each.who for each in request.asked.away] == [BEN]


async def test_who_stands_in_makes_a_chain_completable_if_the_bundle_lets_them(bot: Bot) -> None:
    few, stage = only(BEN)
    with_stages(bot, stage, groups=(few,))
    await leaves(bot, BEN, FINN)
    assert (await bot.ask("x")).state is RequestState.PENDING
    with_stages(bot, stage, groups=(few,), delegation=False)
    request = await bot.ask("x")
    assert request.state is RequestState.DENIED
    assert "(1 person is away, and nobody can stand in here)" in request.asked.reasons[-1]


async def test_whoever_is_back_in_time_counts_as_there(bot: Bot) -> None:
    few, stage = only(BEN)
    with_stages(bot, stage, groups=(few,))
    await leaves(bot, BEN, None, lasts=timedelta(minutes=19))
    assert (await bot.ask("x")).state is RequestState.PENDING  # it waits for twenty minutes


async def test_whoever_asks_is_not_reminded_to_stand_in(bot: Bot) -> None:
    with_stages(bot, Stage(name="lead", approvers=(LEADS,), remind=(timedelta(minutes=1),)))
    await leaves(bot, BEN, ANNA)
    request = await bot.ask("x", by=ANNA)
    await bot.pass_(minutes=2)
    history = await bot.ledger.history(request.id)
    assert [each.people for each in history if isinstance(each, e.Reminded)] == [(CLEO.id, DAN.id)]


async def test_nobody_stands_in_for_whoever_asks(bot: Bot) -> None:
    few, stage = only(BEN, CLEO)
    with_stages(bot, stage, groups=(few,))
    await leaves(bot, BEN, FINN)
    await leaves(bot, CLEO, None)
    assert (await bot.ask("x", by=BEN)).state is RequestState.DENIED
    assert (await bot.ask("x", by=ANNA)).state is RequestState.PENDING


async def test_who_stands_in_may_look_the_request_up(bot: Bot) -> None:
    await leaves(bot, BEN, FINN)
    request = await bot.ask()
    assert await bot.requests.find(request.id, by=FINN) == request
    behind = await bot.backgrounds.of(request.id, by=FINN)
    assert (behind.groups, behind.people) == ((), (CLEO.id, DAN.id, FINN.id))
    assert [each.on_behalf_of for each in behind.lent] == [BEN]
    await bot.absences.withdraw(by=BEN, delivery="off")
    with pytest.raises(NotFound):
        await bot.requests.find(request.id, by=FINN)


async def test_a_card_is_shown_anew_when_somebody_is_back(bot: Bot) -> None:
    shown: list[tuple[Actor, ...]] = []
    show = bot.messenger.show

    def watched(story: Story, receipts: Mapping[str, Receipt]) -> AsyncGenerator[Receipt, None]:
        shown.append(tuple(each.who for each in story.missing.away))
        return show(story, receipts)

    bot.messenger.show = watched
    await leaves(bot, BEN, FINN, lasts=timedelta(minutes=5))
    await leaves(bot, EVA, FINN, lasts=timedelta(minutes=5))  # nobody waits for her
    await bot.ask()
    await bot.pass_(minutes=4)
    assert shown == [(BEN,)]
    await bot.pass_(minutes=2)
    assert shown == [(BEN,), ()]


@pytest.mark.parametrize("who", ["asks", "is away", "is needed"])
async def test_a_stand_in_who_cannot_act_makes_nothing_completable(bot: Bot, who: str) -> None:
    few, stage = only(BEN, CLEO, quorum=2 if who == "is needed" else 1)
    with_stages(bot, stage, groups=(few,))
    await leaves(bot, BEN, {"asks": ANNA, "is away": EVA, "is needed": CLEO}[who])
    if who != "is needed":
        await leaves(bot, CLEO, None)
    if who == "is away":
        await leaves(bot, EVA, FINN)
    assert (await bot.ask("x")).state is RequestState.DENIED


async def test_a_place_kept_for_a_group_is_completable_by_who_stands_in_alone(bot: Bot) -> None:
    peers = replace(PEERS, escalate=())
    with_stages(bot, peers)
    await leaves(bot, DAN, CLEO)
    request = await bot.ask("x")
    assert request.state is RequestState.PENDING
    assert peers.at_least == (Share("owners", 1),)
    assert OWNERS.users == {DAN.id}
    for who in (CLEO, BEN):
        request = (await bot.move(request, Approve(), by=who)).request
    assert request.state is RequestState.APPROVED
