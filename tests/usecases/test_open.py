"""Requests are opened: what policy says, what is refused, and what is counted."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import BotError, Invalid, NotAllowed, Unavailable
from bot.core.identity import Actor, Kind, person, request_id
from bot.core.moves import Approve, Deny
from bot.core.request import replay
from bot.core.states import GrantState, RequestState
from bot.usecases.ports import Standing
from tests.contracts.world import opening
from tests.usecases.bots import (
    ANNA,
    BEN,
    CLEO,
    EVA,
    FINN,
    FOREIGN_BEN,
    GUS,
    OLGA,
    TEAM,
    Bot,
)


async def test_what_people_must_decide_waits_for_them(either: Bot) -> None:
    request = await either.ask("read")
    assert request == await either.now(request)
    assert request.state is RequestState.PENDING
    assert request.waits_for is not None
    assert await either.kinds(request) == [e.Requested]
    assert either.shown == [request.id]


async def test_what_policy_allows_is_granted_at_once(either: Bot) -> None:
    request = await either.ask("auto")
    assert request.grant is not None
    assert request.grant.state is GrantState.LIVE
    assert await either.kinds(request) == [e.Requested, e.Approved, e.Granted, e.Started]
    assert await either.works(request.grant.token)


@pytest.mark.parametrize("bundle", ["never", "ruleless"])
async def test_what_policy_forbids_is_recorded_as_denied(either: Bot, bundle: str) -> None:
    request = await either.ask(bundle)
    assert request.state is RequestState.DENIED
    assert await either.kinds(request) == [e.Requested, e.Denied]
    assert either.shown == [request.id]


async def test_the_same_delivery_opens_only_once(either: Bot) -> None:
    outcomes = await asyncio.gather(*(either.open("auto", delivery="x") for _ in range(5)))
    [request] = {outcome.request for outcome in outcomes}
    assert sum(bool(outcome.events) for outcome in outcomes) == 1
    assert len(await either.ledger.history(request.id)) == 4
    assert await either.listings.of_person(ANNA) == [request]


async def test_a_delivery_that_comes_again_finds_the_request_as_it_is_now(either: Bot) -> None:
    first = (await either.open("twice", delivery="x")).request
    await either.open("twice", delivery="y")
    again = await either.open("twice", delivery="x")
    assert (again.request, again.events) == (first, ())
    pending = (await either.open("read", delivery="z")).request
    denied = (await either.move(pending, Deny("no"), by=BEN)).request
    assert (await either.open("read", delivery="z")).request == denied


async def test_a_request_that_another_version_stored_is_found_too(either: Bot) -> None:
    stored = opening("some other id", request=request_id("x"), by=ANNA)
    await either.ledger.commit(stored)
    outcome = await either.open("auto", delivery="x")
    assert (outcome.request, outcome.events) == (stored.writes[0].record, ())


async def test_an_id_that_two_people_share_shows_neither_the_others_request(bot: Bot) -> None:
    await bot.open("read", by=ANNA, delivery="x")
    with pytest.raises(BotError, match="another request"):
        await bot.open("read", by=CLEO, delivery="x")


async def test_asks_beyond_the_daily_limit_are_refused_also_at_the_same_instant(
    either: Bot,
) -> None:
    asks = (either.open("twice", delivery=f"x{n}") for n in range(8))
    answers = await asyncio.gather(*asks, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(answers) - len(refused) == 2
    assert {type(answer) for answer in refused} == {NotAllowed}
    assert len(await either.listings.of_person(ANNA)) == 2
    assert (await either.ask("twice", by=BEN)).state is RequestState.APPROVED


async def test_an_ask_is_free_again_after_a_day(bot: Bot) -> None:
    for _ in range(2):
        await bot.ask("twice")
    with pytest.raises(NotAllowed, match="2 is the limit"):
        await bot.ask("twice")
    await bot.wait(timedelta(hours=24))
    await bot.ask("twice")


async def test_one_grant_of_a_scarce_bundle_lives_at_a_time(either: Bot) -> None:
    asks = (either.open("scarce", by=by, delivery=by.id) for by in (ANNA, BEN, CLEO))
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert sum(isinstance(answer, NotAllowed) for answer in answers) == 2
    assert await either.listings.count_live() == 1


async def test_the_limit_on_live_grants_also_holds_for_simultaneous_approvals(either: Bot) -> None:
    requests = [await either.ask("rare", by=by) for by in (ANNA, BEN, CLEO)]
    approvers = (BEN, CLEO, BEN)
    answers = await asyncio.gather(
        *(
            either.move(request, Approve(), by=by)
            for request, by in zip(requests, approvers, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, NotAllowed) for answer in answers) == 2
    assert await either.listings.count_live() == 1
    states = [(await either.now(request)).state for request in requests]
    assert sorted(states) == [RequestState.APPROVED, RequestState.PENDING, RequestState.PENDING]


async def test_an_ended_grant_makes_room(bot: Bot) -> None:
    await bot.ask("scarce")
    with pytest.raises(NotAllowed, match="1 is the limit"):
        await bot.ask("scarce", by=BEN)
    await bot.pass_(minutes=30)
    await bot.ask("scarce", by=BEN)


@pytest.mark.parametrize(
    "by",
    [
        GUS,
        OLGA,
        FOREIGN_BEN,
        person("U0JITBOT", home=TEAM),
        person("U0NOBODY", home=TEAM),
        Actor(Kind.MACHINE, "billing-api"),
    ],
    ids=str,
)
async def test_whoever_is_no_member_is_turned_away(bot: Bot, by: Actor) -> None:
    for attempt in (bot.open("auto", by=by), bot.requests.mine(by), bot.requests.admit(by)):
        with pytest.raises(NotAllowed):
            await attempt
    assert await bot.ledger.log() == []


async def test_people_whom_no_rule_is_for_are_denied(bot: Bot) -> None:
    assert (await bot.ask("auto", by=FINN)).state is RequestState.DENIED


async def test_a_look_up_that_fails_refuses(bot: Bot) -> None:
    bot.directory.away = True
    with pytest.raises(Unavailable):
        await bot.ask("read")
    assert await bot.ledger.log() == []


async def test_a_group_that_cannot_be_read_refuses(bot: Bot) -> None:
    rules = bot.policy.rules_of["auto"]
    only_security = replace(rules[0], requesters=("security",))
    bot.policy = replace(bot.policy, rules_of={**bot.policy.rules_of, "auto": (only_security,)})
    bot.directory.usergroups.clear()
    with pytest.raises(Unavailable):
        await bot.ask("auto", by=EVA)


async def test_before_a_grant_the_requester_is_looked_up_anew(bot: Bot) -> None:
    await bot.requests.admit(ANNA)
    bot.directory.people[ANNA.id] = Standing.DEACTIVATED
    assert (await bot.ask("read")).state is RequestState.PENDING
    with pytest.raises(NotAllowed, match="deactivated"):
        await bot.ask("auto")


async def test_nothing_is_granted_while_the_clocks_disagree(bot: Bot) -> None:
    bot.clock.agreeing = False  # type: ignore[attr-defined]  # the manual clock
    with pytest.raises(Unavailable, match="the clocks disagree"):
        await bot.ask("auto")
    request = await bot.ask("read")
    with pytest.raises(Unavailable):
        await bot.move(request, Approve(), by=BEN)
    await bot.move(request, Deny("later"), by=BEN)


async def test_a_channel_that_cannot_be_used_is_named(bot: Bot) -> None:
    with pytest.raises(NotAllowed, match="not in #hidden"):
        await bot.ask("hidden")
    assert await bot.ledger.log() == []


@pytest.mark.parametrize(
    ("field", "over"),
    [
        ("bundle", {"bundle": "reed"}),
        ("bundle", {"bundle": "\ud800*:"}),
        ("duration", {"duration": timedelta(0)}),
        ("duration", {"duration": timedelta(seconds=-1)}),
        ("duration", {"duration": timedelta(hours=1, seconds=1)}),
        ("duration", {"duration": timedelta(milliseconds=1500)}),
        ("duration", {"duration": timedelta(days=10**8)}),
        ("scopes", {"scopes": ()}),
        ("scopes", {"scopes": ("invoices:write",)}),
        ("reason", {"reason": "short"}),
        ("reason", {"reason": "\u200b\u202e" * 20}),
        ("reason", {"reason": "x" * 501}),
        ("ticket", {"bundle": "ticketed"}),
        ("ticket", {"bundle": "ticketed", "ticket": "INC-1/../INC-2"}),
        ("ticket", {"ticket": "x" * 101}),
    ],
)
async def test_a_wrong_part_is_named(bot: Bot, field: str, over: dict[str, object]) -> None:
    with pytest.raises(Invalid) as caught:
        await bot.ask(**over)  # type: ignore[arg-type]  # any part may be wrong
    assert caught.value.field == field
    assert await bot.ledger.log() == []


@pytest.mark.parametrize(
    "scope",
    [
        "invoices:read ",
        "invoices:read\t",
        "invoices:read\n",
        "invoices:read\x00",
        "invoices:read\u00a0",
        "invoices:read\u200b",
        '"invoices:read"',
        "invoices:read\\",
        "invoices:read,refunds:read",
        "invoices:read refunds:read",
        '["invoices:read"]',
        "*",
        "INVOICES:READ",
        "invoices:re\u0430d",
        "invoices:read" * 2000,
        "\ud800",
        "",
    ],
)
async def test_a_scope_must_match_to_the_byte(bot: Bot, scope: str) -> None:
    with pytest.raises(Invalid) as caught:
        await bot.ask("auto", scopes=("refunds:read", scope))
    assert caught.value.field == "scopes"
    assert len(str(caught.value)) < 300


async def test_the_requester_can_do_with_less(bot: Bot) -> None:
    request = await bot.ask("auto", scopes=("refunds:read",), duration=timedelta(minutes=5))
    assert request.grant is not None
    assert request.grant.token.scopes == ("refunds:read",)
    assert request.asked.left_out == 1
    assert request.grant.ends_at == bot.clock.now() + timedelta(minutes=5)


async def test_texts_are_tidied_before_they_are_recorded(either: Bot) -> None:
    reason = " Caf\u0065\u0301 \u202eevil\u202c\x07 \ud800\r\nsecond\tline\u200b "
    request = await either.ask("ticketed", reason=reason, ticket=" INC-\u200b7 ")
    assert request.asked.reason == "Caf\u00e9 evil \nsecond line"
    assert request.asked.ticket == "INC-7"
    [asked] = await either.ledger.history(request.id)
    assert asked == request.asked


async def test_replaying_gives_what_was_answered(either: Bot) -> None:
    request = await either.granted("two")
    request = (await either.move(request, Approve(), by=CLEO)).request
    assert replay(await either.ledger.history(request.id)) == request
