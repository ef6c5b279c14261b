"""How each API is described (RFC 9728)."""

import pytest
from aiohttp import ClientSession

from bot.core.client import Resource
from bot.http.server import make_app
from tests.http.house import APIS, ISSUER, House, served

WELL_KNOWN = "/.well-known/oauth-protected-resource"
BILLING = "https://billing.example"


def an_api(uri: str) -> Resource:
    return Resource(uri=uri, title=f"The {uri}", scopes={"b:write": "Write", "a:read": "Read"})


async def described(api: ClientSession, place: str) -> tuple[int, str]:
    """Return the status, and which API is described at `place`."""
    async with api.get(WELL_KNOWN + place) as reply:
        said = await reply.json()
        return reply.status, said.get("resource", said.get("error"))


async def test_an_api_says_whose_tokens_it_wants_and_with_which_scopes(api: ClientSession) -> None:
    async with api.get(f"{WELL_KNOWN}/billing.example") as reply:
        assert (reply.status, reply.content_type) == (200, "application/json")
        assert reply.headers["Cache-Control"] == "public, max-age=3600"
        assert await reply.json() == {
            "resource": BILLING,
            "authorization_servers": [ISSUER],
            "scopes_supported": ["invoices:read", "invoices:write", "refunds:read"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Billing",
        }


async def test_each_api_stands_where_its_challenge_says(house: House) -> None:
    uris = (
        BILLING,
        "https://refunds.example/v1",
        "https://refunds.example/v2/",
        "https://refunds.example:8443/a%20b/c",
        "http://localhost:9000",
        "urn:example:ledger",
    )
    house.apis = {uri: an_api(uri) for uri in uris}
    async with served(make_app(house.parts())) as api:
        for uri in uris:
            asked = f"/forward-auth?scope=a:read&resource={uri.replace('%', '%25')}"
            async with api.get(asked) as reply:
                told = reply.headers["WWW-Authenticate"]
            [_, found, _] = told.partition(f'resource_metadata="{ISSUER}{WELL_KNOWN}')
            assert found, told
            place = told.partition(WELL_KNOWN)[2].rstrip('"')
            assert await described(api, place) == (200, uri)


async def test_the_path_alone_will_do_where_one_api_has_it(house: House) -> None:
    house.apis = {uri: an_api(uri) for uri in (BILLING, "https://refunds.example/v1")}
    async with served(make_app(house.parts())) as api:
        for place, uri in (("", BILLING), ("/", BILLING), ("/v1", "https://refunds.example/v1")):
            assert await described(api, place) == (200, uri)
        assert await described(api, "/v2") == (404, "not_found")


async def test_where_several_have_it_none_is_guessed_at(house: House) -> None:
    house.apis = {**APIS, "https://other.example": an_api("https://other.example")}
    async with served(make_app(house.parts())) as api:
        assert await described(api, "") == (404, "not_found")
        async with api.get(WELL_KNOWN, headers={"Host": "other.example"}) as reply:
            assert reply.status == 404
        assert await described(api, "/other.example") == (200, "https://other.example")


@pytest.mark.parametrize("place", ["/nobody.example", "/billing.example/x", "/..%2f", "/%00", "/é"])
async def test_what_is_not_declared_is_not_described(api: ClientSession, place: str) -> None:
    assert await described(api, place) == (404, "not_found")
