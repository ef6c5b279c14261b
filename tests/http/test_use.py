"""Introspection takes down what tokens are used for, and turns away what they do not allow."""

import json
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from bot.core.moves import Revoke
from bot.usecases.use import UseOutcome
from tests.builders import ANNA, REQUEST
from tests.http.house import House, basic

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
