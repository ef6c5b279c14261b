"""The token endpoint: what policy approves at once, and every way to be refused."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession

from bot.core import events as e
from bot.http.server import make_app
from tests.http.house import ISSUER, House, basic, served
from tests.http.machines import SECRET, a_client, a_rail, machine_policy

CI, CRON = basic("ci", SECRET), basic("cron", SECRET)
DETAIL = {
    "type": "access_bundle",
    "bundle": "logs",
    "scopes": ["logs:read"],
    "duration": 900,
    "reason": "nightly build 42",
    "ticket": "OPS-7",
}


async def token(
    api: ClientSession, form: Any = None, *, headers: Any = None, **more: Any
) -> tuple[int, dict[str, Any]]:
    """Return status and content of a token request."""
    plain = {"grant_type": "client_credentials", **more} if form is None else form
    async with api.post("/oauth/token", data=plain, headers=headers or CI) as reply:
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Pragma"] == "no-cache"
        assert ("WWW-Authenticate" in reply.headers) == (reply.status == 401)
        return reply.status, await reply.json()


def refused(said: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    """Return status and code of an error that says what is wrong, in the characters it may have."""
    status, content = said
    assert set(content) == {"error", "error_description"}
    assert content["error_description"]
    assert all(" " <= each <= "~" and each not in '"\\' for each in content["error_description"])
    return status, content["error"]


def details(**over: Any) -> str:
    kept = {**DETAIL, **over}
    return json.dumps([{name: value for name, value in kept.items() if value is not None}])


async def facts(house: House, grant: str) -> list[str]:
    found = await house.ledger.history(grant.replace("G-", "R-"))
    return [type(fact).__name__ for fact in found]


async def test_a_client_gets_at_once_what_policy_gives_it(
    each_house: House, each_api: ClientSession
) -> None:
    status, said = await token(each_api, bundle="logs")
    assert status == 200
    granted = jwt.decode(said["access_token"], options={"verify_signature": False})
    assert said == {
        "access_token": said["access_token"],
        "token_type": "Bearer",
        "expires_in": 30 * 60,
        "scope": "logs:read metrics:read",
        "grant_id": granted["grant_id"],
        "authorization_details": [
            {
                "type": "access_bundle",
                "bundle": "logs",
                "scopes": ["logs:read", "metrics:read"],
                "duration": 30 * 60,
            }
        ],
    }
    assert granted["sub"] == granted["client_id"] == "ci"
    assert (granted["iss"], granted["aud"]) == (ISSUER, "https://billing.example")
    assert "act" not in granted
    async with each_api.post(
        "/oauth/introspect", data={"token": said["access_token"]}, headers=basic("billing-api")
    ) as reply:
        assert (await reply.json())["active"] is True
    requested, *rest = await facts(each_house, said["grant_id"])
    assert [requested, *rest] == ["Requested", "Approved", "Granted", "Started", "Delivered"]


async def test_what_it_asks_for_is_kept_as_it_says(house: House, api: ClientSession) -> None:
    status, said = await token(api, authorization_details=details())
    assert (status, said["scope"], said["expires_in"]) == (200, "logs:read", 900)
    [asked, *_] = await house.ledger.history(said["grant_id"].replace("G-", "R-"))
    assert isinstance(asked, e.Requested)
    assert (asked.reason, asked.ticket) == ("nightly build 42", "OPS-7")
    assert asked.machine is not None
    assert (asked.machine.client, asked.machine.owner) == ("ci", "owners")
    assert asked.machine.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("form", "lasts"),
    [
        ({"scope": "logs:read", "duration": "900"}, 900),
        ({"scope": "logs:read openid", "duration": "15m"}, 900),
        ({"bundle": "logs", "duration": "1h"}, 3600),
        ({"scope": "metrics:read", "resource": "https://billing.example"}, 1800),
        ({"bundle": "logs", "authorization_details": details(), "reason": DETAIL["reason"]}, 900),
        ({"scope": "logs:read", "authorization_details": details(), "duration": "15m"}, 900),
    ],
)
async def test_plain_names_and_details_say_the_same(api, form, lasts):
    status, said = await token(api, **form)
    assert (status, said["expires_in"]) == (200, lasts)


async def test_scopes_alone_mean_the_smallest_bundle_with_all_of_them(api: ClientSession) -> None:
    # Both logs and deploy have it and are as small; the client lists logs first.
    status, said = await token(api, scope="logs:read")
    assert (status, said["authorization_details"][0]["bundle"]) == (200, "logs"), said


async def test_what_people_must_decide_is_not_had_so_and_nothing_is_recorded(house, api):
    said = await token(api, bundle="deploy")
    assert refused(said) == (400, "unauthorized_client")
    assert "CIBA" in said[1]["error_description"]
    assert await house.ledger.log() == []


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"bundle": "never"}, "unauthorized_client"),
        ({"bundle": "people"}, "unauthorized_client"),  # it is not listed for it
        ({"bundle": "there-is-none"}, "unauthorized_client"),
        ({"scope": "there:is:none"}, "invalid_scope"),
        ({"scope": "logs:read there:is:none"}, "invalid_scope"),
        ({"scope": "people"}, "invalid_scope"),  # known, but not to this client
        ({"scope": "metrics:read invoices:read"}, "invalid_scope"),  # in no bundle together
        ({"bundle": "logs", "scope": "invoices:read"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_request"),
        ({}, "invalid_request"),
        ({"bundle": "logs", "resource": "https://evil.example"}, "invalid_target"),
        ({"scope": "logs:read", "resource": "x" * 9000}, "invalid_target"),
        ({"bundle": "logs", "duration": "2h"}, "invalid_request"),
        ({"bundle": "logs", "duration": "0"}, "invalid_request"),
        ({"bundle": "logs", "duration": "-5"}, "invalid_request"),
        ({"bundle": "logs", "duration": "1.5"}, "invalid_request"),
        ({"bundle": "logs", "duration": "1h; 99h"}, "invalid_request"),
        ({"bundle": "logs", "duration": "9" * 5000}, "invalid_request"),
        ({"bundle": "logs", "duration": "٣٠"}, "invalid_request"),
        ({"bundle": "logs", "reason": "short"}, "invalid_request"),
        ({"bundle": "logs", "reason": "\u202e\u200b" * 20}, "invalid_request"),
        ({"bundle": "logs", "reason": "x" * 501}, "invalid_request"),
        ({"bundle": "logs", "ticket": "x" * 101}, "invalid_request"),
        ({"bundle": "x" * 64}, "invalid_request"),
        ({"authorization_details": details(), "reason": "another one"}, "invalid_request"),
        ({"authorization_details": details(), "scope": "metrics:read"}, "invalid_request"),
    ],
)
async def test_what_cannot_be_had_is_refused_by_its_code(api, form, problem):
    assert refused(await token(api, **form)) == (400, problem)


HOSTILE = [
    "a\tb",
    "a\nb",
    "a\x00b",
    "a\u00a0b",
    "a\u200bb",
    'a"b',
    "a\\b",
    "logs:read  metrics:read",
    " logs:read",
    "logs:read ",
    '["logs:read"]',
    "*",
    "LOGS:READ",
    "l\u043egs:read",  # a Cyrillic o
    "logs:read,metrics:read",
    "x" * 20_000,
    "logs:read " * 2_000 + "logs:read",
]


@pytest.mark.parametrize("scope", HOSTILE)
async def test_no_other_spelling_of_a_scope_is_one(api, scope):
    assert refused(await token(api, scope=scope)) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "null",
        "[]",
        "{}",
        '"x"',
        "[[]]",
        "[1]",
        "[" * 10_000,
        '[{"type":' * 700 + "1" + "}]" * 700,
        json.dumps([DETAIL, DETAIL]),
        '[{"type":"access_bundle","bundle":"logs","bundle":"deploy"}]',
        '[{"type":"access_bundle","bundle":"logs","duration":NaN}]',
        details(type="payment"),
        details(type=None),
        details(admin=True),
        details(duration="900"),
        details(duration=-1),
        details(duration=0),
        details(duration=True),
        details(duration=1.5),
        details(duration=10**30),
        details(scopes=[]),
        details(scopes="logs:read"),
        details(scopes=["logs:read", 7]),
        details(scopes=["logs:read metrics:read"]),
        details(bundle=""),
        details(bundle=["logs"]),
        details(reason={"a": 1}),
        details(reason="x" * 9000),
    ],
)
async def test_details_that_are_not_what_they_must_be_are_refused(api, text):
    said = await token(api, authorization_details=text)
    assert refused(said) == (400, "invalid_authorization_details")


async def test_the_form_itself_must_be_right(api: ClientSession) -> None:
    twice = [("grant_type", "client_credentials"), ("scope", "logs:read"), ("scope", "logs:read")]
    assert refused(await token(api, twice)) == (400, "invalid_request")
    assert refused(await token(api, {"scope": "logs:read"})) == (400, "invalid_request")
    for other in ("password", "refresh_token", "\x00", "client_credentials "):
        said = await token(api, {"grant_type": other})
        assert refused(said) == (400, "unsupported_grant_type")
    both = {"client_id": "ci", "client_secret": SECRET}
    assert refused(await token(api, bundle="logs", **both)) == (400, "invalid_request")
    assert refused(await token(api, bundle="logs", headers=basic("ci", "no"))) == (
        401,
        "invalid_client",
    )
    async with api.post(
        "/oauth/token?scope=logs:read", data={"grant_type": "client_credentials"}, headers=CI
    ) as reply:
        assert refused((reply.status, await reply.json())) == (400, "invalid_request")
    async with api.get("/oauth/token", headers=CI) as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")
    for body in (b"\xff\xfe", b"%ff=1", b"a" * 70_000):
        async with api.post(
            "/oauth/token",
            data=body,
            headers={**CI, "Content-Type": "application/x-www-form-urlencoded"},
        ) as reply:
            assert reply.status in (400, 413)
            assert (await reply.json())["error"] == "invalid_request"


async def test_who_is_listed_for_nothing_gets_nothing(api: ClientSession) -> None:
    for id_ in ("idle", "billing-api"):
        headers = basic(id_, SECRET) if id_ == "idle" else basic(id_)
        said = await token(api, scope="logs:read", headers=headers)
        assert refused(said) == (400, "unauthorized_client")


async def test_a_reason_is_needed_unless_the_policy_files_give_one(house, api):
    house.policy = machine_policy()
    headers = basic("silent", SECRET)
    said = await token(api, bundle="logs", headers=headers)
    assert refused(said) == (400, "invalid_request")
    assert "say why" in said[1]["error_description"]


async def test_a_guardrail_bars_clients_as_it_bars_people(house, api):
    house.policy = machine_policy(a_rail(deny=True, clients=("ci",)))
    assert refused(await token(api, bundle="logs")) == (400, "unauthorized_client")
    status, _ = await token(api, bundle="logs", headers=CRON)
    assert status == 200


async def test_limits_count_per_client(house, api):
    house.clients["other"] = a_client("other", "scarce")
    assert (await token(api, bundle="scarce"))[0] == 200
    said = await token(api, bundle="scarce")
    assert refused(said) == (400, "unauthorized_client")
    assert "the limit" in said[1]["error_description"]


async def test_of_two_at_once_one_passes_the_limit(each_api: ClientSession) -> None:
    tries = [token(each_api, bundle="scarce") for _ in range(8)]
    statuses = Counter(status for status, _ in await asyncio.gather(*tries))
    assert statuses == {200: 1, 400: 7}


async def test_a_client_may_end_what_it_has_and_nobody_elses(house, api):
    _, mine = await token(api, bundle="logs")
    form = {"token": mine["access_token"]}
    active = {"data": form, "headers": basic("billing-api")}
    async with api.post("/oauth/revoke", data=form, headers=CRON) as reply:
        assert reply.status == 200
    async with api.post("/oauth/introspect", **active) as reply:
        assert (await reply.json())["active"] is True
    async with api.post("/oauth/revoke", data=form, headers=CI) as reply:
        assert reply.status == 200
    async with api.post("/oauth/introspect", **active) as reply:
        assert (await reply.json()) == {"active": False}
    async with api.post("/oauth/introspect", data=form, headers=CI) as reply:
        assert (await reply.json()) == {"active": False}  # having a token is no right to ask


async def test_a_token_lasts_for_its_time(house: House, api: ClientSession) -> None:
    _, said = await token(api, bundle="logs", duration="60")
    await house.clock.wait(timedelta(seconds=61))
    async with api.post(
        "/oauth/introspect", data={"token": said["access_token"]}, headers=basic("billing-api")
    ) as reply:
        assert (await reply.json()) == {"active": False}


async def test_a_store_that_is_away_is_said_and_grants_nothing(house: House) -> None:
    house.directory.away = True
    async with (
        served(make_app(house.parts())) as api,
        api.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "bundle": "logs"},
            headers=CI,
        ) as reply,
    ):
        assert reply.status == 503
        assert reply.headers["Retry-After"]
        assert (await reply.json())["error"] == "temporarily_unavailable"


async def test_the_metadata_name_it(api: ClientSession) -> None:
    async with api.get("/.well-known/openid-configuration") as reply:
        said = await reply.json()
    assert said["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert "client_credentials" in said["grant_types_supported"]
    assert said["authorization_details_types_supported"] == ["access_bundle"]
    assert {"logs:read", "deploy:run"} <= set(said["scopes_supported"])
    assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
