"""Malformed requests, raw bytes, health, and what every answer has in common."""

import asyncio
import gzip
import json
import re
from io import BytesIO
from urllib.parse import parse_qsl

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Conflict, OutcomeUnknown, Unavailable
from bot.http import forms, server
from bot.http.answers import answer_to
from bot.http.forms import BODY_AT_MOST
from bot.http.server import make_app
from tests.http.house import House, basic, served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OWNER = basic("billing-api")


async def post(api: ClientSession, body, *, headers=None, to="/oauth/introspect"):
    async with api.post(to, data=body, headers={**FORM, **OWNER, **(headers or {})}) as reply:
        return reply.status, json.loads(await reply.read() or b"{}").get("error")


async def raw(api: ClientSession, request: bytes) -> bytes:
    """Return all that the server says to `request` until it hangs up."""
    assert api._base_url is not None
    reader, writer = await asyncio.open_connection(api._base_url.host, api._base_url.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
        await writer.wait_closed()


def request_bytes(body: bytes, *headers: str, line: str = "POST /oauth/introspect HTTP/1.1"):
    head = [line, "Host: evil.example", f"Authorization: {OWNER['Authorization']}", *headers]
    head += ["Content-Type: application/x-www-form-urlencoded", "Connection: close"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"token=",
        b"token",
        b"other=1",
        b"token=a&token=b",
        b"token=a&token=a",
        b"token=a&token=",
        b"token=a&x=1&x=2",
        b"token=a&%74oken=b",
        b"token=%FF",
        b"token=\xff",
        b"token=a;token=b&token=c",
        b'{"token":"a"}',
        b"&".join(b"a%d=1" % n for n in range(100)) + b"&token=a",
    ],
)
@pytest.mark.parametrize("endpoint", ["/oauth/introspect", "/oauth/revoke"])
async def test_a_malformed_form_is_refused(api: ClientSession, body: bytes, endpoint: str) -> None:
    assert await post(api, body, to=endpoint) == (400, "invalid_request")


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]
)
async def test_only_forms_are_read(api: ClientSession, kind: str) -> None:
    status = await post(api, b"token=x", headers={"Content-Type": kind})
    assert status == (400, "invalid_request")


async def test_a_form_may_name_its_character_set(api: ClientSession) -> None:
    kind = "Application/X-WWW-Form-Urlencoded; charset=UTF-8"
    assert await post(api, b"token=x", headers={"Content-Type": kind}) == (200, None)


