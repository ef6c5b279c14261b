"""A short way for what is asked about every call to an API.

Introspection and forward-auth are asked thousands of times a second, by few connections that ask
nothing else. For these the HTTP library's own way costs several times what the answer does. So a
connection begins here, and stays for as long as each of its requests is a plain one: whole, one at
a time, in the one form that has a single reading (see `plain_request`), for one of the routes
given. With the first that is not, the connection is the library's for good, that request included;
nothing was answered or taken off before.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeAlias

import structlog
from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDict

from bot.http.answers import Reply, safe

log = structlog.get_logger()

# How long the rest of a body may take before the library waits for it; many clients send head and
# body apart.
GATHER_S: Final = 0.25
# A token has about a kilobyte; what is longer goes the library's way.
LONGEST: Final = 16 * 1024

_START: Final = re.compile(r"(GET|POST) (/[!\"$-~]*) HTTP/1\.1")
# RFC 9110, section 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH: Final = re.compile(r"[1-9][0-9]{0,5}")
# What changes how the rest is read, or what is to be done with the connection.
_NOT_PLAIN: Final = frozenset(
    {
        *("content-encoding", "expect", "http2-settings", "keep-alive", "te"),
        *("trailer", "transfer-encoding", "upgrade", "proxy-connection"),
    }
)
_KEPT: Final = "keep-alive"
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class Asked(NamedTuple):
    """A plain request; a tuple, since making a frozen dataclass takes as long as reading the head.

    Attributes:
        remote: The peer's address.
    """

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes
    remote: str | None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class Incomplete(Exception):
    """The request is plain so far; its body is still on the way."""


def plain_request(data: bytes, *, remote: str | None) -> Asked | None:
    """Return the one request that `data` is, None if it is not a plain one or not only one.

    Raises:
        Incomplete: Some of its body is missing.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 or not data.isascii():
        return None
    start, *lines = data[:end].decode("ascii").split("\r\n")
    found = _START.fullmatch(start)
    headers = _headers(lines)
    if found is None or headers is None:
        return None
    length = headers.get(hdrs.CONTENT_LENGTH, "")
    if bool(length) is not (found[1] == "POST") or (length and not _LENGTH.fullmatch(length)):
        return None
    missing = int(length or 0) - (len(data) - end - 4)
    if missing < 0 or len(data) + missing > LONGEST:
        return None
    if missing:
        raise Incomplete
    body = data[end + 4 :]
    return Asked(method=found[1], target=found[2], headers=headers, body=body, remote=remote)


def _headers(lines: Sequence[str]) -> CIMultiDict[str] | None:
    """Return the headers in `lines`, None if they are not plain: each once, each with a value."""
    pairs, names = [], set()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.strip(" ")
        # No line of them holds a control character, so none can be read as two.
        if not value or not line.isprintable() or (known := _name(name)) is None:
            return None
        pairs.append((name, value))
        names.add(known)
    headers = CIMultiDict(pairs)
    is_plain = len(names) == len(pairs) and _NOT_PLAIN.isdisjoint(names) and "host" in names
    return headers if is_plain and headers.get(hdrs.CONNECTION, _KEPT).lower() == _KEPT else None


@lru_cache(maxsize=256)
def _name(text: str) -> str | None:
    """Return the name of a header in lower case, None if it is none."""
    return text.lower() if _TOKEN.fullmatch(text) is not None else None


# A route's handler; what it raises must be turned into a reply by itself.
LaneHandler: TypeAlias = Callable[[Asked], Awaitable[Reply]]
Routes: TypeAlias = Mapping[tuple[str, str], LaneHandler]


