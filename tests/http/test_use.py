"""Introspection takes down what tokens are used for, and turns away what they do not allow."""

import json
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from bot.core.moves import Revoke
from bot.usecases.use import UseOutcome
from tests.builders import ANNA, REQUEST
from tests.http.house import SECRETS, House, basic

API = "https://billing.example"


async def ask(api: ClientSession, token: str, *, client: str = "billing-api", **form: str):
    """Return status and what is said of an introspection."""
    data = {"token": token, **form}
    async with api.post("/oauth/introspect", data=data, headers=basic(client)) as reply:
        return reply.status, json.loads(await reply.read())


async def test_a_use_is_taken_down_with_all_that_the_api_says(house: House, api) -> None:
    token = await house.grant()
    status, said = await ask(
        api, token, required_scope="refunds:read invoices:read", address="2001:DB8::0001"
    )
    assert (status, said["active"]) == (200, True)
    [use] = house.log.uses
    assert (use.request, use.jti, use.outcome) == (REQUEST, said["jti"], UseOutcome.ALLOWED)
    assert (use.scopes, use.resource) == (("refunds:read", "invoices:read"), API)
    assert (use.point, use.address, use.count) == ("billing-api", "2001:db8::1", 1)
    assert use.at == house.clock.now()


async def test_without_a_scope_it_is_known_only_that_the_token_was_seen(house, api) -> None:
    token = await house.grant()
    assert (await ask(api, token))[1]["active"]
    [use] = house.log.uses
    assert (use.scopes, use.outcome, use.address) == ((), UseOutcome.ALLOWED, "")
    assert house.log.living == set()


@pytest.mark.parametrize(
    "needed", ["invoices:write", "invoices:read invoices:write", "invoices:rea", "Invoices:read"]
)
async def test_a_token_that_lacks_the_scope_is_inactive_and_the_attempt_is_taken_down(
    house, api, needed
) -> None:
    token = await house.grant()
    assert await ask(api, token, required_scope=needed) == (200, {"active": False})
    [use] = house.log.uses
    assert (use.outcome, use.scopes) == (UseOutcome.BEYOND, tuple(needed.split(" ")))
    assert (await ask(api, token))[1]["active"]


async def test_a_token_that_is_over_is_taken_down_once_its_signature_was_seen(house, api) -> None:
    token = await house.grant()
    case = house.desk().circumstances()
    await house.desk().carry_out(REQUEST, Revoke(), by=ANNA, case=case, commit_id="end")
    form = {"required_scope": "invoices:read", "address": "10.0.0.9"}
    assert await ask(api, token, **form) == (200, {"active": False})
    assert await ask(api, token[:-4] + "AAAA", **form) == (200, {"active": False})
    assert house.log.uses == []
    house.look()
    [use] = house.log.uses
    assert (use.request, use.outcome, use.address) == (REQUEST, UseOutcome.ENDED, "10.0.0.9")


async def test_a_token_that_ran_out_is_taken_down_too(house, api) -> None:
    token = await house.grant(lasts=timedelta(seconds=10))
    house.clock.at += timedelta(hours=1)
    assert await ask(api, token) == (200, {"active": False})
    house.look()
    assert [use.outcome for use in house.log.uses] == [UseOutcome.ENDED]


async def test_nothing_is_taken_down_for_an_api_that_the_token_is_not_for(house, api) -> None:
    token = await house.grant()
    form = {"required_scope": "invoices:read"}
    assert await ask(api, token, client="deploy-api", **form) == (200, {"active": False})
    house.look()
    assert house.log.uses == []


async def test_an_api_that_asks_with_a_scope_is_alive_whatever_token_it_was_shown(
    house, api
) -> None:
    await ask(api, "x", client="deploy-api", required_scope="ci:deploy")
    assert house.log.living == {("https://deploy.example", "deploy-api")}
    await ask(api, "x", required_scope="invoices:read")  # it answers for two APIs: for which?
    await ask(api, "x", client="odd id+")
    assert house.log.living == {("https://deploy.example", "deploy-api")}
    token = await house.grant()
    await ask(api, token, required_scope="invoices:read")
    assert (API, "billing-api") in house.log.living


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (
            {"required_scope": text},
            "required_scope must be scopes of at most 150 characters, separated by single spaces",
        )
        for text in (" a", "a  b", "a\tb", 'a"b', "é", "a\x00", "s" * 151, "\u200b")
    ]
    + [
        (
            {"required_scope": " ".join(f"s{n}" for n in range(21))},
            "required_scope names more than 20 scopes",
        ),
        ({"address": "10.0.0.256"}, "address must be an IP address"),
        ({"address": "10.0.0.1:80"}, "address must be an IP address"),
        ({"address": "<script>"}, "address must be an IP address"),
    ],
)
async def test_what_is_malformed_is_refused_and_nothing_is_taken_down(
    house, api, form, said
) -> None:
    token = await house.grant()
    status, told = await ask(api, token, **form)
    assert (status, told) == (400, {"error": "invalid_request", "error_description": said})
    assert house.log.uses == []


