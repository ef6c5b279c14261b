"""People act on requests: who may, what it leads to, and that everybody is answered."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import (
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    TooLate,
    Unavailable,
    WrongState,
)
from bot.core.events import Requested
from bot.core.identity import RequestId, person, request_of
from bot.core.moves import Approve, Cancel, Deny, Reveal, Revoke, Scrub
from bot.core.policy import Group, Guardrail, Selector, Verdict
from bot.core.request import replay, shown_digest
from bot.core.states import GrantState, RequestState
from bot.store.memory import MemoryLedger, MemoryStore
from bot.usecases.ports import Commit, Committed, Standing
from tests.clocks import ManualClock
from tests.usecases.bots import (
    ANNA,
    BEN,
    BY_LEAD,
    CLEO,
    DAN,
    ENGINEERS,
    EVA,
    FINN,
    FOREIGN_BEN,
    GUS,
    LEAD,
    SHELF,
    TEAM,
    TWO_LEADS,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
    in_memory,
)


async def test_a_yes_grants_access_at_once(either: Bot) -> None:
    request = await either.ask("read")
    outcome = await either.move(request, Approve(shown_digest(request.asked)), by=BEN)
    grant = outcome.request.working_grant
    assert grant is not None
    assert await either.works(grant.token)
    assert await either.kinds(request) == [
        e.Requested,
        e.Voted,
        e.StagePassed,
        e.Approved,
        e.Granted,
        e.Started,
    ]
    assert await either.now(request) == outcome.request


async def test_the_second_yes_of_two_grants_access(either: Bot) -> None:
    request = await either.ask("two")
    first = await either.move(request, Approve(), by=BEN)
    assert first.request.state is RequestState.PENDING
    again = await either.move(request, Approve(), by=BEN)
    assert again.events == ()
    second = await either.move(request, Approve(), by=CLEO)
    assert second.request.state is RequestState.APPROVED


async def test_one_person_clicking_on_many_devices_counts_once(either: Bot) -> None:
    request = await either.ask("two")
    clicks = (either.move(request, Approve(), by=BEN) for _ in range(10))
    await asyncio.gather(*clicks)
    request = await either.now(request)
    assert request.votes_in(0) == (BEN,)
    assert request.state is RequestState.PENDING


async def test_stages_pass_in_their_order(either: Bot) -> None:
    request = await either.ask("staged")
    with pytest.raises(NotAllowed, match="not an approver"):
        await either.move(request, Approve(), by=EVA)
    await either.move(request, Approve(), by=CLEO)
    with pytest.raises(NotAllowed):
        await either.move(request, Approve(), by=BEN)
    granted = await either.move(request, Approve(), by=EVA)
    assert granted.request.working_grant is not None


@pytest.mark.parametrize("by", [ANNA, person(ANNA.id, home="T0OTHER"), person(ANNA.id, home="")])
async def test_nobody_approves_or_denies_their_own_request(bot: Bot, by) -> None:
    bot.policy = a_policy(groups=(*a_policy().groups.values(), Group(name="x")))
    leads = replace(bot.policy.groups["leads"], users=frozenset({ANNA.id, BEN.id}))
    bot.policy = replace(bot.policy, groups={**bot.policy.groups, "leads": leads})
    request = await bot.ask("read")
    for move in (Approve(), Deny("no")):
        with pytest.raises(NotAllowed):
            await bot.move(request, move, by=by)
    assert (await bot.now(request)).version == 1


@pytest.mark.parametrize("by", [FOREIGN_BEN, GUS, FINN, person("U0JITBOT", home=TEAM)], ids=str)
async def test_who_is_no_approver_gets_no_say(either: Bot, by) -> None:
    request = await either.ask("read")
    for move in (Approve(), Deny("no"), Cancel()):
        with pytest.raises(NotAllowed):
            await either.move(request, move, by=by)
    assert (await either.now(request)).version == 1


async def test_an_approver_who_was_taken_out_of_the_group_has_no_say_any_more(bot: Bot) -> None:
    request = await bot.ask("staged")
    await bot.move(request, Approve(), by=BEN)
    bot.directory.usergroups["S0SECURITY"] = frozenset()
    with pytest.raises(NotAllowed):
        await bot.move(request, Approve(), by=EVA)
    bot.policy = replace(bot.policy, groups={})
    with pytest.raises(NotAllowed):
        await bot.move(request, Deny("no"), by=EVA)


async def test_a_no_with_a_reason_ends_it(either: Bot) -> None:
    request = await either.ask("two")
    await either.move(request, Approve(), by=BEN)
    denied = await either.move(request, Deny(" not \u202etoday\n"), by=CLEO)
    assert denied.request.state is RequestState.DENIED
    assert denied.request.close is not None
    assert denied.request.close.reason == "not today"
    with pytest.raises(WrongState):
        await either.move(request, Approve(), by=DAN)


@pytest.mark.parametrize("reason", ["", " \n", "\u200b\u202e", "\ud800", "x" * 501])
async def test_a_no_without_a_fit_reason_is_asked_for_it(bot: Bot, reason: str) -> None:
    request = await bot.ask("read")
    with pytest.raises(Invalid) as caught:
        await bot.move(request, Deny(reason), by=BEN)
    assert caught.value.field == "reason"
    assert (await bot.now(request)).state is RequestState.PENDING
    assert bot.metrics.counts["jit_events_total", "move.refused"] == 0


async def test_a_reason_to_end_may_be_left_out_but_is_tidied(bot: Bot) -> None:
    request = await bot.granted()
    with pytest.raises(Invalid):
        await bot.move(request, Revoke("x" * 501), by=ANNA)
    await bot.move(request, Revoke("\ud800"), by=ANNA)
    grant = (await bot.now(request)).grant
    assert grant is not None
    assert grant.close is not None
    assert grant.close.reason == ""


async def test_the_requester_takes_it_back(either: Bot) -> None:
    request = await either.ask("read")
    await either.move(request, Cancel(), by=ANNA)
    with pytest.raises(WrongState, match="cancelled already"):
        await either.move(request, Approve(), by=BEN)


async def test_the_requester_needs_no_group_to_take_it_back(bot: Bot) -> None:
    request = await bot.ask("staged")
    bot.directory.usergroups.clear()
    await bot.move(request, Cancel(), by=ANNA)
    assert (await bot.now(request)).state is RequestState.CANCELLED


async def test_a_group_that_cannot_be_read_takes_nobodys_say_and_gives_none(bot: Bot) -> None:
    request = await bot.ask("staged")
    bot.directory.usergroups.clear()
    with pytest.raises(Unavailable):
        await bot.move(request, Deny("no"), by=EVA)
    await bot.move(request, Deny("no"), by=BEN)
    assert (await bot.now(request)).state is RequestState.DENIED


async def test_whether_one_may_is_told_without_doing_it(bot: Bot) -> None:
    request = await bot.ask("read")
    assert await bot.requests.may(request.id, Deny("?"), by=BEN, delivery="x") == request
    with pytest.raises(NotAllowed):
        await bot.requests.may(request.id, Deny("?"), by=ANNA, delivery="y")
    assert await bot.kinds(request) == [e.Requested, e.Refused]


class DeafLedger(MemoryLedger):
    """Stores a commit, but its answer is lost as often as `deaf` says."""

    deaf = 0

    async def commit(self, change: Commit) -> Committed:
        answer = await super().commit(change)
        if self.deaf:
            self.deaf -= 1
            raise Unavailable("the answer was lost")
        return answer


async def test_a_click_whose_answer_was_lost_reads_as_done_when_it_comes_again(
    store: MemoryStore, clock: ManualClock
) -> None:
    ledger = DeafLedger(store)
    bot = in_memory(store, clock, ledger=ledger)
    for move, by, theirs, who in (
        (Approve(), BEN, Deny("no"), CLEO),
        (Deny("no"), BEN, None, None),
        (Cancel(), ANNA, None, None),
        (Approve(), BEN, Approve(), CLEO),
    ):
        request = await bot.ask("two")
        ledger.deaf = 1
        with pytest.raises(Unavailable):
            await bot.move(request, move, by=by, delivery=f"x{request.id}")
        if theirs is not None:
            await bot.move(request, theirs, by=who)
        before = await bot.ledger.history(request.id)
        again = await bot.move(request, move, by=by, delivery=f"x{request.id}")
        assert again.events == ()
        assert again.request == await bot.now(request)
        assert await bot.ledger.history(request.id) == before


async def test_a_look_at_the_token_that_comes_again_is_told_once(either: Bot) -> None:
    request = await either.granted("auto")
    for _ in range(3):
        await either.requests.reveal(request.id, by=ANNA, delivery="x")
    assert (await either.kinds(request)).count(e.Revealed) == 1


async def test_the_same_delivery_of_two_people_is_two_deeds(either: Bot) -> None:
    request = await either.ask("two")
    await either.move(request, Approve(), by=BEN, delivery="x")
    await either.move(request, Approve(), by=CLEO, delivery="x")
    assert (await either.now(request)).votes_in(0) == (BEN, CLEO)


@pytest.mark.parametrize("bundle", ["read", "two"])
async def test_twenty_rivals_have_one_outcome_and_each_an_answer(
    replicas: tuple[Bot, Bot], bundle: str
) -> None:
    crowd = [person(f"U{n:02}", home=TEAM) for n in range(20)]
    many = Group(name="leads", users=frozenset(who.id for who in crowd))
    stage = replace(LEAD if bundle == "read" else TWO_LEADS, approvers=(many,))
    for bot in replicas:
        rule = a_rule(Verdict.REQUIRE, stage)
        bot.policy = a_policy({bundle: (a_bundle(bundle), (rule,))}, groups=(ENGINEERS, many))
        bot.directory.people |= {who.id: Standing.MEMBER for who in crowd}
    asked = await replicas[0].ask(bundle)
    answers = await asyncio.gather(
        *(
            replicas[n % 2].move(asked, Approve() if n % 3 else Deny("no"), by=who, delivery=who.id)
            for n, who in enumerate(crowd)
        ),
        return_exceptions=True,
    )
    settled = await replicas[1].now(asked)
    history = await replicas[0].ledger.history(asked.id)
    assert replay(history) == settled
    assert settled.state in (RequestState.APPROVED, RequestState.DENIED)
    done = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(type(answer) is WrongState for answer in refused)
    told = {event.by for event in history if isinstance(event, e.Voted | e.Denied)}
    assert len(done) == len(told)
    settling = [event for event in history if isinstance(event, e.Approved | e.Denied)]
    assert len(settling) == 1


async def test_a_refused_click_is_told_once_a_minute_of_each_person(bot: Bot) -> None:
    request = await bot.ask("read")
    for _ in range(3):
        for by in (ANNA, FINN):
            with pytest.raises(NotAllowed):
                await bot.move(request, Approve(), by=by)
    _, *refused = await bot.ledger.history(request.id)
    assert [(type(event), event.by) for event in refused] == [(e.Refused, ANNA), (e.Refused, FINN)]
    assert (await bot.now(request)).version == 1
    await bot.wait(timedelta(minutes=1))
    with pytest.raises(NotAllowed):
        await bot.move(request, Approve(), by=FINN)
    assert (await bot.kinds(request)).count(e.Refused) == 3


async def test_a_refusal_stands_even_if_it_cannot_be_told(
    store: MemoryStore, clock: ManualClock
) -> None:
    ledger = DeafLedger(store)
    bot = in_memory(store, clock, ledger=ledger)
    request = await bot.ask("read")
    ledger.deaf = 1
    with pytest.raises(NotAllowed):
        await bot.move(request, Approve(), by=FINN)


async def test_nothing_is_granted_to_a_requester_who_has_left(either: Bot) -> None:
    request = await either.ask("read")
    either.directory.people[ANNA.id] = Standing.DEACTIVATED
    with pytest.raises(NotAllowed, match="deactivated"):
        await either.move(request, Approve(), by=BEN)
    assert (await either.now(request)).state is RequestState.PENDING
    assert await either.kinds(request) == [e.Requested, e.Refused]


async def test_nothing_is_granted_while_slack_does_not_answer(bot: Bot) -> None:
    request = await bot.ask("read")
    await bot.requests.admit(BEN)
    bot.directory.away = True
    with pytest.raises(Unavailable):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.PENDING


NARROW = a_bundle("read", scopes=a_bundle("x").scopes[:1])
SHORT = a_bundle("read", max_duration=timedelta(minutes=10), default_duration=timedelta(minutes=5))
ELSEWHERE = a_bundle("read", resource="https://other.example")
CHATTY = a_bundle("read", reason_min=400)
BAR = Guardrail(id="freeze", bundles=Selector(), deny=True)
WORTHIER = Guardrail(id="two", bundles=Selector(), min_approvals=2)


@pytest.mark.parametrize(
    "policy",
    [
        a_policy({**SHELF, "read": (NARROW, (BY_LEAD,))}),
        a_policy({**SHELF, "read": (SHORT, (BY_LEAD,))}),
        a_policy({**SHELF, "read": (ELSEWHERE, (BY_LEAD,))}),
        a_policy({**SHELF, "read": (CHATTY, (BY_LEAD,))}),
        a_policy({**SHELF, "read": (SHELF["read"][0], ())}),
        a_policy({**SHELF, "read": (SHELF["read"][0], (a_rule(Verdict.DENY),))}),
        a_policy({name: SHELF[name] for name in SHELF if name != "read"}),
        a_policy(rails=(BAR,)),
        a_policy(rails=(WORTHIER,)),
    ],
    ids=[
        *("scope gone", "shorter", "other resource", "longer reason", "no rule", "denied"),
        *("bundle gone", "barred", "guardrail of two"),
    ],
)
async def test_what_todays_policy_would_not_grant_cannot_be_approved(bot: Bot, policy) -> None:
    request = await bot.ask("read")
    bot.policy = policy
    with pytest.raises(NotAllowed, match="cannot be granted any more"):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.PENDING
    await bot.move(request, Deny("the policy has changed"), by=BEN)


async def test_a_requester_who_lost_the_right_to_ask_is_granted_nothing(bot: Bot) -> None:
    request = await bot.ask("read")
    fewer = replace(bot.policy.groups["engineers"], users=frozenset({BEN.id}))
    bot.policy = replace(bot.policy, groups={**bot.policy.groups, "engineers": fewer})
    with pytest.raises(NotAllowed, match="cannot be granted any more"):
        await bot.move(request, Approve(), by=BEN)


async def test_a_policy_that_still_grants_the_same_is_no_hindrance(bot: Bot) -> None:
    request = await bot.ask("read")
    bot.policy = a_policy(digest="e" * 64)
    assert (await bot.move(request, Approve(), by=BEN)).request.working_grant is not None


async def test_a_card_that_shows_something_else_cannot_be_approved(bot: Bot) -> None:
    request, other = await bot.ask("read"), await bot.ask("read", by=CLEO)
    with pytest.raises(WrongState, match="something else"):
        await bot.move(request, Approve(shown_digest(other.asked)), by=BEN)


@pytest.mark.parametrize("typed", ["R-AAAAAAAAAAAA", "\ud800", "a:b*", "x" * 5000, "", "R-\n"])
async def test_what_is_no_request_is_not_found(either: Bot, typed: str) -> None:
    id_ = request_of(typed)
    for attempt in (
        either.requests.move(id_, Cancel(), by=ANNA, delivery="x"),
        either.requests.find(id_, by=ANNA),
        either.requests.extend(RequestId(typed), by=ANNA, delivery="x"),
    ):
        with pytest.raises(NotFound) as caught:
            await attempt
        str(caught.value).encode()
        assert len(str(caught.value)) < 100


async def test_a_click_at_the_deadline_is_too_late_and_the_card_says_so(bot: Bot) -> None:
    request = await bot.ask("read")
    await bot.wait(timedelta(minutes=20))
    with pytest.raises(TooLate):
        await bot.move(request, Approve(), by=BEN)
    await bot.work()
    assert (await bot.now(request)).state is RequestState.EXPIRED


async def test_a_click_is_too_late_by_the_servers_clock_not_by_ours(
    store: MemoryStore, clock: ManualClock
) -> None:
    slow = ManualClock()
    bot = in_memory(store, slow)
    request = await bot.ask("read")
    await clock.wait(timedelta(minutes=20))
    with pytest.raises(TooLate):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.PENDING


class LastMomentLedger(MemoryLedger):
    """The deadline passes while a click is on its way to the store."""

    async def commit(self, change: Commit) -> Committed:
        if change.needs_open:
            self._store.now.__self__.at += timedelta(minutes=1)
        return await super().commit(change)


async def test_a_click_that_the_deadline_overtakes_is_too_late_and_the_request_lapses(
    store: MemoryStore, clock: ManualClock
) -> None:
    bot = in_memory(store, clock, ledger=LastMomentLedger(store))
    request = await bot.ask("read")
    await bot.wait(timedelta(minutes=19, seconds=30))
    with pytest.raises(TooLate):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.EXPIRED
    assert await bot.kinds(request) == [e.Requested, e.Lapsed]


async def test_who_may_end_a_grant(bot: Bot) -> None:
    for by in (ANNA, BEN, DAN):
        request = await bot.granted("read")
        await bot.move(request, Revoke(), by=by)
        grant = (await bot.now(request)).grant
        assert grant is not None
        assert grant.state is GrantState.REVOKED
        assert not await bot.works(grant.token)
    request = await bot.granted("auto")
    with pytest.raises(NotAllowed):
        await bot.move(request, Revoke(), by=BEN)
    await bot.move(request, Revoke(), by=DAN)


async def test_the_token_is_revealed_to_its_requester_only_and_told(either: Bot) -> None:
    request = await either.granted("secret")
    token = await either.requests.reveal(request.id, by=ANNA, delivery="x")
    assert request.grant is not None
    assert token == either.desk.mint.token(request.grant.token)
    with pytest.raises(NotAllowed):
        await either.requests.reveal(request.id, by=DAN, delivery="y")
    assert (await either.kinds(request))[-2:] == [e.Revealed, e.Refused]
    await either.move(request, Revoke(), by=ANNA)
    with pytest.raises(WrongState):
        await either.requests.reveal(request.id, by=ANNA, delivery="z")
    with pytest.raises(WrongState):
        await either.move(request, Reveal(), by=ANNA)


async def test_who_has_a_say_in_a_request_finds_it_and_nobody_else(bot: Bot) -> None:
    request = await bot.ask("read")
    for by in (ANNA, BEN, DAN):
        assert await bot.requests.find(request.id, by=by) == request
    with pytest.raises(NotFound):
        await bot.requests.find(request.id, by=FINN)
    with pytest.raises(NotAllowed):
        await bot.requests.find(request.id, by=FOREIGN_BEN)
    assert await bot.requests.mine(BEN) == []
    assert await bot.requests.mine(ANNA) == [request]


async def test_only_the_requester_takes_the_token_out_of_its_message(bot: Bot) -> None:
    request = await bot.granted("auto")
    assert request.grant is not None
    jti = request.grant.token.jti
    with pytest.raises(NotAllowed):
        await bot.move(request, Scrub(jti), by=DAN)
    hidden = (await bot.move(request, Scrub(jti), by=ANNA)).request
    assert not hidden.token_is_readable
    assert await bot.works(request.grant.token)


class StormyLedger(MemoryLedger):
    async def commit(self, change: Commit) -> Committed:
        if not isinstance(change.events[0], Requested):
            raise Conflict("somebody else again")
        return await super().commit(change)


async def test_endless_rivals_end_in_an_answer(store: MemoryStore, clock: ManualClock) -> None:
    bot = in_memory(store, clock, ledger=StormyLedger(store))
    request = await bot.ask("read")
    with pytest.raises(Conflict, match="too many people"):
        await bot.move(request, Approve(), by=BEN)
