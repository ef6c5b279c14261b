"""Clients ask, people decide, and the token is fetched once (OpenID Connect CIBA, poll mode)."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, web

from bot.core.identity import Actor, RequestId, person
from bot.core.moves import Approve, Deny, Disown, Move, Narrow, Revoke
from bot.http.server import make_app, make_runner
from bot.http.token import CIBA
from bot.usecases import pacing, waiting
from bot.usecases.counts import WAITING_AT_MOST
from bot.usecases.machines import AGAIN_WITHIN, FETCH_WITHIN, Poll
from tests.http.house import ISSUER, House, basic, served
from tests.http.machines import MINUTE, SECRET, a_client, a_rail, machine_policy
from tests.http.test_token import refused
from tests.usecases.bots import TEAM

CI, CRON = basic("ci", SECRET), basic("cron", SECRET)
ANNA, BEN, CLEO, DAN = (person(f"U0{name}", home=TEAM) for name in ("ANNA", "BEN", "CLEO", "DAN"))
ITSELF = {"login_hint": "client:ci", "bundle": "deploy", "duration": "900"}
FOR_ANNA = {**ITSELF, "login_hint": "anna@acme.example"}
NOW = {"Prefer": "wait=0"}


@pytest.fixture
async def impatient(api: ClientSession, monkeypatch: pytest.MonkeyPatch) -> ClientSession:
    """A server that lets clients poll as often as they like."""
    monkeypatch.setattr(pacing, "_SLACK_S", 1000.0)
    return api


@pytest.fixture
def each_impatient(each_api: ClientSession, monkeypatch: pytest.MonkeyPatch) -> ClientSession:
    monkeypatch.setattr(pacing, "_SLACK_S", 1000.0)
    return each_api


async def ask(api: ClientSession, form: Any = None, *, headers: Any = CI, **more: Any):
    """Return status and content of a backchannel authentication request."""
    plain = {**ITSELF, **more} if form is None else form
    async with api.post("/oauth/backchannel", data=plain, headers=headers) as reply:
        assert reply.headers["Cache-Control"] == "no-store"
        assert ("WWW-Authenticate" in reply.headers) == (reply.status == 401)
        return reply.status, await reply.json()


async def poll(api: ClientSession, handle: str, *, headers: Any = CI, wait: int = 0, **more: Any):
    form = {"grant_type": CIBA, "auth_req_id": handle, **more}
    told = {**headers, "Prefer": f"wait={wait}"}
    async with api.post("/oauth/token", data=form, headers=told) as reply:
        assert "WWW-Authenticate" not in reply.headers
        return reply.status, await reply.json()


def of(handle: str) -> RequestId:
    return RequestId(handle.partition(".")[0])


async def move(house: House, handle: str, what: Move, *, by: Actor = BEN) -> None:
    delivery = f"{what}{by}{handle}"
    await house.requests().move(of(handle), what, by=by, delivery=delivery)


async def asked(api: ClientSession, **more: Any) -> str:
    status, said = await ask(api, **more)
    assert status == 200, said
    return said["auth_req_id"]


async def facts(house: House, handle: str) -> list[str]:
    return [type(fact).__name__ for fact in await house.ledger.history(of(handle))]


# --- asking ------------------------------------------------------------------------------------


async def test_what_people_decide_is_recorded_and_can_be_polled_for(each_house, each_api):
    status, said = await ask(each_api, binding_message="AB-12", reason="deploying 42 now")
    assert (status, set(said)) == (200, {"auth_req_id", "expires_in", "interval"})
    assert said["interval"] == pacing.INTERVAL_S
    # The chain waits for twenty minutes, and the client may take ten to fetch the token.
    assert 29 * 60 < said["expires_in"] <= 30 * 60
    handle = said["auth_req_id"]
    assert all(each.isalnum() or each in "._-" for each in handle)
    assert len(handle.partition(".")[2]) >= 43  # 256 bits
    [fact] = await each_house.ledger.history(of(handle))
    assert (fact.reason, str(fact.by)) == ("deploying 42 now", "machine:ci")
    assert (fact.machine.code, fact.machine.address) == ("AB-12", "127.0.0.1")
    assert handle.partition(".")[2] not in str(fact)
    assert refused(await poll(each_api, handle)) == (400, "authorization_pending")


async def test_a_service_asks_for_itself_and_gets_its_token_once(each_house, each_impatient):
    api, handle = each_impatient, await asked(each_impatient)
    assert refused(await poll(api, handle)) == (400, "authorization_pending")
    await move(each_house, handle, Approve())
    status, said = await poll(api, handle)
    assert (status, said["scope"], said["expires_in"]) == (200, "deploy:run logs:read", 900)
    claims = jwt.decode(said["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["client_id"]) == ("ci", "ci")
    assert "act" not in claims
    assert "id_token" not in said
    assert "refresh_token" not in said
    for _ in range(2):
        assert refused(await poll(api, handle)) == (400, "invalid_grant")
    assert await facts(each_house, handle) == [
        "Requested",
        "Voted",
        "StagePassed",
        "Approved",
        "Granted",
        "Started",
        "Delivered",
    ]
    form = {"token": said["access_token"]}
    async with api.post("/oauth/introspect", data=form, headers=basic("billing-api")) as reply:
        assert (await reply.json())["active"] is True


async def test_a_client_asks_in_the_name_of_a_person(house, impatient):
    handle = await asked(impatient, **FOR_ANNA)
    await move(house, handle, Approve())
    _, said = await poll(impatient, handle)
    claims = jwt.decode(said["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["client_id"]) == (str(ANNA), "ci")
    assert claims["act"] == {"sub": "ci"}
    [fact, *_] = await house.ledger.history(of(handle))
    assert fact.machine.alarm == "#alarms"


async def test_the_time_begins_when_the_token_is_fetched(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    await house.clock.wait(5 * MINUTE)
    _, said = await poll(impatient, handle)
    claims = jwt.decode(said["access_token"], options={"verify_signature": False})
    assert claims["iat"] == int(house.clock.now().timestamp())
    assert claims["exp"] - claims["iat"] == 900


async def test_less_than_was_asked_is_what_is_had(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Narrow("", ("logs:read",), 5 * MINUTE))
    _, said = await poll(impatient, handle)
    assert (said["scope"], said["expires_in"]) == ("logs:read", 300)


async def test_what_policy_approves_at_once_is_there_at_the_first_poll(api):
    handle = await asked(api, bundle="logs")
    status, _ = await poll(api, handle)
    assert status == 200


@pytest.mark.parametrize(
    ("form", "status", "problem"),
    [
        ({"login_hint": ""}, 400, "invalid_request"),
        ({"id_token_hint": "x"}, 400, "invalid_request"),
        ({"login_hint_token": "x"}, 400, "invalid_request"),
        ({"login_hint": "", "login_hint_token": "x"}, 400, "invalid_request"),
        ({"login_hint": "nobody@acme.example"}, 400, "unknown_user_id"),
        ({"login_hint": "Anna"}, 400, "unknown_user_id"),
        ({"login_hint": "a@b@c"}, 400, "unknown_user_id"),
        ({"login_hint": "\x00@acme.example"}, 400, "unknown_user_id"),
        ({"login_hint": "x" * 9000 + "@acme.example"}, 400, "unknown_user_id"),
        ({"login_hint": "client:cron"}, 400, "unknown_user_id"),
        ({"login_hint": "client:"}, 400, "unknown_user_id"),
        ({"binding_message": "approved by security"}, 400, "invalid_binding_message"),
        ({"binding_message": "x" * 21}, 400, "invalid_binding_message"),
        ({"binding_message": "<!channel>"}, 400, "invalid_binding_message"),
        ({"binding_message": "\u202eAB"}, 400, "invalid_binding_message"),
        ({"requested_expiry": "0"}, 400, "invalid_request"),
        ({"requested_expiry": "-1"}, 400, "invalid_request"),
        ({"requested_expiry": "1e9"}, 400, "invalid_request"),
        ({"requested_expiry": "9" * 30}, 400, "invalid_request"),
        ({"bundle": "people"}, 400, "unauthorized_client"),
        ({"bundle": "", "scope": "there:is:none"}, 400, "invalid_scope"),
        ({"scope": "x" * 20_000}, 400, "invalid_scope"),
        ({"resource": "https://evil.example"}, 400, "invalid_target"),
        ({"authorization_details": "[" * 10_000}, 400, "invalid_authorization_details"),
        ({"duration": "2h"}, 400, "invalid_request"),
        ({"bundle": "never"}, 403, "access_denied"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_its_code(house, api, form, status, problem):
    assert refused(await ask(api, **form)) == (status, problem)
    assert await house.ledger.log() == []


async def test_who_may_not_use_the_bot_cannot_be_named(house, api):
    house.directory.emails["U0GUS"] = "gus@acme.example"  # a guest
    said = await ask(api, login_hint="gus@acme.example")
    assert refused(said) == (400, "unknown_user_id")


async def test_an_unknown_client_learns_nothing_of_who_there_is(api):
    hints = ("anna@acme.example", "nobody@acme.example")
    said = [await ask(api, login_hint=hint, headers=basic("ci", "wrong")) for hint in hints]
    assert said[0] == said[1]
    assert refused(said[0]) == (401, "invalid_client")


async def test_it_waits_for_no_longer_than_the_client_will(house, api):
    _, said = await ask(api, requested_expiry="60")
    assert said["expires_in"] == 60 + FETCH_WITHIN.total_seconds()
    await house.clock.wait(MINUTE)
    assert refused(await poll(api, said["auth_req_id"])) == (400, "expired_token")


# --- folding -----------------------------------------------------------------------------------


async def test_the_same_is_asked_once(each_house, each_api):
    handles = await asyncio.gather(*(asked(each_api) for _ in range(8)))
    assert len(set(handles)) == 1
    assert await facts(each_house, handles[0]) == ["Requested"]
    assert len(await each_house.ledger.log()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"duration": "901"},
        {"scope": "deploy:run"},
        {"binding_message": "AB-12"},
        FOR_ANNA,
        {"bundle": "logs"},
    ],
)
async def test_anything_else_is_another_request(api, other):
    assert await asked(api) != await asked(api, **other)


async def test_another_client_has_a_request_of_its_own(api):
    theirs = await asked(api, login_hint="client:cron", headers=CRON)
    assert await asked(api) != theirs


async def test_a_client_that_began_anew_finds_what_was_approved_meanwhile(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    assert await asked(impatient) == handle
    assert (await poll(impatient, handle))[0] == 200
    assert await asked(impatient) != handle


async def test_what_was_decided_is_not_asked_again_by_folding(house, api):
    handle = await asked(api)
    await move(house, handle, Deny("no"))
    assert await asked(api) != handle


async def test_a_client_can_flood_nobody(house, api, monkeypatch):
    first = await asked(api, duration="60")
    for seconds in range(61, 60 + WAITING_AT_MOST):
        await asked(api, duration=str(seconds))
    said = await ask(api, duration="1000")
    assert refused(said) == (403, "access_denied")
    assert "wait already" in said[1]["error_description"]
    await asked(api, login_hint="client:cron", headers=CRON)
    await move(house, first, Deny("no"))
    await asked(api, duration="1000")


async def test_a_cool_down_is_the_clients_and_not_of_whom_it_names(house, api):
    bundle, rules = house.policy.bundles["deploy"], house.policy.rules_of["deploy"]
    cooling = replace(bundle, limits=replace(bundle.limits, cool_down=timedelta(hours=1)))
    house.policy = replace(
        house.policy,
        bundles={**house.policy.bundles, "deploy": cooling},
        rules_of={**house.policy.rules_of, "deploy": rules},
    )
    handle = await asked(api, **FOR_ANNA)
    await move(house, handle, Deny("no"))
    for hint in ("client:ci", "ben@acme.example"):
        said = await ask(api, login_hint=hint)
        assert refused(said) == (403, "access_denied")
        assert "was denied less than 1h ago" in said[1]["error_description"]
    await asked(api, login_hint="anna@acme.example", headers=CRON)


# --- who decides -------------------------------------------------------------------------------


async def test_the_owner_cannot_approve_and_may_look_and_end(house, impatient):
    handle = await asked(impatient)
    with pytest.raises(Exception, match="you answer for the client"):
        await move(house, handle, Approve(), by=DAN)
    assert (await house.requests().find(of(handle), by=DAN)).id == of(handle)
    await move(house, handle, Approve())
    _, said = await poll(impatient, handle)
    await move(house, handle, Revoke("not now"), by=DAN)
    form = {"token": said["access_token"]}
    async with impatient.post(
        "/oauth/introspect", data=form, headers=basic("billing-api")
    ) as reply:
        assert (await reply.json()) == {"active": False}


async def test_nor_one_person_who_owns_it(house, api):
    handle = await asked(api, login_hint="client:cron", headers=CRON)
    with pytest.raises(Exception, match="you answer for the client"):
        await move(house, handle, Approve(), by=CLEO)
    assert (await house.requests().find(of(handle), by=CLEO)).id == of(handle)


async def test_where_nobody_else_could_approve_it_is_refused_at_once(house, api):
    house.clients["ci"] = a_client("ci", "deploy", owner="leads")
    said = await ask(api)
    assert refused(said) == (403, "access_denied")
    assert "cannot be completed" in said[1]["error_description"]


async def test_while_the_owners_cannot_be_read_nobody_approves(house, api):
    handle = await asked(api)
    groups = dict(house.policy.groups)
    house.policy = replace(house.policy, groups={"leads": groups["leads"]})
    with pytest.raises(Exception, match="nobody knows who answers for the client ci"):
        await move(house, handle, Approve())
    await move(house, handle, Deny("no"))


async def test_not_me_denies_and_ends(house, impatient):
    handle = await asked(impatient, **FOR_ANNA)
    await move(house, handle, Disown(), by=ANNA)
    assert refused(await poll(impatient, handle)) == (400, "access_denied")
    handle = await asked(impatient, **{**FOR_ANNA, "duration": "60"})
    await move(house, handle, Approve())
    await move(house, handle, Disown(), by=ANNA)
    assert refused(await poll(impatient, handle)) == (400, "access_denied")


# --- fetching ----------------------------------------------------------------------------------


async def test_denied_is_told(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Deny("no"))
    for _ in range(2):
        assert refused(await poll(impatient, handle)) == (400, "access_denied")


async def test_too_late_is_told(house, impatient):
    handle = await asked(impatient)
    await house.clock.wait(21 * MINUTE)
    assert refused(await poll(impatient, handle)) == (400, "expired_token")


async def test_what_is_not_fetched_in_time_is_gone(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    await house.clock.wait(FETCH_WITHIN)
    assert refused(await poll(impatient, handle)) == (400, "expired_token")


async def test_nobody_else_can_fetch_it(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    id_, _, secret = handle.partition(".")
    for other in (
        f"{id_}.{'x' * len(secret)}",
        id_,
        f"{id_}.",
        f"R-AAAAAAAAAAAA.{secret}",
        secret,
        "x" * 5000,
        "\x00",
    ):
        assert refused(await poll(impatient, other)) == (400, "invalid_grant")
    assert refused(await poll(impatient, handle, headers=CRON)) == (400, "invalid_grant")
    assert (await poll(impatient, handle))[0] == 200
    async with impatient.post("/oauth/token", data={"grant_type": CIBA}, headers=CI) as reply:
        assert refused((reply.status, await reply.json())) == (400, "invalid_request")


async def test_fetching_widens_nothing(house, impatient):
    handle = await asked(impatient, scope="logs:read")
    await move(house, handle, Approve())
    _, said = await poll(impatient, handle, scope="deploy:run admin", duration="9999")
    assert (said["scope"], said["expires_in"]) == ("logs:read", 900)


async def test_policy_decides_again_at_the_moment_of_fetching(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    house.policy = machine_policy(a_rail(deny=True))
    assert refused(await poll(impatient, handle)) == (400, "access_denied")
    house.policy = machine_policy()
    house.clients["ci"] = a_client("ci", "logs")
    assert refused(await poll(impatient, handle)) == (400, "access_denied")


async def test_of_many_that_race_for_it_one_gets_it(each_house, each_impatient):
    handle = await asked(each_impatient)
    await move(each_house, handle, Approve())
    tries = await asyncio.gather(*(poll(each_impatient, handle) for _ in range(12)))
    assert Counter(status for status, _ in tries) == {200: 1, 400: 11}
    assert (await facts(each_house, handle)).count("Started") == 1


async def test_also_of_two_replicas(each_house, monkeypatch):
    monkeypatch.setattr(pacing, "_SLACK_S", 1000.0)
    async with (
        served(make_app(each_house.parts())) as one,
        served(make_app(each_house.parts())) as two,
    ):
        handle = await asked(one)
        await move(each_house, handle, Approve())
        tries = await asyncio.gather(*(poll(each, handle) for each in (one, two) * 6))
        assert Counter(status for status, _ in tries) == {200: 1, 400: 11}
        assert {said["error"] for status, said in tries if status != 200} <= {
            "authorization_pending",
            "invalid_grant",
        }
        for each in (one, two):
            assert refused(await poll(each, handle)) == (400, "invalid_grant")


async def test_who_is_beaten_to_it_gets_nothing(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    client, commit, won = house.clients["ci"], house.ledger.commit, []

    async def beaten(change):
        house.ledger.commit = commit
        won.append(await house.machines().poll(client, handle))
        return await commit(change)

    house.ledger.commit = beaten
    lost = await house.machines().poll(client, handle)
    assert (type(won[0]).__name__, lost) == ("Handed", Poll.WAITS)


async def test_live_grants_are_counted_for_the_client_whomever_it_names(house, impatient):
    bundle = house.policy.bundles["deploy"]
    few = replace(bundle, limits=replace(bundle.limits, active_per_user=1))
    house.policy = replace(house.policy, bundles={**house.policy.bundles, "deploy": few})
    for hint, by in (("anna@acme.example", BEN), ("ben@acme.example", CLEO)):
        handle = await asked(impatient, login_hint=hint)
        await move(house, handle, Approve(), by=by)
        said = await poll(impatient, handle)
        if hint == "anna@acme.example":
            assert said[0] == 200
    assert refused(said) == (400, "access_denied")
    assert "1 is the limit" in said[1]["error_description"]


async def test_whoever_lost_the_answer_gets_the_same_token_for_a_moment(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    # The process died between the commit and its answer.
    first = await house.machines().poll(house.clients["ci"], handle)
    assert refused(await poll(impatient, handle)) == (400, "authorization_pending")
    await house.clock.wait(timedelta(seconds=3))
    _, said = await poll(impatient, handle)
    assert said["access_token"] == first.token
    assert refused(await poll(impatient, handle)) == (400, "invalid_grant")


async def test_but_not_for_long(house, impatient):
    handle = await asked(impatient)
    await move(house, handle, Approve())
    await house.machines().poll(house.clients["ci"], handle)
    await house.clock.wait(AGAIN_WITHIN + timedelta(seconds=2))
    assert refused(await poll(impatient, handle)) == (400, "invalid_grant")


async def test_whoever_hangs_up_takes_nothing_along(house, impatient):
    handle = await asked(impatient)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await poll(impatient, handle, wait=20)
    await move(house, handle, Approve())
    await asyncio.sleep(0.2)
    assert "Started" not in await facts(house, handle)
    assert (await poll(impatient, handle))[0] == 200


# --- pace --------------------------------------------------------------------------------------


async def test_who_polls_too_often_is_slowed_down_more_and_more(house, api):
    handle = await asked(api)
    assert refused(await poll(api, handle)) == (400, "authorization_pending")
    waits = []
    for _ in range(3):
        said = await poll(api, handle)
        assert refused(said) == (400, "slow_down")
        waits.append(int(said[1]["error_description"].split()[1]))
    assert waits == [7, 12, 17]


async def test_of_others_polls_nothing_is_counted(house, api):
    handle = await asked(api)
    for _ in range(3):
        await poll(api, handle, headers=CRON)
    assert refused(await poll(api, handle)) == (400, "authorization_pending")


async def test_a_poll_is_held_until_people_decide(each_house, each_api):
    handle = await asked(each_api)
    held = asyncio.create_task(poll(each_api, handle, wait=20))
    await asyncio.sleep(0.3)
    assert not held.done()
    began_s = asyncio.get_running_loop().time()
    await move(each_house, handle, Approve())
    status, _ = await held
    assert status == 200
    assert asyncio.get_running_loop().time() - began_s < 1.5


async def test_a_poll_that_is_held_asks_the_store_nothing(house, api):
    handle = await asked(api)
    looks = []
    real = house.ledger.load

    async def load(id_):
        looks.append(id_)
        return await real(id_)

    house.ledger.load = load
    held = asyncio.create_task(poll(api, handle, wait=20))
    await asyncio.sleep(1.5)
    assert not held.done()
    assert len(looks) <= 2
    held.cancel()


async def test_the_newer_of_two_polls_waits(house, impatient):
    handle = await asked(impatient)
    older = asyncio.create_task(poll(impatient, handle, wait=20))
    await asyncio.sleep(0.2)
    newer = asyncio.create_task(poll(impatient, handle, wait=20))
    async with asyncio.timeout(5):
        assert refused(await older) == (400, "authorization_pending")
    await move(house, handle, Approve())
    assert (await newer)[0] == 200


async def test_a_poll_ends_by_itself(house, api):
    handle = await asked(api)
    began_s = asyncio.get_running_loop().time()
    assert refused(await poll(api, handle, wait=1)) == (400, "authorization_pending")
    assert 0.9 < asyncio.get_running_loop().time() - began_s < 3


async def test_there_is_room_for_so_many(house, impatient, monkeypatch):
    monkeypatch.setattr(waiting, "SEATS_OF_ONE", 1)
    monkeypatch.setattr(waiting, "SEATS", 2)
    mine, also_mine = await asked(impatient), await asked(impatient, duration="60")
    theirs = {"login_hint": "client:cron", "headers": CRON}
    one, two = await asked(impatient, **theirs), await asked(impatient, **theirs, duration="60")
    held = [asyncio.create_task(poll(impatient, mine, wait=20))]
    await asyncio.sleep(0.2)
    assert refused(await poll(impatient, also_mine)) == (400, "slow_down")
    held.append(asyncio.create_task(poll(impatient, one, headers=CRON, wait=20)))
    await asyncio.sleep(0.2)
    monkeypatch.setattr(waiting, "SEATS_OF_ONE", 9)
    form = {"grant_type": CIBA, "auth_req_id": two}
    async with impatient.post("/oauth/token", data=form, headers={**CRON, **NOW}) as reply:
        assert (reply.status, (await reply.json())["error"]) == (503, "temporarily_unavailable")
        assert reply.headers["Retry-After"]
    for task in held:
        task.cancel()


async def test_a_server_that_stops_lets_everybody_go(house):
    runner = make_runner(make_app(house.parts()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(f"http://{host}:{port}") as api:
        held = asyncio.create_task(poll(api, await asked(api), wait=20))
        await asyncio.sleep(0.2)
        async with asyncio.timeout(5):
            await runner.cleanup()
        assert refused(await held) == (400, "authorization_pending")


async def test_the_metadata_name_it(api):
    async with api.get("/.well-known/oauth-authorization-server") as reply:
        said = await reply.json()
    assert said["backchannel_authentication_endpoint"] == f"{ISSUER}/oauth/backchannel"
    assert said["backchannel_token_delivery_modes_supported"] == ["poll"]
    assert said["backchannel_user_code_parameter_supported"] is False
    assert set(said["grant_types_supported"]) == {"client_credentials", CIBA}


async def test_the_form_itself_must_be_right(api):
    twice = [*ITSELF.items(), ("login_hint", "client:ci")]
    assert refused(await ask(api, twice)) == (400, "invalid_request")
    both = {"client_id": "ci", "client_secret": SECRET}
    assert refused(await ask(api, **both)) == (400, "invalid_request")
    async with api.post("/oauth/backchannel?bundle=logs", data=ITSELF, headers=CI) as reply:
        assert refused((reply.status, await reply.json())) == (400, "invalid_request")
    async with api.get("/oauth/backchannel", headers=CI) as reply:
        assert reply.status == 405
