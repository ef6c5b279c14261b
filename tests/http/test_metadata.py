"""What the server says of itself (RFC 8414)."""

import pytest

from bot.http.metadata import Metadata
from bot.http.server import make_app
from tests.http.house import APIS, ISSUER, served

PLACES = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]


def content(**over):
    plain = {"resources": lambda: APIS, "scopes": lambda: frozenset({"logs:read"}), "grants": ["x"]}
    return Metadata(ISSUER, **{**plain, **over}).content()


@pytest.mark.parametrize("place", PLACES)
async def test_it_is_found_under_both_names_and_may_be_kept(api, place):
    async with api.get(place, headers={"Host": "evil.example"}) as reply:
        assert reply.status == 200
        assert reply.headers["Cache-Control"] == "public, max-age=3600"
        said = await reply.json()
    assert said["issuer"] == ISSUER
    assert "evil" not in str(said)


async def test_every_address_in_it_is_served(house):
    app = make_app(house.parts())
    served_paths = {resource.canonical for resource in app.router.resources()}
    named = [url for name, url in content().items() if name.endswith(("_endpoint", "_uri"))]
    assert named
    assert {url.removeprefix(ISSUER) for url in named} <= served_paths


async def test_the_members_that_are_required_are_there():
    said = content()
    assert said["response_types_supported"] == ["id_token"]
    assert said["subject_types_supported"] == ["public"]
    assert said["scopes_supported"] == [
        "invoices:read",
        "invoices:write",
        "logs:read",
        "refunds:read",
    ]
    assert said["protected_resources"] == ["https://billing.example"]
    methods = said["introspection_endpoint_auth_methods_supported"]
    assert methods == ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    assert "none" not in str(said["revocation_endpoint_auth_signing_alg_values_supported"])


async def test_nothing_is_listed_where_no_api_is_declared():
    said = content(resources=dict, scopes=frozenset)
    assert "scopes_supported" not in said
    assert "protected_resources" not in said


async def test_the_path_of_an_issuer_is_put_where_each_standard_wants_it(house):
    parts = house.parts(issuer="https://acme.example/jit")
    async with served(make_app(parts)) as api:
        for place in (
            "/.well-known/oauth-authorization-server/jit",
            "/jit/.well-known/openid-configuration",
            *PLACES,
        ):
            async with api.get(place) as reply:
                assert (await reply.json())["issuer"] == "https://acme.example/jit"
