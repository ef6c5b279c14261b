"""Facts: looked up only where the policy reads them, and refused where they cannot be had."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.core.conditions import compile_condition
from bot.core.decision import NeedApproval
from bot.core.errors import Invalid, NotAllowed
from bot.core.explaining import Fate
from bot.core.identity import Actor
from bot.core.moves import Approve, Revoke
from bot.core.policy import Group, Guardrail, Selector, Verdict
from bot.core.request import Request
from bot.core.states import RequestState
from bot.store.memory import MemoryListings, MemoryStore
from bot.usecases.facts import PAGES
from bot.usecases.wishes import Wish
from tests.clocks import ManualClock
from tests.usecases.bots import (
    ANNA,
    BEN,
    ENGINEERS,
    GUS,
    LEAD,
    LEADS,
    OWNERS,
    SECURITY,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
    in_memory,
)


class CountingListings(MemoryListings):
    """Counts how often it is asked."""

    asked = 0

    async def of_person(self, who: Actor, *, limit: int = 20) -> Sequence[Request]:
        self.asked += 1
        return await super().of_person(who, limit=limit)


@pytest.fixture
def listings(store: MemoryStore) -> CountingListings:
    return CountingListings(store)


@pytest.fixture
def bot(store: MemoryStore, clock: ManualClock, listings: CountingListings) -> Bot:
    return in_memory(store, clock, listings=listings)


def conditioned(*texts: str, verdict=Verdict.AUTO_APPROVE, rails=(), groups=()):
    when = tuple(compile_condition(text) for text in texts)
    stages = (LEAD,) if verdict is Verdict.REQUIRE else ()
    rule = a_rule(verdict, *stages, when=when)
    known = (ENGINEERS, LEADS, SECURITY, OWNERS, *groups)
    return a_policy({"read": (a_bundle("read"), (rule,))}, rails=rails, groups=known)


async def test_nothing_is_counted_that_no_condition_reads(
    bot: Bot, listings: CountingListings
) -> None:
    bot.policy = conditioned("request.reason != ''")
    assert (await bot.ask()).state is RequestState.APPROVED
    assert listings.asked == 0


async def test_live_grants_are_counted(bot: Bot, listings: CountingListings) -> None:
    bot.policy = conditioned("user.active_grants < 2")
    first = await bot.ask()
    await bot.ask()
    denied = await bot.ask()
    assert denied.state is RequestState.DENIED
    assert "`user.active_grants < 2` is not so" in denied.asked.reasons[1]
    assert (await bot.ask(by=BEN)).state is RequestState.APPROVED
    await bot.move(first, Revoke(), by=ANNA)
    assert (await bot.ask()).state is RequestState.APPROVED
    assert listings.asked == 5


async def test_a_grant_does_not_stand_in_the_way_of_its_own_extension(bot: Bot) -> None:
    bot.policy = conditioned("user.active_grants == 0")
    first = await bot.ask()
    await bot.wait(timedelta(minutes=24))
    extended = await bot.requests.extend(first.id, by=ANNA, delivery=bot.delivery())
    assert extended.request.state is RequestState.APPROVED


async def test_a_grant_past_its_end_counts_no_more_even_if_no_timer_ran(bot: Bot) -> None:
    bot.policy = conditioned("user.active_grants == 0")
    await bot.ask()
    await bot.wait(timedelta(minutes=31))
    assert (await bot.ask()).state is RequestState.APPROVED


async def test_requests_of_a_day_are_counted_without_the_one_that_is_decided_on(bot: Bot) -> None:
    bot.policy = conditioned("user.requests_today == 1", verdict=Verdict.REQUIRE)
    assert (await bot.ask()).state is RequestState.DENIED
    second = await bot.ask()
    assert second.state is RequestState.PENDING
    approved = await bot.move(second, Approve(), by=BEN)
    assert approved.request.state is RequestState.APPROVED


async def test_facts_are_looked_up_again_at_the_click(bot: Bot) -> None:
    bot.policy = conditioned("user.active_grants == 0", verdict=Verdict.REQUIRE)
    asked = [await bot.ask() for _ in range(2)]
    await bot.move(asked[0], Approve(), by=BEN)
    with pytest.raises(NotAllowed, match="is not so"):
        await bot.move(asked[1], Approve(), by=BEN)


async def test_more_than_can_be_counted_is_refused(bot: Bot, listings: CountingListings) -> None:
    class Endless(CountingListings):
        async def of_person(self, who: Actor, *, limit: int = 20) -> Sequence[Request]:
            found = await super().of_person(who, limit=limit)
            return [*found] * (limit // max(len(found), 1))

    await bot.ask("auto")
    bot.requests._facts._listings = Endless(listings._store)
    bot.policy = conditioned("user.active_grants >= 0")
    denied = await bot.ask()
    assert denied.state is RequestState.DENIED
    assert "cannot be decided" in denied.asked.reasons[0]
    assert PAGES[-1] >= 1000


async def test_a_guardrail_sees_groups_that_only_its_condition_names(bot: Bot) -> None:
    barred = Group(name="barred", users=frozenset({ANNA.id}))
    rail = Guardrail(
        id="closed",
        bundles=Selector(),
        deny=True,
        when=(compile_condition("'barred' in user.groups"),),
    )
    bot.policy = conditioned("true", rails=(rail,), groups=(barred,))
    assert (await bot.ask()).state is RequestState.DENIED
    assert (await bot.ask(by=BEN)).state is RequestState.APPROVED


async def test_why_says_what_would_come_of_it_and_records_nothing(
    bot: Bot, store: MemoryStore
) -> None:
    found = await bot.requests.why(Wish(bundle="read"), by=ANNA)
    assert isinstance(found.decision, NeedApproval)
    assert [(tried.id, tried.fate) for tried in found.tried] == [("rule", Fate.DECIDES)]
    with pytest.raises(Invalid):
        await bot.requests.why(Wish(bundle="read", duration=timedelta(hours=2)), by=ANNA)
    with pytest.raises(NotAllowed):
        await bot.requests.why(Wish(bundle="read"), by=GUS)
    assert list(store.requests()) == []


async def test_a_condition_that_fails_is_told_to_operators_whenever_it_is_decided_on(
    bot: Bot,
) -> None:
    bot.policy = conditioned("bundle.labels.owner == 'x'")
    denied = await bot.ask()
    assert denied.state is RequestState.DENIED
    [failure] = bot.failed
    assert failure.one == f"rule {bot.policy.rules_of['read'][0].id}"
    assert failure.why in denied.asked.reasons[0]
    await bot.requests.why(Wish(bundle="read"), by=ANNA)
    assert bot.failed == [failure, failure]
    bot.policy = conditioned("request.reason != ''")
    await bot.ask()
    assert len(bot.failed) == 2


async def test_one_that_fails_at_the_click_that_would_grant_is_told_too(bot: Bot) -> None:
    bot.policy = conditioned("request.reason != ''", verdict=Verdict.REQUIRE)
    waiting = await bot.ask()
    bot.policy = conditioned("bundle.labels.owner == 'x'", verdict=Verdict.REQUIRE)
    with pytest.raises(NotAllowed, match="cannot be decided"):
        await bot.move(waiting, Approve(), by=BEN)
    assert {each.one for each in bot.failed} == {"rule rule"}
