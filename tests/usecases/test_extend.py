"""Grants are prolonged: a new request each time, and never once they are over."""

import asyncio
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import NotAllowed, NotFound, TooLate, Unavailable, WrongState
from bot.core.moves import Approve, Cancel, Deny, Revoke
from bot.core.request import Request
from bot.core.states import GrantState, RequestState
from bot.store.memory import MemoryStore
from bot.usecases.ports import Standing
from bot.usecases.wishes import Outcome
from tests.usecases.bots import (
    ANNA,
    AT_ONCE,
    BEN,
    BY_LEAD,
    CLEO,
    DAN,
    SHELF,
    Bot,
    a_bundle,
    a_policy,
)


async def extend(bot: Bot, request: Request, *, by=ANNA) -> Outcome:
    return await bot.requests.extend(request.id, by=by, delivery=bot.delivery())


async def late(bot: Bot, bundle: str) -> Request:
    """Return a request whose grant of half an hour has six minutes left."""
    request = await bot.granted(bundle)
    await bot.pass_(minutes=24)
    return await bot.now(request)


async def test_more_time_that_policy_allows_comes_at_once_with_a_new_token(bot: Bot) -> None:
    request = await late(bot, "auto")
    outcome = await extend(bot, request)
    assert outcome.request.state is RequestState.APPROVED
    assert outcome.request.grant is None
    grant = (await bot.now(request)).working_grant
    assert grant is not None
    assert request.grant is not None
    assert grant.ends_at == request.grant.ends_at + timedelta(minutes=30)
    assert len({token.jti for token in grant.tokens}) == 2
    assert [await bot.works(token) for token in grant.tokens] == [True, True]
    await bot.work()
    assert [bot.readable(token) for token in grant.tokens] == [[], ["D-U0ANNA"]]
    await bot.wait(timedelta(minutes=6))
    assert [await bot.works(token) for token in grant.tokens] == [False, True]


async def test_more_time_that_people_must_allow_comes_when_they_do(bot: Bot) -> None:
    request = await late(bot, "read")
    wish = (await extend(bot, request)).request
    assert wish.state is RequestState.PENDING
    assert request.grant is not None
    assert wish.asked.deadline == request.grant.ends_at
    with pytest.raises(NotAllowed):
        await bot.move(wish, Approve(), by=ANNA)
    await bot.move(wish, Approve(), by=CLEO)
    grant = (await bot.now(request)).grant
    assert grant is not None
    assert grant.extensions == (wish.id,)
    assert await bot.works(grant.token)
    assert (await bot.kinds(wish))[-1] is e.Approved
    assert (await bot.kinds(request))[-1] is e.Extended


async def test_each_token_is_prolonged_once(either: Bot) -> None:
    request = await either.granted("read")
    pressed = await asyncio.gather(*(extend(either, request) for _ in range(5)))
    assert len({outcome.request.id for outcome in pressed}) == 1
    assert sum(bool(outcome.events) for outcome in pressed) == 1
    wish = pressed[0].request
    await either.move(wish, Deny("enough"), by=BEN)
    assert (await extend(either, request)).request.state is RequestState.DENIED


async def test_the_new_token_can_be_prolonged_again(bot: Bot) -> None:
    request = await late(bot, "auto")
    first = await extend(bot, request)
    await bot.pass_(minutes=30)
    second = await extend(bot, request)
    assert second.request.id != first.request.id
    grant = (await bot.now(request)).grant
    assert grant is not None
    assert len(grant.tokens) == 3
    assert len({token.jti for token in grant.tokens}) == 3


async def test_a_press_that_is_delivered_again_prolongs_nothing_twice(bot: Bot) -> None:
    request = await late(bot, "auto")
    assert request.grant is not None
    button = request.grant.token.jti
    pressed = [
        await bot.requests.extend(request.id, by=ANNA, delivery=delivery, token=button)
        for delivery in ("x", "x", "y")
    ]
    assert [bool(outcome.events) for outcome in pressed] == [True, False, False]
    assert len({outcome.request.id for outcome in pressed}) == 1
    grant = (await bot.now(request)).grant
    assert grant is not None
    assert len(grant.tokens) == 2


