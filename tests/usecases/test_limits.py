"""Limits across requests: of one person at once, after a denial, without anybody asked."""

import asyncio
from datetime import timedelta

import pytest

from bot.core.errors import NotAllowed, WrongState
from bot.core.moves import Approve, Deny, Revoke
from bot.core.scopes import Limits, Prolonging
from bot.core.states import RequestState
from tests.usecases.bots import ANNA, AT_ONCE, BEN, BY_LEAD, CLEO, Bot, a_bundle, a_policy


def shelf(*rules, **over):
    return a_policy({"read": (a_bundle("read", **over), rules)})


@pytest.fixture
def own(bot: Bot) -> Bot:
    bot.policy = shelf(AT_ONCE, limits=Limits(active_per_user=1))
    return bot


async def test_one_person_holds_no_more_grants_than_allowed(own: Bot) -> None:
    first = await own.ask()
    with pytest.raises(NotAllowed, match="1 is the limit"):
        await own.ask()
    await own.ask(by=BEN)
    await own.move(first, Revoke(), by=ANNA)
    await own.ask()


async def test_a_grant_that_reached_its_end_counts_no_more(own: Bot) -> None:
    await own.ask()
    await own.pass_(minutes=31)
    await own.ask()


async def test_of_two_asks_at_once_only_one_is_granted(either: Bot) -> None:
    either.policy = shelf(AT_ONCE, limits=Limits(active_per_user=1))
    asks = [either.open("read", by=ANNA, delivery=f"d{number}") for number in range(4)]
    found = await asyncio.gather(*asks, return_exceptions=True)
    assert sum(isinstance(each, NotAllowed) for each in found) == 3


async def test_the_cap_of_one_person_holds_when_people_approve(bot: Bot) -> None:
    bot.policy = shelf(BY_LEAD, limits=Limits(active_per_user=1))
    asked = [await bot.ask() for _ in range(2)]
    await bot.move(asked[0], Approve(), by=BEN)
    with pytest.raises(NotAllowed, match="1 is the limit"):
        await bot.move(asked[1], Approve(), by=BEN)
    assert (await bot.now(asked[1])).state is RequestState.PENDING


COOL = Limits(cool_down=timedelta(hours=1))


async def test_after_a_denial_the_same_person_waits_before_asking_again(bot: Bot) -> None:
    bot.policy = shelf(BY_LEAD, limits=COOL)
    await bot.move(await bot.ask(), Deny("not today"), by=BEN)
    with pytest.raises(NotAllowed, match="denied less than 1h ago") as caught:
        await bot.ask()
    assert "ask again after" in caught.value.hint
    await bot.ask(by=CLEO)
    await bot.pass_(minutes=59)
    with pytest.raises(NotAllowed):
        await bot.ask()
    await bot.pass_(minutes=1)
    await bot.ask()


async def test_a_denial_by_policy_makes_nobody_wait(bot: Bot) -> None:
    bot.policy = shelf(limits=COOL)
    assert (await bot.ask()).state is RequestState.DENIED
    assert (await bot.ask()).state is RequestState.DENIED


async def test_a_denial_of_one_bundle_says_nothing_of_others(bot: Bot) -> None:
    other = a_bundle("other", limits=COOL)
    bot.policy = a_policy(
        {"read": (a_bundle("read", limits=COOL), (BY_LEAD,)), "other": (other, (BY_LEAD,))}
    )
    await bot.move(await bot.ask("read"), Deny("no"), by=BEN)
    await bot.move(await bot.ask("other"), Deny("no"), by=BEN)
    for bundle in ("read", "other"):
        with pytest.raises(NotAllowed):
            await bot.ask(bundle)


async def test_beyond_the_cap_people_decide(bot: Bot) -> None:
    bot.policy = shelf(AT_ONCE, BY_LEAD, limits=Limits(auto_per_day=2))
    states = [(await bot.ask()).state for _ in range(3)]
    assert states == [RequestState.APPROVED, RequestState.APPROVED, RequestState.PENDING]
    assert (await bot.ask(by=BEN)).state is RequestState.APPROVED
    await bot.pass_(hours=24)
    assert (await bot.ask()).state is RequestState.APPROVED


async def test_of_asks_at_once_no_more_than_the_cap_are_approved_by_policy(either: Bot) -> None:
    either.policy = shelf(AT_ONCE, BY_LEAD, limits=Limits(auto_per_day=1))
    asks = [either.open("read", by=ANNA, delivery=f"d{number}") for number in range(4)]
    found = await asyncio.gather(*asks, return_exceptions=True)
    states = [each.request.state for each in found if not isinstance(each, NotAllowed)]
    assert states.count(RequestState.APPROVED) == 1


async def late(bot: Bot, **over):
    bot.policy = shelf(AT_ONCE, **over)
    request = await bot.ask()
    await bot.pass_(minutes=24)
    return request


async def more(bot: Bot, request):
    return (await bot.requests.extend(request.id, by=ANNA, delivery=bot.delivery())).request


async def test_a_grant_is_prolonged_no_more_often_than_allowed(bot: Bot) -> None:
    request = await late(bot, prolonging=Prolonging(times=2))
    for _ in range(2):
        assert (await more(bot, request)).state is RequestState.APPROVED
        await bot.pass_(minutes=25)
    with pytest.raises(WrongState, match="extended 2 times at most"):
        await more(bot, request)


async def test_a_grant_that_cannot_be_prolonged_says_so(bot: Bot) -> None:
    request = await late(bot, prolonging=Prolonging(times=0))
    with pytest.raises(WrongState, match="0 times"):
        await more(bot, request)


async def test_a_grant_lasts_no_longer_in_all_than_allowed(bot: Bot) -> None:
    request = await late(bot, prolonging=Prolonging(total=timedelta(minutes=45)))
    await more(bot, request)
    grant = (await bot.now(request)).working_grant
    assert grant is not None
    assert grant.ends_at == grant.started_at + timedelta(minutes=45)
    with pytest.raises(WrongState, match="45m in all at most"):
        await more(bot, request)


async def test_an_extension_that_waits_is_not_approved_once_the_limit_is_tightened(
    bot: Bot,
) -> None:
    bot.policy = shelf(BY_LEAD)
    request = await bot.granted("read")
    await bot.pass_(minutes=24)
    wish = await more(bot, request)
    bot.policy = shelf(BY_LEAD, prolonging=Prolonging(times=0))
    with pytest.raises(NotAllowed, match="0 times at most"):
        await bot.move(wish, Approve(), by=BEN)
    bot.policy = shelf(BY_LEAD, prolonging=Prolonging(times=1))
    await bot.move(wish, Approve(), by=BEN)
    grant = (await bot.now(request)).grant
    assert grant is not None
    assert grant.extensions == (wish.id,)
