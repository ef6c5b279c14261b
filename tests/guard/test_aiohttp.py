"""The guard in aiohttp: a decorator, and a middleware."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from multidict import CIMultiDict

from bot.guard.aiohttp import CLAIMS, Guard
from tests.guard.issuer import IssuerStandIn, listening

READ, WRITE = "invoices:read", "invoices:write"


@pytest.fixture
def guard(issuer: IssuerStandIn) -> Guard:
    return Guard(**issuer.options())


async def jti(request: web.Request) -> web.Response:
    """Answer with what the token is called."""
    return web.Response(text=request[CLAIMS]["jti"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def decorated(guard: Guard):
    app = web.Application()
    app.cleanup_ctx.append(guard.running)
    app.router.add_get("/bills", guard.require(READ)(jti))
    app.router.add_post("/bills", guard.require(READ, WRITE)(jti))
    async with listening(app) as url, ClientSession(url) as api:
        yield api


def test_a_decorated_handler_keeps_its_name_and_words(guard) -> None:
    guarded = guard.require(READ)(jti)
    assert (guarded.__name__, guarded.__doc__) == (jti.__name__, jti.__doc__)


async def test_a_handler_gets_the_claims_and_refuses_by_the_rfc(issuer, guard) -> None:
    async with decorated(guard) as api:
        async with api.get("/bills", headers=bearer(issuer.token())) as answer:
            assert (answer.status, await answer.text()) == (200, "G-AAAAAAAAAAAA.1")
        async with api.get("/bills") as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == 'Bearer scope="invoices:read"'
            assert (await answer.json())["error"] == "unauthorized"
        async with api.post("/bills", headers=bearer(issuer.token())) as answer:
            assert answer.status == 403
            assert 'scope="invoices:read invoices:write"' in answer.headers["WWW-Authenticate"]
        async with api.get("/bills", headers=bearer("x")) as answer:
            assert answer.status == 401
    assert {use["address"] for use in issuer.uses} == {"127.0.0.1"}


async def test_tokens_that_come_twice_or_in_the_query_are_refused(issuer, guard) -> None:
    token = issuer.token()
    async with decorated(guard) as api:
        twice = CIMultiDict([("Authorization", f"Bearer {token}")] * 2)
        async with api.get("/bills", headers=twice) as answer:
            assert answer.status == 400
        async with api.get(f"/bills?access_token={token}") as answer:
            assert answer.status == 400


async def test_the_address_is_the_connections_unless_a_proxy_is_trusted(issuer) -> None:
    said = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4"}
    for trusted, address in (("", "127.0.0.1"), ("X-Forwarded-For", "198.51.100.4")):
        guard = Guard(**issuer.options(address_header=trusted))
        headers = {**bearer(issuer.token()), **said}
        async with decorated(guard) as api, api.get("/bills", headers=headers) as answer:
            assert answer.status == 200
        assert issuer.uses[-1]["address"] == address


async def test_the_middleware_guards_what_needs_scopes_and_no_more(issuer, guard) -> None:
    def needs(method: str, path: str):
        return None if path == "/healthz" else [READ if method == "GET" else WRITE]

    async def alive(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[guard.middleware(needs)])
    app.cleanup_ctx.append(guard.running)
    app.router.add_get("/healthz", alive)
    app.router.add_route("*", "/bills", jti)
    good = bearer(issuer.token())
    async with listening(app) as url, ClientSession(url) as api:
        for method, path, headers, status in (
            ("GET", "/healthz", {}, 200),
            ("GET", "/bills", good, 200),
            ("HEAD", "/bills", good, 200),
            ("HEAD", "/bills", {}, 401),
            ("POST", "/bills", good, 403),
            ("GET", "/nowhere", {}, 401),
            ("GET", "/nowhere", good, 404),
        ):
            async with api.request(method, path, headers=headers) as answer:
                assert (method, path, answer.status) == (method, path, status)