async def test_an_old_button_prolongs_nothing_even_if_its_first_press_is_forgotten(
    bot: Bot, store: MemoryStore
) -> None:
    request = await late(bot, "auto")
    assert request.grant is not None
    button = request.grant.token.jti
    wish = await bot.requests.extend(request.id, by=ANNA, delivery="x", token=button)
    store.records.pop(wish.request.id)
    with pytest.raises(WrongState, match="extended already"):
        await bot.requests.extend(request.id, by=ANNA, delivery="x", token=button)


async def test_a_button_of_another_grant_prolongs_nothing_and_shows_nothing(bot: Bot) -> None:
    request, other = await late(bot, "auto"), await bot.granted("auto", by=BEN)
    await bot.pass_(minutes=5)
    assert other.grant is not None
    await bot.requests.extend(other.id, by=BEN, delivery="x")
    for token in (other.grant.token.jti, "x", "\ud800"):
        with pytest.raises(WrongState):
            await bot.requests.extend(request.id, by=ANNA, delivery="y", token=token)


async def test_prolonging_counts_as_asking(bot: Bot) -> None:
    request = await late(bot, "twice")
    await extend(bot, request)
    await bot.pass_(minutes=30)
    with pytest.raises(NotAllowed, match="2 is the limit"):
        await extend(bot, request)


async def test_a_scarce_bundle_is_not_counted_twice(bot: Bot) -> None:
    request = await late(bot, "scarce")
    await extend(bot, request)
    _, [account] = await bot.ledger.load_all([], ["bundle:scarce"])
    assert account.live == {request.id}
    await bot.move(request, Revoke(), by=ANNA)
    _, [account] = await bot.ledger.load_all([], ["bundle:scarce"])
    assert account.live == frozenset()


@pytest.mark.parametrize("bundle", ["auto", "read"])
async def test_what_has_ended_cannot_be_prolonged(bot: Bot, bundle: str) -> None:
    request = await late(bot, bundle)
    await bot.pass_(minutes=6)
    with pytest.raises(WrongState):
        await extend(bot, request)
    ended = await bot.granted(bundle)
    await bot.move(ended, Revoke(), by=ANNA)
    with pytest.raises(WrongState):
        await extend(bot, ended)
    assert len(await bot.listings.of_person(ANNA)) == 2


@pytest.mark.parametrize("bundle", ["auto", "read"])
async def test_at_its_end_it_is_too_late_also_before_a_timer_has_run(bot: Bot, bundle: str) -> None:
    request = await late(bot, bundle)
    await bot.wait(timedelta(minutes=6))
    with pytest.raises(TooLate):
        await extend(bot, request)
    assert len(await bot.listings.of_person(ANNA)) == 1


async def test_what_was_never_granted_cannot_be_prolonged(bot: Bot) -> None:
    for bundle in ("read", "never"):
        request = await bot.ask(bundle)
        with pytest.raises(WrongState):
            await extend(bot, request)
    wish = (await extend(bot, await late(bot, "auto"))).request
    with pytest.raises(WrongState):
        await extend(bot, wish)


async def test_somebody_elses_grant_cannot_be_prolonged(bot: Bot) -> None:
    request = await bot.granted("auto")
    with pytest.raises(NotAllowed, match="only the person who asked"):
        await extend(bot, request, by=BEN)
    assert (await bot.kinds(request))[-1] is e.Refused


async def test_the_policy_of_today_decides(bot: Bot) -> None:
    request = await late(bot, "auto")
    bot.policy = a_policy({**SHELF, "auto": (a_bundle("auto"), (BY_LEAD,))})
    assert (await extend(bot, request)).request.state is RequestState.PENDING

    request = await late(bot, "twice")
    bot.policy = a_policy({**SHELF, "twice": (a_bundle("twice"), ())})
    denied = (await extend(bot, request)).request
    assert denied.state is RequestState.DENIED
    assert (await bot.now(request)).grant == request.grant


