"""Grants that an operator ends, by what they are and without the keys that signed their tokens."""

from dataclasses import replace

import pytest

from bot.core import events as e
from bot.core.errors import Unavailable, WrongState
from bot.core.identity import Actor, Kind
from bot.core.moves import Revoke
from bot.core.selecting import Selection
from bot.core.states import GrantState
from bot.store.memory import MemoryStore, MemoryTokenIndex
from bot.usecases.desk import Desk, Stores
from bot.usecases.revoking import Keyless, Revoking, StoredTokens
from tests.builders import ANNA as BUILT
from tests.builders import T0, a_request, granted, requested
from tests.clocks import ManualClock
from tests.usecases.bots import ANNA, BEN, Bot, in_memory


def revoking(bot: Bot, index=None) -> Revoking:
    tokens = StoredTokens(index or bot.index)
    stores = Stores(
        ledger=bot.ledger,
        once=bot.once,
        signer=Keyless(),
        clock=bot.clock,
        metrics=bot.metrics,
    )
    desk = Desk(stores, issuer="", shown=lambda _: None, tokens=tokens)
    return Revoking(desk, tokens, listings=bot.listings)


async def test_all_tokens_of_a_grant_are_dead_and_no_key_was_needed(either: Bot) -> None:
    request, other = await either.granted("auto"), await either.granted("auto", by=BEN)
    grants = revoking(either)
    [found] = await grants.select(Selection(person=ANNA.id))
    assert found.id == request.id
    await grants.end(found, reason="laptop stolen")
    ended = await either.now(request)
    assert (ended.grant.state, ended.grant.close.reason) == (
        GrantState.REVOKED,
        "by an operator: laptop stolen",
    )
    assert not await either.works(ended.grant.token)
    assert await either.works(other.grant.token)
    assert (await either.kinds(request)).count(e.Revoked) == 1


async def test_a_token_that_came_after_the_look_is_dead_too(bot: Bot) -> None:
    request = await bot.granted("auto")
    grants = revoking(bot)
    [found] = await grants.select(Selection(bundle="auto"))
    await grants._tokens.look(found)
    await bot.pass_(minutes=24)
    await bot.requests.extend(request.id, by=ANNA, delivery=bot.delivery())
    await grants.end(found, reason="")
    ended = await bot.now(request)
    assert ended.grant.state is GrantState.REVOKED
    assert [await bot.works(token) for token in ended.grant.tokens] == [False, False]


async def test_a_token_that_comes_while_it_is_looked_for_is_dead_too(
    store: MemoryStore, clock: ManualClock
) -> None:
    bot = in_memory(store, clock)
    request = await bot.granted("auto")
    await bot.pass_(minutes=24)

    class Meanwhile(MemoryTokenIndex):
        looks = 0

        async def living(self):
            found = await super().living()
            self.looks += 1
            if self.looks == 1:
                await bot.requests.extend(request.id, by=ANNA, delivery=bot.delivery())
            return found

    index = Meanwhile(store)
    await revoking(bot, index).end(request, reason="")
    ended = await bot.now(request)
    assert len(ended.grant.tokens) == 2
    assert [await bot.works(token) for token in ended.grant.tokens] == [False, False]
    assert index.looks == 2


async def test_what_ended_meanwhile_is_left_as_it_is(bot: Bot) -> None:
    request = await bot.granted("auto")
    grants = revoking(bot)
    [found] = await grants.select(Selection(person=ANNA.id))
    await bot.move(request, Revoke("done"), by=ANNA)
    with pytest.raises(WrongState):
        await grants.end(found, reason="")
    assert (await bot.now(request)).grant.close.reason == "done"
    assert await grants.select(Selection()) == []


async def test_where_tokens_cannot_be_found_nothing_is_ended(
    store: MemoryStore, clock: ManualClock
) -> None:
    bot = in_memory(store, clock)
    request = await bot.granted("auto")

    class Away(MemoryTokenIndex):
        async def living(self):
            raise Unavailable("the store did not answer")

    with pytest.raises(Unavailable):
        await revoking(bot, Away(store)).end(request, reason="")
    assert (await bot.now(request)).working_grant is not None


async def test_without_keys_nothing_can_be_made(bot: Bot) -> None:
    request = await bot.granted("auto")
    with pytest.raises(Unavailable):
        StoredTokens(bot.index)(request.grant.token)
    with pytest.raises(Unavailable):
        Keyless().sign({}, kid="kid-1")


PEOPLES = a_request(*granted(requested(), at=T0))


@pytest.mark.parametrize(
    ("selection", "holds"),
    [
        (Selection(), True),
        (Selection(person=BUILT.id), True),
        (Selection(person=str(BUILT)), True),
        (Selection(person=BUILT.id.lower()), False),
        (Selection(person="T0DEMO"), False),
        (Selection(client="slack"), True),
        (Selection(client=BUILT.id), False),
        (Selection(bundle="billing-read", resource="https://billing.example"), True),
        (Selection(bundle="billing-read", resource="https://x.example"), False),
        (Selection(bundle="billing"), False),
    ],
)
def test_every_part_that_is_given_must_hold(selection: Selection, holds: bool) -> None:  # noqa: FBT001
    assert selection.holds(PEOPLES, PEOPLES.grant) is holds
    assert selection.is_everything is (selection == Selection())


def test_a_machine_is_no_person_and_its_grants_are_its_own() -> None:
    machine = requested(by=Actor(Kind.MACHINE, "deploy-bot"))
    request = replace(PEOPLES, asked=machine)
    for selection, holds in (
        (Selection(client="deploy-bot"), True),
        (Selection(client="slack"), True),  # the token's own client
        (Selection(person="deploy-bot"), False),
        (Selection(person="machine:deploy-bot"), False),
    ):
        assert selection.holds(request, request.grant) is holds
