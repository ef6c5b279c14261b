"""The guard in FastAPI, and before any ASGI application."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from httpx import ASGITransport, AsyncClient

from bot.guard.asgi import Guard
from tests.guard.issuer import IssuerStandIn

READ, WRITE = "invoices:read", "invoices:write"


@pytest.fixture
async def guard(issuer: IssuerStandIn):
    async with Guard(**issuer.options()) as guard:
        yield guard


def an_app(guard: Guard) -> FastAPI:
    app = FastAPI()

    @app.get("/bills")
    async def bills(claims: Annotated[Any, Depends(guard.require(READ))]) -> str:
        return claims["sub"]

    @app.post("/bills", dependencies=[Depends(guard.require(READ, WRITE))])
    async def change() -> str:
        return "changed"

    return app


def calls(app: Any) -> AsyncClient:
    transport = ASGITransport(app, client=("192.0.2.7", 123))
    return AsyncClient(transport=transport, base_url="http://billing.example")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_route_gets_the_claims_and_refuses_by_the_rfc(issuer, guard) -> None:
    async with calls(an_app(guard)) as api:
        answer = await api.get("/bills", headers=bearer(issuer.token()))
        assert (answer.status_code, answer.json()) == (200, "person:T0DEMO:UANNA")
        answer = await api.get("/bills")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer scope="invoices:read"'
        answer = await api.get("/bills", headers=bearer("x"))
        assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")
        answer = await api.post("/bills", headers=bearer(issuer.token()))
        assert answer.status_code == 403
        assert 'scope="invoices:read invoices:write"' in answer.headers["WWW-Authenticate"]


async def test_tokens_that_come_twice_or_in_the_query_are_refused(issuer, guard) -> None:
    token = issuer.token()
    async with calls(an_app(guard)) as api:
        twice = httpx.Headers([("Authorization", f"Bearer {token}")] * 2)
        assert (await api.get("/bills", headers=twice)).status_code == 400
        answer = await api.get(f"/bills?access_token={token}")
        assert answer.status_code == 400


async def test_the_address_is_the_connections_whatever_the_caller_says(issuer, guard) -> None:
    said = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    async with calls(an_app(guard)) as api:
        await api.get("/bills", headers={**bearer(issuer.token()), **said})
    assert {address for *_, address in guard.uses.held} == {"192.0.2.7"}


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (["203.0.113.9, 198.51.100.4"], "198.51.100.4"),
        (["203.0.113.9", "198.51.100.4"], "198.51.100.4"),
        ([], ""),
    ],
)
async def test_behind_a_proxy_the_address_is_the_last_that_it_tells(issuer, said, address) -> None:
    async with (
        Guard(**issuer.options(address_header="X-Forwarded-For")) as guard,
        calls(an_app(guard)) as api,
    ):
        sent = [("Authorization", f"Bearer {issuer.token()}")]
        sent += [("X-Forwarded-For", value) for value in said]
        await api.get("/bills", headers=httpx.Headers(sent))
        assert {address for *_, address in guard.uses.held} == {address}


def needs(method: str, path: str):
    if path == "/healthz":
        return None
    return [READ] if method == "GET" else [WRITE]


def behind_the_guard(guard: Guard) -> FastAPI:
    app = FastAPI()

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    @app.api_route("/{path:path}", methods=["GET", "HEAD", "POST"])
    async def all_else(request: Request) -> str:
        return request.state.claims["jti"]

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.state.claims["jti"])

    app.add_middleware(guard.middleware, needs=needs)
    return app


async def test_the_middleware_guards_what_needs_scopes_and_no_more(issuer, guard) -> None:
    good = bearer(issuer.token())
    async with calls(behind_the_guard(guard)) as api:
        assert (await api.get("/healthz")).status_code == 200
        answer = await api.get("/anything", headers=good)
        assert (answer.status_code, answer.json()) == (200, "G-AAAAAAAAAAAA.1")
        assert (await api.head("/anything", headers=good)).status_code == 200
        answer = await api.post("/anything", headers=good)
        assert answer.status_code == 403
        assert answer.json()["error"] == "insufficient_scope"
        for path in ("/anything", "//healthz", "/healthz/", "/HEALTHZ", "/%68ealthz/x"):
            answer = await api.get(path)
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert (await api.head("/anything")).status_code == 401


@pytest.mark.parametrize("good", [True, False])
async def test_a_web_socket_is_guarded_before_it_is_accepted(issuer, guard, good) -> None:
    header = (b"authorization", f"Bearer {issuer.token()}".encode())
    scope = {
        "type": "websocket",
        "path": "/live",
        "query_string": b"",
        "headers": [header] if good else [],
        "client": ("192.0.2.7", 123),
        "extensions": {"websocket.http.response": {}},
    }
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await behind_the_guard(guard)(scope, receive, send)
    if good:
        assert [each["type"] for each in sent] == [
            "websocket.accept",
            "websocket.send",
        ]
        assert sent[1]["text"] == "G-AAAAAAAAAAAA.1"
    else:
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 401)
