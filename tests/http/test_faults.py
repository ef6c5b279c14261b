"""The store away, and secrets that must be in no log."""

import asyncio
import io
import json
import os
import signal
from pathlib import Path

from aiohttp import ClientSession, web

from bot.http.server import make_app
from bot.store.embedded import EmbeddedServer
from bot.store.redis import connect
from tests.http.house import CLIENTS, SECRETS, basic, house_in_memory, house_on, served
from tests.http.test_oauth import INACTIVE, ask, revoke

CANARY = "hunter2-canary"


async def status_of_both(api: ClientSession, token: str) -> set[int]:
    """Return how introspection and revocation answer, once it is checked what they say."""
    seen = set()
    for path in ("/oauth/introspect", "/oauth/revoke"):
        headers = basic("billing-api")
        async with api.post(path, data={"token": token}, headers=headers) as reply:
            said = await reply.json() if reply.status != 200 else {}
            assert "active" not in said
            if reply.status == 503:
                assert said["error"] == "temporarily_unavailable"
                assert int(reply.headers["Retry-After"]) > 0
                assert reply.headers["Cache-Control"] == "no-store"
            seen.add(reply.status)
    return seen


async def test_a_store_that_was_never_there_is_never_called_inactive() -> None:
    client = connect("redis://127.0.0.1:1")
    house = house_on(client)
    async with served(make_app(house.parts())) as api:
        assert await status_of_both(api, "x") == {503}
        async with api.get("/healthz") as reply:
            assert reply.status == 200
        async with api.get("/.well-known/jwks.json") as reply:
            assert reply.status == 200
        # Who may not ask is told so, whatever is away.
        status, _ = await ask(api, "x", client="billing-api")
        async with api.post("/oauth/introspect", data={"token": "x"}) as reply:
            assert (status, reply.status) == (503, 401)
    assert house.metrics.value("jit_introspections_total", outcome="unavailable") == 2
    await client.aclose()


async def test_a_token_outlives_a_store_that_goes_and_comes_back(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start()
    client = connect(server.url)
    house = house_on(client)
    async with served(make_app(house.parts())) as api:
        token = await house.grant()
        assert (await ask(api, token))[1] != INACTIVE
        await server.stop()
        assert await status_of_both(api, token) == {503}
        await server.start()
        assert (await ask(api, token))[1] != INACTIVE
        assert await revoke(api, token) == (200, b"")
        assert await ask(api, token) == (200, INACTIVE)
    await client.aclose()
    await server.stop()


async def test_a_store_that_hangs_is_away(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as server:
        client = connect(server.url)
        house = house_on(client)
        async with served(make_app(house.parts())) as api:
            token = await house.grant()
            os.kill(server.pid, signal.SIGSTOP)
            try:
                answers = await asyncio.gather(ask(api, token), revoke(api, token))
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert [status for status, _ in answers] == [503, 503]
        await client.aclose()


async def test_no_log_has_secrets_or_bodies(written: io.StringIO) -> None:
    async def slack(request: web.Request) -> web.Response:
        raise RuntimeError(f"cannot use token={(await request.post())['token']}")

    house = house_in_memory()
    house.slack = slack
    token = await house.grant()
    canary = {"token": CANARY, "x": CANARY}
    async with served(make_app(house.parts())) as api:
        await ask(api, token)
        await revoke(api, token)
        for headers in (basic("billing-api"), basic("billing-api", CANARY), basic(CANARY, CANARY)):
            for path in ("/oauth/introspect", "/oauth/revoke", "/slack/events", f"/{CANARY}"):
                async with api.post(path, params=canary, data=canary, headers=headers):
                    pass
        secret = {"client_id": "billing-api", "client_secret": SECRETS["billing-api"]}
        async with api.post("/oauth/introspect", data={**secret, "token": token}) as reply:
            assert reply.status == 200
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {"http.request", "http.failed"} <= {line["event"] for line in lines}
    hidden = [CANARY, token, *SECRETS.values()]
    hidden += [each for client in CLIENTS.values() for each in client.secrets_sha256]
    hidden += [basic(id_)["Authorization"].split()[1] for id_ in CLIENTS]
    for text in hidden:
        assert text not in written.getvalue()


async def test_a_malformed_request_is_told_without_its_content(written: io.StringIO) -> None:
    good = b"POST /oauth/introspect HTTP/1.1\r\nHost: x\r\n"
    requests = [
        good + b"X-Slack-Signature: hunter2-canary\x00\r\n\r\n",
        good + b"Authorization: Basic hunter2-canary\x01\r\n\r\n",
        good + b"Transfer-Encoding: chunked\r\n\r\nhunter2-canary\r\n",
        b"GET /?token=hunter2-canary HTTP/9.x\r\n\r\n",
        b"hunter2-canary\r\n\r\n",
    ]
    async with served(make_app(house_in_memory().parts())) as api:
        for request in requests:
            reader, writer = await asyncio.open_connection(api._base_url.host, api._base_url.port)
            writer.write(request)
            assert b" 400 " in await reader.readline()
            await reader.read()
            writer.close()
            await writer.wait_closed()
    assert "BadHttpMessage" in written.getvalue()
    assert CANARY not in written.getvalue()


async def test_each_request_has_one_line_that_says_how_it_went(written: io.StringIO) -> None:
    house = house_in_memory()
    async with served(make_app(house.parts())) as api:
        await ask(api, "x")  # asked for every call to an API: metrics count these
        await revoke(api, "x")
        await ask(api, "")
        for path in ("/forward-auth?scope=a", "/forward-auth", "/forward-auth/a?scope=a"):
            async with api.get(path) as reply:
                assert reply.status in (401, 403)
        async with api.get(f"/{CANARY}"), api.get("/readyz"), api.post("/slack/events"):
            pass
        house.problems = ["something is wrong"]
        async with api.get("/readyz"):
            pass
    told = [json.loads(line) for line in written.getvalue().splitlines()]
    lines = [line for line in told if line["event"] != "forward_auth.misasked"]
    assert [(line["level"], line["route"], line["status"]) for line in lines] == [
        ("info", "/oauth/revoke", 200),
        ("info", "/oauth/introspect", 400),
        ("info", "none", 404),
        ("info", "/slack/events", 404),
        ("info", "/readyz", 503),
    ]
    for line in lines:
        assert line["event"] == "http.request"
        assert 0 <= line["ms"] < 60_000


async def test_a_fault_is_logged_once_with_where_it_was(written: io.StringIO) -> None:
    async def slack(_: web.Request) -> web.Response:
        return web.Response(text=str(1 / 0))

    house = house_in_memory()
    house.slack = slack
    async with served(make_app(house.parts())) as api, api.post("/slack/events") as reply:
        assert reply.status == 500
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["http.failed", "http.request"]
    assert "ZeroDivisionError" in lines[0]["exception"]
