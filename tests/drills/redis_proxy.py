"""A proxy in front of Redis that knows which commands are writes.

Each of the bot's connections waits for an answer before it sends its next command, or sends some in
one go; either way the proxy passes them on one by one.
"""

import asyncio
import hashlib
import json
import re
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files

from redis.asyncio import Redis

from tests.drills.trap import Killed, Trap

READS = {
    *("CLIENT", "EXISTS", "GET", "HELLO", "HGET", "HGETALL", "HVALS", "INFO", "LRANGE", "PING"),
    *(
        "MGET",
        "SELECT",
        "TIME",
        "XRANGE",
        "XREAD",
        "XREVRANGE",
        "ZCARD",
        "ZCOUNT",
        "ZRANGE",
        "ZRANGEBYSCORE",
        "ZREVRANGE",
    ),
}
_SCRIPTS = {
    hashlib.sha1(text.read_bytes()).hexdigest(): text.name.removesuffix(".lua")
    for text in (files("bot.store") / "lua").iterdir()
}
# Of the facts in a commit: what happened, to which request, and for what it was asked.
_FACT = re.compile(rb'"type":"([a-z_.]+)"')
_ID = re.compile(rb"R-[0-9A-Z]{12}")
_BUNDLE = re.compile(rb'"bundle":"([a-z-]+)"')


class RedisProxy:
    """Listens on a port of its own; an async context manager.

    Attributes:
        kept: (channel, ts) of each message that the bot has written a receipt of.
        unknown: Commands that are neither known reads nor known writes.
    """

    def __init__(self, socket: str, trap: Trap) -> None:
        self._socket = socket
        self._trap = trap
        self._redis = Redis(unix_socket_path=socket, socket_timeout=None)
        self._asked_for: dict[bytes, str] = {}
        self._serving: dict[asyncio.Task[None], StreamWriter] = {}
        self._server: asyncio.Server
        self.kept: set[tuple[str, str]] = set()
        self.unknown: set[str] = set()

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()
        return f"redis://{host}:{port}/0"

    async def __aenter__(self):
        for text in (files("bot.store") / "lua").iterdir():
            await self._redis.script_load(text.read_text())
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        serving = dict(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await _hang_up(*serving.values())
        await self._redis.aclose()

    def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving[task] = writer
        task.add_done_callback(self._serving.pop)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        server_reader, server = await asyncio.open_unix_connection(self._socket)
        try:
            with suppress(Killed, ConnectionError, asyncio.IncompleteReadError):
                await self._pass(reader, writer, server_reader, server)
        finally:
            await _hang_up(server, writer)

    async def _pass(
        self,
        reader: StreamReader,
        writer: StreamWriter,
        server_reader: StreamReader,
        server: StreamWriter,
    ) -> None:
        async def forward() -> bytes:
            server.write(raw)
            answer = await _read_answer(server_reader)
            if what.startswith("keep") and answer == b":1\r\n":
                receipt = json.loads(words[-1])
                self.kept.add((receipt["channel"], receipt["ts"]))
            return answer

        while True:
            raw, words = await _read_command(reader)
            what = await self._written_by(words)
            answer = await (self._trap.around(what, forward) if what else forward())
            writer.write(answer)

    async def _written_by(self, words: Sequence[bytes]) -> str:
        """Return what a command writes, in words; "" for a read, or a claim of nothing."""
        name = words[0].decode().upper()
        if name in READS:
            return ""
        if name == "SET":
            return f"set {words[1].decode().split(':')[-1 if b'meta' in words[1] else -2]}"
        if name not in ("EVALSHA", "EVAL"):
            self.unknown.add(name)
            return ""
        sha = words[1].decode() if name == "EVALSHA" else hashlib.sha1(words[1]).hexdigest()
        script, count = _SCRIPTS[sha], int(words[2])
        keys, args = words[3 : 3 + count], words[3 + count :]
        if script == "commit":
            return f"commit {self._committed(keys[3], args)}"
        if script == "use":
            return "use"  # counts, of many requests at once
        if script == "claim":
            return await self._claimed(keys[0], only=args[2])
        name = f" {args[3].decode()}" if script == "keep" else ""
        return f"{script} {self._job(args[0])}{name}"

    def _committed(self, subject: bytes, args: Sequence[bytes]) -> str:
        id_ = _ID.search(subject)[0]
        facts = [arg for arg in args if b'"type":"' in arg]
        for fact in facts:
            if b'"request.requested"' in fact:
                prolongs = b'"extends":"' in fact
                asked = _BUNDLE.search(fact)[1].decode()
                self._asked_for[id_] = f"more-{asked}" if prolongs else asked
        told = "+".join(_FACT.search(fact)[1].decode() for fact in facts)
        return f"{self._asked_for.get(id_, '?')} {told}"

    async def _claimed(self, queue: bytes, *, only: bytes) -> str:
        now_ms = time.time_ns() // 1_000_000  # Redis runs on this machine
        due = await self._redis.zrangebyscore(queue, "-inf", now_ms)
        kinds = sorted({job.partition(b":")[0].decode() for job in due if only in (b"", job)})
        return f"claim {'+'.join(kinds)}" if kinds else ""

    def _job(self, job: bytes) -> str:
        kind, _, id_ = job.partition(b":")
        return f"{kind.decode()} {self._asked_for.get(id_, '?')}"


async def _hang_up(*ends: StreamWriter) -> None:
    for end in ends:
        end.close()
    for end in ends:
        with suppress(ConnectionError):
            await end.wait_closed()


async def _read_command(reader: StreamReader) -> tuple[bytes, list[bytes]]:
    """Return a command's bytes, and its words (RESP 2, an array of bulk strings)."""
    raw = await reader.readuntil(b"\r\n")
    words = []
    for _ in range(int(raw[1:])):
        head = await reader.readuntil(b"\r\n")
        body = await reader.readexactly(int(head[1:]) + 2)
        raw += head + body
        words.append(body[:-2])
    return raw, words


async def _read_answer(reader: StreamReader) -> bytes:
    """Return the bytes of one answer."""
    raw = await reader.readuntil(b"\r\n")
    kind, size = raw[:1], raw[1:-2]
    if kind == b"$" and size != b"-1":
        raw += await reader.readexactly(int(size) + 2)
    if kind == b"*":
        for _ in range(max(int(size), 0)):
            raw += await _read_answer(reader)
    return raw