async def test_a_body_has_a_longest_length(api: ClientSession) -> None:
    fits = b"token=" + b"x" * (BODY_AT_MOST - 6)
    assert await post(api, fits) == (200, None)
    assert await post(api, fits + b"x") == (413, "invalid_request")

    chunks = b"".join(b"400\r\n%b\r\n" % (b"x" * 1024) for _ in range(BODY_AT_MOST // 1024 + 1))
    reply = await raw(api, request_bytes(chunks + b"0\r\n\r\n", "Transfer-Encoding: chunked"))
    assert b" 413 " in reply.splitlines()[0]


async def test_a_packed_body_is_measured_unpacked(api: ClientSession) -> None:
    packed = gzip.compress(b"token=" + b"x" * 10_000_000)
    assert len(packed) < BODY_AT_MOST
    headers = {"Content-Encoding": "gzip"}
    assert await post(api, packed, headers=headers) == (413, "invalid_request")
    assert await post(api, b"not packed", headers=headers) == (400, "invalid_request")


async def test_a_body_that_does_not_arrive_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slack(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    monkeypatch.setattr(forms, "BODY_WITHIN_S", 0.05)
    house.slack = slack
    async with served(make_app(house.parts())) as api:
        for path in ("/oauth/introspect", "/oauth/revoke", "/slack/events"):
            reader, writer = await asyncio.open_connection(api._base_url.host, api._base_url.port)
            line = f"POST {path} HTTP/1.1"
            writer.write(request_bytes(b"token=", "Content-Length: 50", line=line))
            assert b" 408 " in await asyncio.wait_for(reader.readline(), 20)
            writer.close()
            await writer.wait_closed()


async def test_the_head_of_a_request_is_not_waited_for_either(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.1)
    async with served(make_app(house.parts())) as api:
        assert await raw(api, b"POST /oauth/introspect HTTP/1.1\r\nHost: x\r\n") == b""
        assert await raw(api, b"") == b""


async def test_repeated_parameters_cannot_be_smuggled(house: House, api: ClientSession) -> None:
    token = await house.grant()
    good, body = f"token={token}".encode(), b"token=x&token=" + token.encode()
    reply = await raw(api, request_bytes(good, f"Content-Length: {len(good)}"))
    assert b'"active":true' in reply
    for request in (
        request_bytes(body, f"Content-Length: {len(body)}"),
        request_bytes(good, f"Content-Length: {len(good)}", "Authorization: Basic eDp5"),
        request_bytes(good, f"Content-Length: {len(good)}", "Content-Length: 3"),
        request_bytes(good, f"Content-Length: {len(good)}", "Transfer-Encoding: chunked"),
        request_bytes(b"5\r\ntoken\r\nZZ\r\n", "Transfer-Encoding: chunked"),
        request_bytes(good, f"Content-Length: +{len(good)}"),
        request_bytes(good, f"Content-Length : {len(good)}"),
    ):
        reply = await raw(api, request)
        assert re.match(rb"HTTP/1.[01] 400 ", reply), request
        assert b"active" not in reply


@given(st.lists(st.text(alphabet="ab=&%20+;[é", max_size=6), max_size=40).map("&".join))
def test_forms_are_read_as_everybody_reads_them(text: str) -> None:
    try:
        wanted = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=forms.FIELDS_AT_MOST
        )
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011  the library's own
            forms._fields(text)
    else:
        assert forms._fields(text) == wanted


async def test_a_get_never_asks_about_a_token(house: House, api: ClientSession) -> None:
    token = await house.grant()
    body = f"token={token}".encode()
    line = f"GET /oauth/introspect?token={token} HTTP/1.1"
    reply = await raw(api, request_bytes(body, f"Content-Length: {len(body)}", line=line))
    assert reply.startswith(b"HTTP/1.1 405 ")
    assert b"Allow: POST" in reply


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/oauth/introspect/", 404, "not_found"),
        ("POST", "/OAuth/introspect", 404, "not_found"),
        ("PUT", "/oauth/revoke", 405, "method_not_allowed"),
        ("DELETE", "/.well-known/jwks.json", 405, "method_not_allowed"),
        ("OPTIONS", "/oauth/introspect", 405, "method_not_allowed"),
        ("POST", "/slack/events", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_said_in_json(
    api: ClientSession, method: str, path: str, status: int, code: str
) -> None:
    async with api.request(method, path) as reply:
        said = await reply.json()
        assert (reply.status, said["error"]) == (status, code)
        assert said["error_description"]
        assert ("Allow" in reply.headers) is (status == 405)


async def test_without_slack_over_http_it_says_where_payloads_come(api: ClientSession) -> None:
    async with api.post("/slack/events", data=b"{}") as reply:
        assert "Socket Mode" in (await reply.json())["error_description"]


async def test_slacks_payloads_reach_their_handler_whole(house: House) -> None:
    async def slack(request: web.Request) -> web.Response:
        return web.Response(text=f"{len(await request.text())} {request.headers['X-A']}")

    house.slack = slack
    async with served(make_app(house.parts())) as api:
        body = b"x" * 250_000
        async with api.post("/slack/events", data=body, headers={"X-A": "ü"}) as reply:
            assert (reply.status, await reply.text()) == (200, "250000 ü")
        async with api.post("/slack/events", data=BytesIO(b"x" * 1_100_000)) as reply:
            assert reply.status == 413


async def test_a_fault_is_told_without_details(house: House) -> None:
    async def slack(_: web.Request) -> web.Response:
        raise ZeroDivisionError("hush-hush")

    house.slack = slack
    async with served(make_app(house.parts())) as api:
        async with api.post("/slack/events") as reply:
            assert (reply.status, (await reply.json())["error"]) == (500, "server_error")
            assert "hush" not in await reply.text()
        async with api.get("/healthz") as reply:
            assert reply.status == 200


@pytest.mark.parametrize("problem", [Unavailable, OutcomeUnknown, Conflict])
def test_what_may_work_later_says_when_to_try_again(problem: type[Exception]) -> None:
    reply = answer_to(problem("the store did not answer"))
    assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
    assert json.loads(reply.body)["error"] == "temporarily_unavailable"


def test_a_description_has_only_what_may_stand_in_one() -> None:
    reply = answer_to(Unavailable('sagt "nein"\\ \x00\n für\u202e immer'))
    assert json.loads(reply.body)["error_description"] == "sagt nein f r immer"


async def test_every_error_of_oauth_is_plain_and_not_kept(api: ClientSession) -> None:
    attempts = [
        api.post("/oauth/introspect"),
        api.post("/oauth/introspect", data={"token": "x"}),
        api.post("/oauth/introspect", data=b"x" * 70_000, headers={**FORM, **OWNER}),
        api.post("/oauth/revoke", data={"a": '"\\ü'}, headers=OWNER),
        api.get("/oauth/revoke"),
    ]
    for attempt in attempts:
        async with attempt as reply:
            assert reply.status >= 400
            assert reply.content_type == "application/json"
            assert reply.headers["Cache-Control"] == "no-store"
            assert reply.headers["Pragma"] == "no-cache"
            said = await reply.json()
            assert set(said) == {"error", "error_description"}
            for text in said.values():
                assert re.fullmatch(r"[\x20\x21\x23-\x5B\x5D-\x7E]+", text)


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/.well-known/jwks.json", "/nowhere"])
async def test_every_answer_is_safe_to_show(api: ClientSession, path: str) -> None:
    async with api.get(path, headers={"Host": "evil.example"}) as reply:
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
        assert reply.headers["Server"] == "jit"
        assert "evil" not in await reply.text() + str(reply.headers)


async def test_requests_are_counted_by_route_and_status(house: House, api: ClientSession) -> None:
    await post(api, b"token=x")
    await post(api, b"")
    for path in ("/a", "/b?c=1", "/healthz"):
        async with api.get(path):
            pass

    def counted(route: str, status: str) -> float:
        return house.metrics.value("jit_http_requests_total", route=route, status=status)

    assert counted("/oauth/introspect", "200") == counted("/oauth/introspect", "400") == 1
    assert (counted("none", "404"), counted("/healthz", "200")) == (2, 1)


async def test_alive_needs_nothing_and_ready_names_what_is_wrong(
    house: House, api: ClientSession
) -> None:
    async with api.get("/readyz") as reply:
        assert (reply.status, (await reply.json())["problems"]) == (200, [])
    house.problems = ["the bot is not in #security-approvals", 'a "second" one']
    async with api.get("/readyz") as reply:
        assert (reply.status, (await reply.json())["problems"]) == (503, house.problems)
    async with api.get("/healthz") as reply:
        assert reply.status == 200


async def test_checks_that_hang_are_a_problem(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hanging():
        await asyncio.sleep(60)

    monkeypatch.setattr("bot.http.health.READY_WITHIN_S", 0.05)
    parts = house.parts()
    object.__setattr__(parts, "ready", hanging)
    async with served(make_app(parts)) as api, api.get("/readyz") as reply:
        assert reply.status == 503
        assert "did not end" in (await reply.json())["problems"][0]


async def test_metrics_are_the_page_of_the_registry(api: ClientSession) -> None:
    async with api.get("/metrics") as reply:
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4"
        assert await reply.read() == b"jit_up 1\n"


async def test_what_was_accepted_is_answered_before_the_server_stops(house: House) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slack(_: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response(text="done")

    house.slack = slack
    runner = server.make_runner(make_app(house.parts()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(f"http://{host}:{port}") as api:
        asking = asyncio.create_task(_text(api))
        await begun.wait()
        stopping = asyncio.create_task(runner.cleanup())
        await asyncio.sleep(0.05)
        go_on.set()
        assert await asking == "done"
        await stopping


async def _text(api: ClientSession) -> str:
    async with api.post("/slack/events") as reply:
        return await reply.text()