class Lane(asyncio.Protocol):
    """One connection.

    Args:
        lanes: All that are open; it is in there while it is.
        library: Makes what goes on with the connection where this does not.
        idle_s: How long a connection without a request is kept.
    """

    def __init__(
        self,
        lanes: "set[Lane]",
        routes: Routes,
        *,
        library: Callable[[], asyncio.Protocol],
        idle_s: float,
    ) -> None:
        self._lanes = lanes
        self._routes = routes
        self._library = library
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._task: asyncio.Task[None] | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._closing = False
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        peer = transport.get_extra_info("peername")
        self._remote = str(peer[0]) if isinstance(peer, tuple) else None
        self._last = self._loop.time()
        self._idle = self._loop.call_later(self._idle_s, self._look)
        self._lanes.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """End."""
        self._leave()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Ask nothing more of who does not read the answers."""
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Take what was sent."""
        self._data += data
        if self._task is None:
            self._read()
        elif len(self._data) > LONGEST:  # it is not our turn to hold it
            self._transport.pause_reading()

    def close(self) -> None:
        """Take no more requests; what was accepted is answered first."""
        self._closing = True
        if self._task is None:
            self._transport.close()

    async def closed(self) -> None:
        """Return when what was accepted is answered."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def abort(self) -> None:
        """Hang up."""
        self._transport.abort()

    def _read(self) -> None:
        self._stop_gathering()
        try:
            asked = plain_request(self._data, remote=self._remote)
        except Incomplete:
            self._gathering = self._loop.call_later(GATHER_S, self._hand_over)
            return
        handler = self._routes.get((asked.method, asked.path)) if asked is not None else None
        if asked is None or handler is None:
            self._hand_over()
            return
        self._data = b""
        self._task = self._loop.create_task(self._answer(handler, asked))

    async def _answer(self, handler: LaneHandler, asked: Asked) -> None:
        try:
            written = written_out(await handler(asked), close=self._closing)
        except Exception:  # what a caller sees of it is that the connection ends
            log.exception("http.failed")
            self._transport.abort()
            return
        self._task, self._last = None, self._loop.time()
        self._transport.write(written)
        if self._closing:
            self._transport.close()
        elif self._data:
            self._go_on()

    def _go_on(self) -> None:
        """Read on, unless it is not the time."""
        if self._task is None and not self._paused and not self._closing:
            self._transport.resume_reading()
            if self._data:
                self._read()

    def _hand_over(self) -> None:
        self._leave()
        protocol, data, self._data = self._library(), self._data, b""
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(data)

    def _leave(self) -> None:
        self._lanes.discard(self)
        self._idle.cancel()
        self._stop_gathering()

    def _stop_gathering(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None

    def _look(self) -> None:
        """Hang up if nothing was asked for long."""
        left_s = self._last + self._idle_s - self._loop.time()
        if self._task is None and left_s <= 0:
            self._transport.close()
        else:
            self._idle = self._loop.call_later(max(left_s, 1.0), self._look)


def written_out(reply: Reply, *, close: bool) -> bytes:
    """Return `reply` as it is sent.

    Raises:
        ValueError: A header in it is no header.
    """
    head = _head(reply.status, tuple(reply.headers.items()))
    date, end = rfc822_formatted_time().encode(), b"\r\nConnection: close" if close else b""
    length, body = len(reply.body), reply.body
    return b"%bContent-Length: %d\r\nDate: %b%b\r\n\r\n%b" % (head, length, date, end, body)


@lru_cache(maxsize=1024)
def _head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return the lines of a head that are the same each time, safe headers among them."""
    told = {**dict(headers), **safe(dict(headers))}
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", *(f"{n}: {v}" for n, v in told.items()), ""]
    head = "\r\n".join(lines).encode("ascii")
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
        raise ValueError("a header holds the end of a line")
    return head


class LaneServer(web.Server):
    """Makes the protocol of each connection: a lane, behind which is the library.

    Args:
        library: The library's own server.
    """

    def __init__(self, library: web.Server, routes: Routes, *, idle_s: float) -> None:
        super().__init__(library.request_handler)
        self._behind = library
        self._routes = routes
        self._idle_s = idle_s
        self._lanes: set[Lane] = set()

    def __call__(self) -> Any:
        """Return the protocol of a new connection."""
        return Lane(self._lanes, self._routes, library=self._behind, idle_s=self._idle_s)

    def pre_shutdown(self) -> None:
        """Take no more requests."""
        for lane in list(self._lanes):
            lane.close()
        self._behind.pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  the library's
        """Return when what was accepted is answered, or hang up after `timeout` seconds."""
        answered = [asyncio.create_task(lane.closed()) for lane in self._lanes]
        if answered:
            await asyncio.wait(answered, timeout=timeout)
        for lane in list(self._lanes):
            lane.abort()
        await self._behind.shutdown(timeout)
