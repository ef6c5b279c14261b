"""The short way: taken for plain requests alone, and with the very answers of the other one."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.errors import Unavailable
from bot.http import forms, lane, server
from bot.http.answers import Reply
from bot.http.lane import Incomplete, plain_request, written_out
from bot.http.server import make_app, make_runner
from tests.http.house import House, basic

FORM = "application/x-www-form-urlencoded"
OWNER = basic("billing-api")["Authorization"]
SLOW = "TE: trailers"  # what makes a request one for the library


def introspection(token: str, *extra: str, owner: str = OWNER, body: str | None = None) -> bytes:
    body = f"token={token}" if body is None else body
    head = ["POST /oauth/introspect HTTP/1.1", "Host: x", f"Authorization: {owner}"]
    head += [f"Content-Type: {FORM}", f"Content-Length: {len(body)}", *extra]
    return "\r\n".join([*head, "", body]).encode()


def forward_auth(token: str, *extra: str, query: str = "scope=invoices:read") -> bytes:
    head = [f"GET /forward-auth?{query} HTTP/1.1", "Host: x"]
    head += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*head, *extra, "", ""]).encode()


class Caller:
    """One connection, and how many the library has."""

    def __init__(self, runner: web.AppRunner, reader: Any, writer: Any) -> None:
        self.runner, self.reader, self.writer = runner, reader, writer

    @property
    def is_librarys(self) -> bool:
        return bool(self.runner.server._behind.connections)

    def sends(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
        start, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
        headers = dict(line.split(": ", 1) if ": " in line else (line[:-1], "") for line in lines)
        body = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return int(start.split(" ")[1]), headers, body

    async def asks(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        self.sends(data)
        return await self.hears()


@asynccontextmanager
async def calling(house: House) -> AsyncIterator[Caller]:
    runner = make_runner(make_app(house.parts()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    yield Caller(runner, reader, writer)
    writer.close()
    await runner.cleanup()


async def test_plain_requests_never_reach_the_library(each_house: House) -> None:
    token = await each_house.grant()
    async with calling(each_house) as caller:
        for _ in range(3):
            status, _, body = await caller.asks(introspection(token))
            assert (status, body[:14]) == (200, b'{"active":true')
            status, headers, body = await caller.asks(forward_auth(token))
            assert (status, headers["X-JIT-Grant"], body) == (200, "G-AAAAAAAAAAAA", b"")
        assert not caller.is_librarys


async def test_both_ways_give_the_same_answers(house: House) -> None:
    token, other = await house.grant(), "x" * 900
    asked = [
        ("i", introspection, (token,), {}),
        ("i", introspection, ("x",), {}),
        ("i", introspection, (token,), {"owner": basic("deploy-api")["Authorization"]}),
        ("i", introspection, (token,), {"owner": "Basic x"}),
        ("i", introspection, (token,), {"owner": basic("billing-api", "no")["Authorization"]}),
        ("i", introspection, ("",), {"body": "token=a&token=b"}),
        ("i", introspection, ("",), {"body": "x=1"}),
        ("i", introspection, ("",), {"body": "token=%FF"}),
        ("i", introspection, ("",), {"body": f"token={token}&required_scope=a:b"}),
        ("i", introspection, ("",), {"body": f"token={token}&required_scope=a++b"}),
        ("f", forward_auth, (token,), {}),
        ("f", forward_auth, (other,), {}),
        ("f", forward_auth, ("",), {}),
        ("f", forward_auth, (token,), {"query": "scope=invoices:write"}),
        ("f", forward_auth, (token,), {"query": "scope=a&scope=b"}),
        ("f", forward_auth, (token,), {"query": ""}),
    ]
    async with calling(house) as quick, calling(house) as slow:
        for name, make, words, more in asked:
            one = await quick.asks(make(*words, **more))
            two = await slow.asks(make(*words, SLOW, **more))
            for each in (one, two):
                each[1].pop("Date")
            assert one[0] == two[0], (name, words, more)
            drop = {"Content-Type"} if not two[2] else set()  # the library's own, of nothing
            assert {k: v for k, v in one[1].items() if k not in drop} == {
                k: v for k, v in two[1].items() if k not in drop
            }
            assert one[2] == two[2]
        assert not quick.is_librarys
        assert slow.is_librarys
    assert (
        house.metrics.value("jit_http_requests_total", route="/oauth/introspect", status="200")
        == 2 * len([each for each in asked if each[0] == "i"][:3]) + 2
    )


async def test_faults_are_the_same_on_both_ways(house: House) -> None:
    token = await house.grant()

    async def away(_: Any) -> Any:
        raise Unavailable("the store did not answer")

    async def broken(_: Any) -> Any:
        raise ZeroDivisionError("hush-hush")

    for find, status in ((away, 503), (broken, 500)):
        house.tokens.find = find
        async with calling(house) as caller:
            for extra in ((), (SLOW,)):
                told, headers, body = await caller.asks(introspection(token, *extra))
                assert (told, b"hush" in body) == (status, False)
                assert ("Retry-After" in headers) is (status == 503)
                assert (await caller.asks(forward_auth(token, *extra)))[0] == 503


async def test_with_the_first_that_is_not_plain_a_connection_is_the_librarys(house: House) -> None:
    token = await house.grant()
    async with calling(house) as caller:
        assert (await caller.asks(introspection(token)))[0] == 200
        assert not caller.is_librarys
        status, _, body = await caller.asks(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (status, body) == (200, b'{"status":"alive"}')
        assert caller.is_librarys
        assert (await caller.asks(introspection(token)))[0] == 200
        assert (await caller.asks(b"nonsense\r\n\r\n"))[0] == 400


async def test_requests_that_come_at_once_are_answered_in_order(house: House) -> None:
    tokens = [await house.grant(), "x"]
    wanted = [b'{"active":true', b'{"active":fals']
    async with calling(house) as caller:
        caller.sends(b"".join(map(introspection, tokens * 3)))
        heard = [(await caller.hears())[2][:14] for _ in range(6)]
        assert heard == wanted * 3


async def test_what_comes_before_the_answer_waits_for_it(house: House) -> None:
    token, find, go_on = await house.grant(), house.tokens.find, asyncio.Event()

    async def later(hash_: Any) -> Any:
        await go_on.wait()
        return await find(hash_)

    house.tokens.find = later
    async with calling(house) as caller:
        caller.sends(introspection(token))
        await asyncio.sleep(0.02)
        caller.sends(forward_auth(token))
        caller.sends(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + introspection("x"))
        await asyncio.sleep(0.02)
        go_on.set()
        heard = [await caller.hears() for _ in range(4)]
    assert [body[:12] for _, _, body in heard] == [
        b'{"active":tr',
        b"",
        b'{"status":"a',
        b'{"active":fa',
    ]


@pytest.mark.parametrize(("number", "padding"), [(400, 1), (2, lane.LONGEST)])
async def test_much_that_comes_before_the_answer_is_answered_too(
    house: House, number: int, padding: int
) -> None:
    token, find, go_on = await house.grant(), house.tokens.find, asyncio.Event()

    async def later(hash_: Any) -> Any:
        await go_on.wait()
        return await find(hash_)

    house.tokens.find = later
    async with calling(house) as caller:
        caller.sends(introspection(token))
        await asyncio.sleep(0.02)
        for _ in range(number):
            caller.sends(forward_auth(token, f"X-A: {'a' * padding}"))
        await asyncio.sleep(0.05)
        go_on.set()
        heard = [(await caller.hears())[0] for _ in range(number + 1)]
        assert heard == [200] * (number + 1)
        assert (await caller.asks(introspection(token)))[0] == 200


async def test_head_and_body_may_come_apart(house: House) -> None:
    token = await house.grant()
    async with calling(house) as caller:
        for _ in range(3):
            head, end, body = introspection(token).partition(b"\r\n\r\n")
            caller.sends(head + end)
            await asyncio.sleep(0.01)
            caller.sends(body[:100])
            await asyncio.sleep(0.01)
            caller.sends(body[100:])
            assert (await caller.hears())[2].startswith(b'{"active":true')
        assert not caller.is_librarys


async def test_a_body_that_does_not_come_is_the_librarys_to_wait_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "GATHER_S", 0.02)
    token = await house.grant()
    head, end, body = introspection(token).partition(b"\r\n\r\n")
    async with calling(house) as caller:
        caller.sends(head + end)
        await asyncio.sleep(0.2)
        assert caller.is_librarys
        caller.sends(body)
        assert (await caller.hears())[2].startswith(b'{"active":true')
    monkeypatch.setattr(forms, "BODY_WITHIN_S", 0.05)
    async with calling(house) as caller:
        assert (await caller.asks(head + end))[0] == 408


async def test_a_connection_without_requests_is_not_kept_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.1)
    async with calling(house) as caller:
        assert await asyncio.wait_for(caller.reader.read(), 20) == b""
    async with calling(house) as caller:
        assert (await caller.asks(introspection("x")))[0] == 200
        assert await asyncio.wait_for(caller.reader.read(), 20) == b""


async def test_what_was_accepted_is_answered_before_it_stops(house: House) -> None:
    token, find, go_on = await house.grant(), house.tokens.find, asyncio.Event()

    async def later(hash_: Any) -> Any:
        await go_on.wait()
        return await find(hash_)

    house.tokens.find = later
    async with calling(house) as caller:
        caller.sends(introspection(token))
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(caller.runner.cleanup())
        await asyncio.sleep(0.05)
        go_on.set()
        status, headers, body = await caller.hears()
        assert (status, headers["Connection"]) == (200, "close")
        assert body.startswith(b'{"active":true')
        assert await caller.reader.read() == b""
        await stopping


async def test_who_leaves_before_the_answer_harms_nobody(house: House) -> None:
    token, find, go_on = await house.grant(), house.tokens.find, asyncio.Event()

    async def later(hash_: Any) -> Any:
        await go_on.wait()
        return await find(hash_)

    house.tokens.find = later
    async with calling(house) as gone, calling(house) as stays:
        for each in (gone, stays):
            each.sends(introspection(token))
        await asyncio.sleep(0.05)
        gone.writer.transport.abort()
        await asyncio.sleep(0.05)
        go_on.set()
        assert (await stays.hears())[0] == 200


async def test_gateways_are_believed_on_the_short_way_too(house: House) -> None:
    token = await house.grant()
    for gateways, found in (((), ""), (("127.0.0.1",), "203.0.113.9")):
        house.gateways = gateways
        house.log.uses.clear()
        async with calling(house) as caller:
            assert (await caller.asks(forward_auth(token, "X-Forwarded-For: 203.0.113.9")))[
                0
            ] == 200
        assert [use.address for use in house.log.uses] == [found]


PLAIN = introspection("x")
NOT_PLAIN = {
    "nothing": b"",
    "no end": PLAIN.replace(b"\r\n\r\n", b"\r\n"),
    "another method": PLAIN.replace(b"POST", b"PUT"),
    "a method in small letters": PLAIN.replace(b"POST", b"post"),
    "HTTP 1.0": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a line before": b"\r\n" + PLAIN,
    "bare line feeds": PLAIN.replace(b"\r\n", b"\n"),
    "two spaces": PLAIN.replace(b"POST ", b"POST  "),
    "a fragment": PLAIN.replace(b"/oauth/introspect", b"/oauth/introspect#x"),
    "the absolute form": PLAIN.replace(b"/oauth", b"http://x/oauth"),
    "no host": PLAIN.replace(b"Host: x\r\n", b""),
    "two hosts": introspection("x", "Host: y"),
    "two lengths": introspection("x", "content-length: 7"),
    "two credentials": introspection("x", "authorization: Basic x"),
    "a packed body": introspection("x", "Content-Encoding: gzip"),
    "chunks": introspection("x", "Transfer-Encoding: chunked"),
    "an expectation": introspection("x", "Expect: 100-continue"),
    "an upgrade": introspection("x", "Upgrade: websocket"),
    "the last request": introspection("x", "Connection: close"),
    "an old header": introspection("x", "Connection: keep-alive, upgrade"),
    "a folded header": introspection("x", "X-A: b\r\n c"),
    "a space before the colon": introspection("x", "X-A : b"),
    "no colon": introspection("x", "X-A"),
    "no value": introspection("x", "X-A:"),
    "a tab": introspection("x", "X-A: b\tc"),
    "a bell": introspection("x", "X-A: \x07"),
    "a null": introspection("x", "X-A: b\x00c"),
    "a return": introspection("x", "X-A: b\rc"),
    "a line feed": introspection("x", "X-A: b\nContent-Length: 3"),
    "letters that are not ASCII": introspection("x").replace(b"Host: x", b"Host: \xc3\xbc"),
    "a body that is not ASCII": PLAIN.replace(b"token=x", b"token=\xff"),
    "more than its body": PLAIN + b"x",
    "two requests": PLAIN * 2,
    "a signed length": PLAIN.replace(b"Content-Length: 7", b"Content-Length: +7"),
    "a long length": PLAIN.replace(b"Content-Length: 7", b"Content-Length: 0000007"),
    "a huge length": PLAIN.replace(b"Content-Length: 7", b"Content-Length: 99999999"),
    "no length": PLAIN.replace(b"Content-Length: 7\r\n", b""),
    "a GET with a body": forward_auth("x", "Content-Length: 1") + b"x",
    "a long one": introspection("x" * lane.LONGEST),
}


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_what_could_be_read_in_two_ways_is_not_plain(data: bytes) -> None:
    assert plain_request(data, remote=None) is None


def test_a_plain_request_is_read_whole() -> None:
    asked = plain_request(introspection("x", "Connection: Keep-Alive", "X-A:  b c "), remote="y")
    assert asked is not None
    assert (asked.method, asked.path, asked.body) == ("POST", "/oauth/introspect", b"token=x")
    assert asked.headers["x-a"] == "b c"
    assert asked.remote == "y"
    for cut in range(1, 7):
        with pytest.raises(Incomplete):
            plain_request(PLAIN[:-cut], remote=None)


NAMES = st.sampled_from(["Host", "X-A", "x-a", "Content-Length", "Accept", "TE", "a b", "X\t", ""])
VALUES = st.one_of(
    st.sampled_from(["x", "7", " 7 ", "07", "", "a,b", "a\tb", "close", "\x7f", "\x0b", "ü"]),
    st.text(alphabet=st.characters(codec="latin-1"), max_size=6),
)
HEADS = st.lists(st.tuples(NAMES, VALUES), max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    HEADS,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.binary(max_size=8),
)
async def test_whatever_is_plain_the_library_reads_alike(
    headers: list[tuple[str, str]], method: str, end: str, body: bytes
) -> None:
    lines = [f"{method} /a?b=c HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines = lines[: 3 if body else 2] + [f"{name}: {value}" for name, value in headers]
    data = (end.join([*lines, "", ""])).encode("latin-1") + body
    try:
        asked = plain_request(data, remote=None)
    except Incomplete:
        return
    if asked is None:
        return
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
    [(message, payload)], upgraded, tail = parser.feed_data(data)
    assert (message.method, message.path, upgraded, tail) == (method, asked.target, False, b"")
    assert not message.should_close
    assert list(message.headers.items()) == list(asked.headers.items())
    assert (await payload.read() if body else b"") == asked.body


def test_an_answer_with_a_broken_header_is_never_sent() -> None:
    for value in ("a\r\nSet-Cookie: b", "a\nb", "a\rb", "ü"):
        with pytest.raises(ValueError):  # noqa: PT011  the codec's own is one
            written_out(Reply(headers={"X-A": value}), close=False)
    said = written_out(Reply(status=401, headers={"X-A": "b"}, body=b"c"), close=True)
    assert said.startswith(b"HTTP/1.1 401 Unauthorized\r\nX-A: b\r\nServer: jit\r\n")
    assert said.endswith(b"\r\nConnection: close\r\n\r\nc")


async def test_an_answer_that_cannot_be_sent_ends_the_connection(
    house: House, written: io.StringIO
) -> None:
    token = await house.grant()
    find = house.tokens.find

    async def odd(hash_: Any) -> Any:
        record = await find(hash_)
        record.answer["sub"] = "anna\r\nX-JIT-Scope: all"
        return record

    house.tokens.find = odd
    async with calling(house) as caller:
        caller.sends(forward_auth(token))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await caller.hears()
    assert "http.failed" in written.getvalue()