async def report(api: ClientSession, content, *, client: str = "billing-api"):
    """Return status and what is said of a report."""
    headers = {**basic(client), "Content-Type": "application/json"}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    async with api.post("/v1/usage", data=body, headers=headers) as reply:
        return reply.status, json.loads(await reply.read())


def a_use(house: House, **over):
    at = house.clock.now().timestamp()
    plain = {"jti": "G-AAAAAAAAAAAA.1", "scope": "invoices:read", "outcome": "allowed", "at": at}
    return {**plain, **over}


def a_report(*uses, **over):
    return {"batch": "batch-0001", "point": "pod-1", "uses": list(uses), **over}


async def counts(house: House):
    [found] = await house.book.of([REQUEST])
    return {(str(each.seen), each.name): each.count for each in found}


async def test_what_a_point_reports_is_taken_down_once_per_batch(each_house, each_api) -> None:
    await each_house.grant()
    content = a_report(
        a_use(each_house, count=40, address="10.0.0.1"),
        a_use(each_house, outcome="ended", scope="refunds:read invoices:read"),
        a_use(each_house, scope=""),
    )
    for _ in range(3):
        assert await report(each_api, content) == (200, {"recorded": 3, "unknown": 0})
    found = await counts(each_house)
    assert found == {
        ("allowed", "invoices:read"): 40,
        ("allowed", ""): 1,
        ("ended", "refunds:read invoices:read"): 1,
        ("address", "10.0.0.1"): 40,
        ("point", "billing-api:pod-1"): 42,
    }
    other = {**content, "batch": "batch-0002"}
    assert await report(each_api, other) == (200, {"recorded": 3, "unknown": 0})
    assert (await counts(each_house))["allowed", "invoices:read"] == 80


async def test_a_batch_of_one_client_is_not_that_of_another(each_house, each_api) -> None:
    await each_house.grant()
    for client in ("billing-api", "odd id+"):
        told = await report(each_api, a_report(a_use(each_house)), client=client)
        assert told == (200, {"recorded": 1, "unknown": 0})
    assert (await counts(each_house))["allowed", "invoices:read"] == 2


async def test_tokens_of_others_and_tokens_that_never_were_are_unknown_alike(
    each_house, each_api
) -> None:
    await each_house.grant()
    theirs = await report(each_api, a_report(a_use(each_house)), client="deploy-api")
    never = [
        a_use(each_house, jti=jti)
        for jti in ("G-BBBBBBBBBBBB.1", "G-AAAAAAAAAAAA.2", "G-AAAAAAAAAAAA", "x", "R-a:b*.1")
    ]
    assert theirs == (200, {"recorded": 0, "unknown": 1})
    assert await report(each_api, a_report(*never)) == (200, {"recorded": 0, "unknown": 5})
    assert await counts(each_house) == {}


async def test_what_was_not_granted_was_not_allowed_whatever_is_reported(house, api) -> None:
    await house.grant()
    await report(api, a_report(a_use(house, scope="invoices:read invoices:write")))
    assert ("beyond", "invoices:read invoices:write") in await counts(house)


async def test_a_point_is_alive_by_its_word_and_by_its_uses(each_house, each_api) -> None:
    await each_house.grant()
    began = each_house.clock.now() - timedelta(minutes=1)
    assert await each_house.book.lives(API, since=began) == []
    await report(each_api, a_report(alive=["https://refunds.example"]))
    assert len(await each_house.book.lives("https://refunds.example", since=began)) == 1
    assert await each_house.book.lives(API, since=began) == []
    await report(each_api, a_report(a_use(each_house), batch="batch-0002"))
    assert len(await each_house.book.lives(API, since=began)) == 1


