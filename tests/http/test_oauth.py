"""Introspection, revocation and the published keys."""

import asyncio
import json
from datetime import timedelta

import jwt
import pytest
from aiohttp import ClientSession

from bot.core.grant import SLACK_CLIENT
from bot.core.identity import Actor, Kind, RequestId
from bot.core.moves import Revoke
from bot.core.states import GrantState
from bot.http.server import make_app
from bot.keyring import Keyring
from tests.builders import ANNA, REQUEST
from tests.http.house import ISSUER, House, basic, key, served

INACTIVE = b'{"active":false}'
OWNER = basic("billing-api")
SECONDS = timedelta(seconds=1)


async def ask(api: ClientSession, token: str, *, client: str = "billing-api"):
    """Return status and body of an introspection."""
    async with api.post("/oauth/introspect", data={"token": token}, headers=basic(client)) as reply:
        return reply.status, await reply.read()


async def revoke(api: ClientSession, token: str, *, client: str = "billing-api"):
    """Return status and body of a revocation."""
    async with api.post("/oauth/revoke", data={"token": token}, headers=basic(client)) as reply:
        return reply.status, await reply.read()


async def test_a_live_token_is_active_and_tells_its_claims(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    async with each_api.post("/oauth/introspect", data={"token": token}, headers=OWNER) as reply:
        said = await reply.json()
        assert (reply.status, reply.content_type) == (200, "application/json")
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Pragma"] == "no-cache"
    started = said["exp"] - 30 * 60
    assert said == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "aud": "https://billing.example",
        "sub": str(ANNA),
        "client_id": SLACK_CLIENT,
        "iat": started,
        "exp": said["exp"],
        "jti": "G-AAAAAAAAAAAA.1",
        "scope": "invoices:read refunds:read",
        "grant_id": "G-AAAAAAAAAAAA",
    }
    assert said == {
        **jwt.decode(token, options={"verify_signature": False}),
        "active": True,
        "token_type": "Bearer",
    }


