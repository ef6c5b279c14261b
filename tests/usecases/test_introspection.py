"""What the owner of an API learns of a token, and may do to it."""

from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.client import Client
from bot.core.errors import NotAllowed, Unavailable, WrongState
from bot.core.moves import Revoke
from bot.core.request import Request
from bot.store.memory import MemoryStore, MemoryTokenIndex
from bot.usecases.ports import TokenHash, TokenRecord
from bot.usecases.tokens import hash_of
from tests.clocks import ManualClock
from tests.usecases.bots import ANNA, ISSUER, Bot, in_memory

OWNER = Client(id="billing-api", resources=frozenset({"https://billing.example"}))
STRANGER = Client(id="x-api", resources=frozenset({"https://x.example"}))
INACTIVE = {"active": False}


async def a_token(bot: Bot) -> tuple[Request, str]:
    request = await bot.granted("auto")
    assert request.grant is not None
    return request, bot.desk.mint.token(request.grant.token)


async def test_the_owner_of_the_resource_learns_all_of_a_token(either: Bot) -> None:
    request, token = await a_token(either)
    answer = await either.tokens.introspect(token, caller=OWNER)
    assert request.grant is not None
    assert answer == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "aud": "https://billing.example",
        "sub": str(ANNA),
        "client_id": "slack",
        "iat": int(request.grant.token.issued_at.timestamp()),
        "exp": int(request.grant.token.expires_at.timestamp()),
        "jti": request.grant.token.jti,
        "scope": "invoices:read refunds:read",
        "grant_id": request.grant.id,
    }


@pytest.mark.parametrize("token", ["", "x", "\ud800", "a.b.c", "x" * 100_000])
async def test_a_token_of_others_is_inactive(either: Bot, token: str) -> None:
    _, ours = await a_token(either)
    assert await either.tokens.introspect(token, caller=OWNER) == INACTIVE
    assert await either.tokens.introspect(ours, caller=STRANGER) == INACTIVE
    assert await either.tokens.introspect(ours + "x", caller=OWNER) == INACTIVE


async def test_an_ended_token_is_inactive(bot: Bot) -> None:
    for bundle in ("auto", "read"):
        request = await bot.granted(bundle)
        assert request.grant is not None
        token = bot.desk.mint.token(request.grant.token)
        if bundle == "read":
            await bot.move(request, Revoke(), by=ANNA)
        else:
            await bot.wait(timedelta(minutes=30))
        assert await bot.tokens.introspect(token, caller=OWNER) == INACTIVE


class SlowServersIndex(MemoryTokenIndex):
    """A server whose clock was set back: nothing dies on it."""

    async def find(self, hash_: TokenHash) -> TokenRecord | None:
        return self._store.tokens.get(hash_)


async def test_a_token_is_inactive_at_its_end_by_our_own_clock_too(
    store: MemoryStore, clock: ManualClock
) -> None:
    bot = in_memory(store, clock, index=SlowServersIndex(store))
    request, token = await a_token(bot)
    assert request.grant is not None
    await bot.wait(request.grant.ends_at - bot.clock.now() - timedelta(microseconds=1))
    assert (await bot.tokens.introspect(token, caller=OWNER))["active"]
    await bot.wait(timedelta(microseconds=1))
    assert await bot.tokens.introspect(token, caller=OWNER) == INACTIVE


async def test_a_token_of_a_key_that_left_the_ring_is_inactive_and_its_grant_can_be_ended(
    either: Bot,
) -> None:
    request, token = await a_token(either)
    either.signer.kids[:] = ["kid-2"]
    assert await either.tokens.introspect(token, caller=OWNER) == INACTIVE
    await either.work()
    assert any("is not shown" in text for text in either.texts("D-U0ANNA"))
    await either.move(request, Revoke(), by=ANNA)
    assert (await either.now(request)).working_grant is None


async def test_the_owner_of_the_resource_ends_a_grant(either: Bot) -> None:
    request, token = await a_token(either)
    await either.tokens.revoke(token, caller=OWNER, delivery="x")
    assert await either.tokens.introspect(token, caller=OWNER) == INACTIVE
    assert (await either.kinds(request))[-1] is e.Revoked
    await either.tokens.revoke(token, caller=OWNER, delivery="y")
    assert (await either.kinds(request)).count(e.Revoked) == 1


async def test_nobody_else_ends_it_and_the_answer_does_not_tell(either: Bot) -> None:
    request, token = await a_token(either)
    for wrong, caller in ((token, STRANGER), ("x", OWNER), ("\ud800", STRANGER)):
        await either.tokens.revoke(wrong, caller=caller, delivery="x")
    assert (await either.now(request)).working_grant is not None
    with pytest.raises(NotAllowed):
        await either.requests.revoke_for(request.id, caller=STRANGER, delivery="y")


async def test_ending_what_has_ended_is_refused(bot: Bot) -> None:
    request, _ = await a_token(bot)
    await bot.move(request, Revoke(), by=ANNA)
    with pytest.raises(WrongState):
        await bot.requests.revoke_for(request.id, caller=OWNER, delivery="y")


async def test_a_token_is_found_by_its_hash_only(bot: Bot, store: MemoryStore) -> None:
    _, token = await a_token(bot)
    assert list(store.tokens) == [hash_of(token)]
    assert token not in repr(vars(store))


class AwayIndex(MemoryTokenIndex):
    async def find(self, hash_: TokenHash) -> TokenRecord | None:
        raise Unavailable("the store did not answer")


async def test_a_store_that_is_away_says_so(store: MemoryStore, clock: ManualClock) -> None:
    bot = in_memory(store, clock, index=AwayIndex(store))
    with pytest.raises(Unavailable):
        await bot.tokens.introspect("x", caller=OWNER)