async def test_a_time_may_be_written_as_in_rfc_3339(house, api) -> None:
    await house.grant()
    at = house.clock.now() - timedelta(hours=3)
    for text in (at.isoformat(), at.isoformat().replace("+00:00", "Z")):
        content = a_report(a_use(house, at=text), batch=f"batch-{len(text)}")
        assert (await report(api, content))[1]["recorded"] == 1
    [found] = await house.book.of([REQUEST])
    assert found[0].last == at


WRONG_TIME = "uses[0].at must be seconds since 1970, or a time with its zone as in RFC 3339"
WRONG_SCOPE = "uses[0].scope must be at most 20 scopes, separated by single spaces"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "the body must be a JSON object"),
        ({"point": "p"}, "batch is missing"),
        ({"batch": "batch-0001"}, "point is missing"),
        (a_report(point="a b"), "point must match ^[A-Za-z0-9._:/-]{1,64}$"),
        (a_report(batch="short"), "batch must match ^[A-Za-z0-9._-]{8,64}$"),
        (a_report(batch=7), "batch must be text"),
        (
            a_report(*[{}] * 501),
            "uses must have 500 entries or fewer",
        ),
        (a_report(uses={}), "uses must be a list"),
        (a_report("x"), "uses[0] must be an object"),
        (
            a_report(alive=["urn:x"] * 51),
            "alive must have 50 entries or fewer",
        ),
        (
            a_report(alive=["https://deploy.example"]),
            "alive names a resource that this client does not answer for",
        ),
    ],
)
async def test_a_malformed_report_is_refused_with_what_is_wrong(api, content, said) -> None:
    assert await report(api, content) == (
        400,
        {"error": "invalid_request", "error_description": said},
    )


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"jti": ""}, "uses[0].jti must have 1 characters or more"),
        ({"jti": "x" * 65}, "uses[0].jti must have 64 characters or fewer"),
        ({"outcome": "Allowed"}, "uses[0].outcome must be 'allowed', 'beyond' or 'ended'"),
        ({"count": 0}, "uses[0].count must be 1 or more"),
        ({"count": -5}, "uses[0].count must be 1 or more"),
        ({"count": 1_000_001}, "uses[0].count must be 1000000 or less"),
        ({"count": 1.5}, "uses[0].count must be a whole number"),
        ({"count": True}, "uses[0].count must be a whole number"),
        ({"scope": "a  b"}, WRONG_SCOPE),
        ({"scope": "a\tb"}, WRONG_SCOPE),
        ({"scope": "s" * 151}, WRONG_SCOPE),
        ({"scope": " ".join("abcdefghijklmnopqrstu")}, WRONG_SCOPE),
        ({"address": "nowhere"}, "uses[0].address must be an IP address"),
        ({"at": None}, WRONG_TIME),
        ({"at": "yesterday"}, WRONG_TIME),
        ({"at": "2026-03-01T09:00:00"}, WRONG_TIME),
        ({"at": "0001-01-01T00:00:00+14:00"}, WRONG_TIME),
        ({"at": 1e300}, WRONG_TIME),
        ({"at": [1]}, WRONG_TIME),
        ({"at": 0}, "uses[0].at must lie within the last 24 hours"),
        ({"at": "9999-01-01T00:00:00Z"}, "uses[0].at must lie within the last 24 hours"),
    ],
)
async def test_a_malformed_use_is_refused_with_all_of_its_batch(house, api, over, said) -> None:
    await house.grant()
    content = a_report(a_use(house, **over), a_use(house))
    assert await report(api, content) == (
        400,
        {"error": "invalid_request", "error_description": said},
    )
    assert await counts(house) == {}


async def test_a_report_that_is_too_long_or_of_another_type_is_refused(house, api) -> None:
    long = {**a_report(), "x": "x" * 300_000}
    assert (await report(api, long))[0] == 413
    async with api.post("/v1/usage", data={"batch": "b"}, headers=basic("billing-api")) as reply:
        said = (await reply.json())["error_description"]
    assert (reply.status, said) == (400, "the body must be of type application/json")


async def test_a_report_of_nobody_is_refused(house, api) -> None:
    content = a_report(a_use(house))
    for headers in ({}, basic("billing-api", "wrong")):
        async with api.post("/v1/usage", json=content, headers=headers) as reply:
            assert (reply.status, (await reply.json())["error"]) == (401, "invalid_client")
    secret = {"client_id": "billing-api", "client_secret": SECRETS["billing-api"]}
    async with api.post("/v1/usage", json={**content, **secret}) as reply:
        assert reply.status == 200