@pytest.mark.parametrize(
    "bundle",
    [None, a_bundle("auto", scopes=a_bundle("x").scopes[:1]), a_bundle("auto", reason_min=400)],
)
async def test_a_bundle_that_lost_what_was_granted_is_not_prolonged(bot: Bot, bundle) -> None:
    request = await late(bot, "auto")
    rest = {name: SHELF[name] for name in SHELF if name != "auto"}
    bot.policy = a_policy(rest if bundle is None else {**rest, "auto": (bundle, (AT_ONCE,))})
    with pytest.raises(NotAllowed, match="cannot be extended"):
        await extend(bot, request)


async def test_a_grant_is_never_made_shorter(bot: Bot) -> None:
    request = await late(bot, "auto")
    short = a_bundle(
        "auto", max_duration=timedelta(minutes=5), default_duration=timedelta(minutes=5)
    )
    bot.policy = a_policy({**SHELF, "auto": (short, (AT_ONCE,))})
    with pytest.raises(WrongState, match="5m from now at most"):
        await extend(bot, request)
    assert (await bot.now(request)).grant == request.grant
    longest = await bot.ask("twice", duration=timedelta(hours=1))
    with pytest.raises(WrongState, match="as long as it may"):
        await extend(bot, longest)


async def test_it_needs_a_channel_and_a_requester_who_is_still_there(bot: Bot) -> None:
    request = await late(bot, "auto")
    bot.directory.channels["#access"] = "the app was thrown out"
    with pytest.raises(NotAllowed, match="thrown out"):
        await extend(bot, request)
    bot.directory.channels["#access"] = ""
    bot.directory.people[ANNA.id] = Standing.DEACTIVATED
    with pytest.raises(NotAllowed, match="deactivated"):
        await extend(bot, request)
    assert (await bot.now(request)).grant == request.grant


async def test_a_yes_and_the_end_of_the_grant_in_the_same_instant(
    replicas: tuple[Bot, Bot],
) -> None:
    one, other = replicas
    for turn in range(20):
        request = await one.granted("read")
        wish = (await extend(one, request)).request
        deeds = [one.move(wish, Approve(), by=CLEO), other.move(request, Revoke(), by=DAN)]
        answers = await asyncio.gather(
            *(deeds if turn % 2 else deeds[::-1]), return_exceptions=True
        )
        settled = await one.now(request)
        assert settled.grant is not None
        assert settled.grant.state is GrantState.REVOKED
        assert [await one.works(token) for token in settled.grant.tokens] == [False] * len(
            settled.grant.tokens
        )
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert all(type(answer) is WrongState for answer in refused)
        approved = (await one.now(wish)).state is RequestState.APPROVED
        assert approved == (len(settled.grant.tokens) == 2)


async def test_a_wish_for_what_has_ended_cannot_be_granted_and_is_closed(bot: Bot) -> None:
    request = await late(bot, "read")
    wish = (await extend(bot, request)).request
    await bot.move(request, Revoke(), by=ANNA)
    with pytest.raises(WrongState):
        await bot.move(wish, Approve(), by=CLEO)
    assert (await bot.now(wish)).state is RequestState.PENDING
    await bot.move(wish, Cancel(), by=ANNA)


async def test_a_wish_lapses_with_the_grant(bot: Bot) -> None:
    request = await late(bot, "read")
    wish = (await extend(bot, request)).request
    await bot.pass_(minutes=7)
    assert (await bot.now(wish)).state is RequestState.EXPIRED
    grant = (await bot.now(request)).grant
    assert grant is not None
    assert grant.state is GrantState.EXPIRED


async def test_nothing_is_prolonged_while_the_clocks_disagree(bot: Bot) -> None:
    request = await late(bot, "auto")
    bot.clock.agreeing = False  # type: ignore[attr-defined]  # the manual clock
    with pytest.raises(Unavailable):
        await extend(bot, request)
    assert (await bot.now(request)).grant == request.grant


async def test_what_was_forgotten_cannot_be_prolonged(bot: Bot, store: MemoryStore) -> None:
    request = await late(bot, "auto")
    store.records.pop(request.id)
    with pytest.raises(NotFound):
        await extend(bot, request)