async def test_a_client_may_answer_for_several_resources(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant(resource="https://refunds.example")
    status, said = await ask(each_api, token)
    assert (status, json.loads(said)["aud"]) == (200, "https://refunds.example")


async def test_anybody_elses_token_is_inactive(each_house: House, each_api: ClientSession) -> None:
    token = await each_house.grant()
    assert await ask(each_api, token, client="deploy-api") == (200, INACTIVE)


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJ\x00", "ü\U0001f600" * 40, " ", "t" * 60_000])
async def test_a_text_that_is_no_token_is_inactive(each_api: ClientSession, token: str) -> None:
    assert await ask(each_api, token) == (200, INACTIVE)


async def test_a_token_with_one_letter_changed_is_inactive(
    house: House, api: ClientSession
) -> None:
    token = await house.grant()
    for place in (3, len(token) // 2, -2):
        other = "A" if token[place] != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        assert await ask(api, changed) == (200, INACTIVE)
    for changed in (token + " ", token.upper(), token.rpartition(".")[0] + "."):
        assert await ask(api, changed) == (200, INACTIVE)


async def test_a_token_is_inactive_from_its_end_on(house: House, api: ClientSession) -> None:
    token = await house.grant(lasts=10 * SECONDS)
    house.clock.at += 10 * SECONDS - timedelta(microseconds=1)
    assert (await ask(api, token))[1] != INACTIVE
    house.clock.at += timedelta(microseconds=1)
    assert await ask(api, token) == (200, INACTIVE)


async def test_a_token_dies_in_the_real_store_by_itself(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant(lasts=3 * SECONDS)
    status, said = await ask(each_api, token)
    end = json.loads(said)["exp"]
    while each_house.clock.now().timestamp() < end:
        if hasattr(each_house.clock, "at"):
            each_house.clock.at += SECONDS
        else:
            await asyncio.sleep(0.05)
    assert (status, await ask(each_api, token)) == (200, (200, INACTIVE))


async def test_a_grant_that_people_ended_is_inactive(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    case = each_house.desk().circumstances()
    await each_house.desk().carry_out(REQUEST, Revoke(), by=ANNA, case=case, commit_id="end")
    assert await ask(each_api, token) == (200, INACTIVE)


async def test_a_key_that_left_the_ring_kills_its_tokens(each_house: House) -> None:
    token = await each_house.grant()
    for keys, lives in (((key(1), key(2)), True), ((key(2),), False), ((key(1),), True)):
        each_house.ring = Keyring.of(*keys)
        async with served(make_app(each_house.parts())) as api:
            assert ((await ask(api, token))[1] != INACTIVE) is lives


async def test_introspections_are_counted_by_outcome(house: House, api: ClientSession) -> None:
    token = await house.grant()
    for asked in (token, token, "x"):
        await ask(api, asked)
    counted = {
        outcome: house.metrics.value("jit_introspections_total", outcome=outcome)
        for outcome in ("active", "inactive", "unavailable")
    }
    assert counted == {"active": 2, "inactive": 1, "unavailable": 0}


async def test_the_owner_of_the_resource_may_revoke(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    assert await revoke(each_api, token) == (200, b"")
    assert await ask(each_api, token) == (200, INACTIVE)
    request = await each_house.ledger.load(REQUEST)
    assert request.grant.state is GrantState.REVOKED
    assert request.grant.close.by == Actor(Kind.MACHINE, "billing-api")


async def test_a_revocation_that_is_sent_again_does_nothing_more(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    replies = await asyncio.gather(*(revoke(each_api, token) for _ in range(8)))
    assert set(replies) == {(200, b"")}
    kinds = [type(event).__name__ for event in await each_house.ledger.history(REQUEST)]
    assert kinds.count("Revoked") == 1


async def test_nobody_else_may_revoke_nor_learns_anything(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    before = await each_house.ledger.history(REQUEST)
    replies = [await revoke(each_api, token, client="deploy-api"), await revoke(each_api, "x")]
    assert replies == [(200, b"")] * 2
    assert (await ask(each_api, token))[1] != INACTIVE
    assert await each_house.ledger.history(REQUEST) == before


async def test_revoking_one_grant_leaves_others_alone(house: House, api: ClientSession) -> None:
    one, other = await house.grant(), await house.grant(request=RequestId("R-BBBBBBBBBBBB"))
    await revoke(api, one)
    assert await ask(api, one) == (200, INACTIVE)
    assert (await ask(api, other))[1] != INACTIVE


async def test_a_hint_of_any_kind_changes_nothing(house: House, api: ClientSession) -> None:
    token = await house.grant()
    form = {"token": token, "token_type_hint": "refresh_token", "unknown": "1"}
    async with api.post("/oauth/introspect", data=form, headers=OWNER) as reply:
        assert (await reply.json())["active"] is True
    async with api.post("/oauth/revoke", data=form, headers=OWNER) as reply:
        assert reply.status == 200
    assert await ask(api, token) == (200, INACTIVE)


async def test_the_published_keys_verify_a_token_and_are_public(house: House) -> None:
    house.ring = Keyring.of(key(1), key(2))
    token = await house.grant()
    async with (
        served(make_app(house.parts())) as api,
        api.get("/.well-known/jwks.json") as reply,
    ):
        assert reply.content_type == "application/json"
        assert reply.headers["Cache-Control"] == "public, max-age=300"
        assert "Pragma" not in reply.headers
        published = await reply.json()
    assert len(published["keys"]) == 2
    for each in published["keys"]:
        assert set(each) == {"kid", "use", "alg", "kty", "n", "e"}
        assert (each["kty"], each["alg"], each["use"]) == ("RSA", "RS256", "sig")
    kid = jwt.get_unverified_header(token)["kid"]
    [signer] = [one for one in jwt.PyJWKSet.from_dict(published).keys if one.key_id == kid]
    said = jwt.decode(
        token,
        signer,
        algorithms=["RS256"],
        audience="https://billing.example",
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},  # the house's clock is set
    )
    assert said["sub"] == str(ANNA)
