"""Programs ask, people decide: a script, a service, and somebody in whose name a program asks."""

import asyncio
import shutil
from typing import Any

import aiohttp
import pytest

from bot.slack.api import SlackApi
from tests.journeys.policies import SECRET
from tests.journeys.town import (
    ACCESS,
    DIRECT,
    JWT,
    Town,
    a_town,
    answered,
    becomes,
    died,
    id_of,
    told,
)

ITSELF = {"login_hint": "client:ci", "bundle": "read", "duration": "15m"}
FOR_ANNA = {**ITSELF, "login_hint": "anna@acme.example", "binding_message": "AB-12"}
CIBA = "urn:openid:params:grant-type:ciba"
GENERAL = "general"


async def call(town: Town, path: str, form: Any, *, to: int = 0) -> tuple[int, Any]:
    headers = {"Authorization": aiohttp.encode_basic_auth("ci", SECRET)}
    url = f"{town.bots[to].url}/oauth/{path}"
    async with town.session.post(url, data=form, headers=headers) as reply:
        return reply.status, await reply.json()


async def asks(town: Town, form: Any) -> str:
    """Let the pipeline ask; return what it polls with."""
    status, said = await call(town, "backchannel", form)
    assert status == 200, said
    return said["auth_req_id"]


def polls(town: Town, handle: str, *, to: int = 0) -> asyncio.Task[tuple[int, Any]]:
    form = {"grant_type": CIBA, "auth_req_id": handle}
    return asyncio.create_task(call(town, "token", form, to=to))


async def test_a_script_asks_in_annas_name_and_a_lead_approves(town):
    anna, ben, cleo = town.people("Anna", "Ben", "Cleo")
    handle = await asks(town, {**FOR_ANNA, "reason": "checking invoice 4711"})
    card = await ben.sees("checking invoice 4711", channel=ACCESS)
    for said in ("ci asks for Read billing for 15m in the name of @Anna", "@Cleo answers", "AB-12"):
        assert said in card.plain().replace("*", "").replace("`", ""), card.plain()
    note = await anna.sees("asks in your name", channel=DIRECT)
    assert set(note.buttons()) == {"not_me"}

    held = polls(town, handle)
    await cleo.clicks("approve", card)
    await answered(cleo, "answer for the client that asks")
    assert (await ben.clicks("approve", card)).ok
    status, said = await held
    assert status == 200, said
    claims = await town.claims(said["access_token"])
    assert (claims["client_id"], claims["act"], claims["sub"]) == (
        "ci",
        {"sub": "ci"},
        "person:T0DEMO:U0ANNA",
    )
    assert await town.works(said["access_token"])
    await told(ben, card, "asked for", "Approved", "access works", "Handed to the client")
    await anna.sees("in your name, until", channel=DIRECT)
    assert (await cleo.types(f"/jit status {id_of(card)}")).ok
    await answered(cleo, "Works", channel=GENERAL)
    status, again = await polls(town, handle)
    assert (status, again["error"]) == (400, "slow_down")

    card = await ben.now(card)
    assert (await cleo.clicks("revoke", card)).ok
    await died(town, said["access_token"])
    await anna.sees("ended what", channel=DIRECT)


@pytest.fixture
async def guarded_town(redis, redis_url, folder, tmp_path):
    """A bot whose policy names where security is told."""
    shutil.copytree(folder, tmp_path / "own")
    top = f'version: 1\nadmin_channel: "#{GENERAL}"\n'
    (tmp_path / "own" / "policies" / "top.yaml").write_text(top)
    async with a_town(redis_url, tmp_path / "own") as running:
        yield running


async def test_not_me_denies_it_and_tells_security(guarded_town):
    town = guarded_town
    anna, ben = town.people("Anna", "Ben")
    handle = await asks(town, FOR_ANNA)
    held = polls(town, handle)
    card = await ben.sees("pipeline asks by itself", channel=ACCESS)
    note = await anna.sees("asks in your name", channel=DIRECT)
    assert (await anna.clicks("not_me", note)).ok
    status, said = await held
    assert (status, said["error"]) == (400, "access_denied")
    await becomes(ben, card, "*Denied* by @Anna")
    await told(ben, card, "not me")
    alarm = await ben.sees("not me", channel=GENERAL)
    assert "@Anna" in alarm.plain()
    assert (await becomes(anna, note, "asks in your name")).buttons() == {}


async def test_a_service_asks_for_itself_and_is_denied(town):
    (ben,) = town.people("Ben")
    handle = await asks(town, ITSELF)
    card = await ben.sees("pipeline asks by itself", channel=ACCESS)
    assert "question" not in card.buttons()
    held = polls(town, handle)
    assert (await ben.clicks("deny", card)).ok
    await ben.submits({"reason": {"reason": "not today"}})
    status, said = await held
    assert (status, said["error"]) == (400, "access_denied")


async def test_of_two_replicas_one_hands_the_token_out(web_town):
    town = web_town
    (ben,) = town.people("Ben")
    async with town.bot():
        handle = await asks(town, ITSELF)
        card = await ben.sees("pipeline asks by itself", channel=ACCESS)
        held = [polls(town, handle, to=number) for number in (0, 1)]
        await asyncio.sleep(0.3)
        assert (await ben.clicks("approve", card)).ok
        outcomes = await asyncio.gather(*held)
        assert sorted(status for status, _ in outcomes) == [200, 400], outcomes
        (lost,) = [said["error"] for status, said in outcomes if status == 400]
        assert lost in ("invalid_grant", "authorization_pending")
        await told(ben, card, "Handed to the client")


async def test_what_policy_gives_at_once_comes_without_anybody(town):
    (ben,) = town.people("Ben")
    form = {"grant_type": "client_credentials", "scope": "logs:read", "duration": "60"}
    status, said = await call(town, "token", form)
    assert (status, said["scope"]) == (200, "logs:read"), said
    card = await ben.sees("pipeline asks by itself", channel=ACCESS)
    await told(ben, card, "Approved by policy", "Handed to the client")
    form = {"grant_type": "client_credentials", "bundle": "read"}
    status, said = await call(town, "token", form)
    assert (status, said["error"]) == (400, "unauthorized_client")
    assert "CIBA" in said["error_description"]


async def test_what_nobody_fetches_is_ended_by_the_owner(web_town):
    town = web_town
    ben, cleo = town.people("Ben", "Cleo")
    handle = await asks(town, ITSELF)
    card = await ben.sees("pipeline asks by itself", channel=ACCESS)
    assert (await ben.clicks("approve", card)).ok
    card = await becomes(ben, card, "not started")
    assert (await cleo.clicks("revoke", card)).ok
    status, said = await polls(town, handle)
    assert (status, said["error"]) == (400, "access_denied")


@pytest.mark.parametrize("form", [ITSELF, FOR_ANNA])
async def test_no_token_of_a_program_is_ever_sent_to_slack(web_town, form, monkeypatch):
    town, sent = web_town, []
    real = SlackApi.write

    async def write(api, method, **arguments):
        sent.append(str(arguments))
        return await real(api, method, **arguments)

    monkeypatch.setattr(SlackApi, "write", write)
    (ben,) = town.people("Ben")
    handle = await asks(town, form)
    card = await ben.sees("pipeline asks by itself", channel=ACCESS)
    assert (await ben.clicks("approve", card)).ok
    status, said = await polls(town, handle)
    assert status == 200
    await told(ben, card, "Handed to the client")
    everything = "".join(sent)
    assert "Handed to the client" in everything
    for secret in (JWT, said["access_token"].rpartition(".")[2], handle.partition(".")[2]):
        assert secret not in everything
