"""Real gateways in front of a small API, run with the files that docs/gateways ships."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

FILES = Path(__file__).parents[2] / "docs" / "gateways"
# Where the shipped files have jit, the API and themselves.
JIT, API, GATE = "127.0.0.1:3000", "127.0.0.1:8080", "8000"
X_JIT = ("Subject", "Client", "Actor", "Scope", "Grant", "Jti")


def program(name: str, *, package: str) -> str:
    """Return the path of a program; a test that needs it fails without it, and is never skipped."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, f"{name} is not installed; on Debian type: apt-get install {package}"
    return path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Api:
    """The API behind a gateway: it says what reached it.

    Attributes:
        calls: Of each call method and path, and the headers whose names could be X-JIT-*, in
            lower case.
    """

    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        heard = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower().replace("_", "-").startswith("x-jit")
        }
        self.calls.append((f"{request.method} {request.raw_path}", heard))
        if request.path.endswith("/forbidden"):
            return web.Response(status=403, text="the API itself says no")
        return web.json_response({"invoices": []})


@asynccontextmanager
async def an_api() -> AsyncIterator[Api]:
    api = Api()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.address = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


# What each says to whatever it is asked; None for nothing.
_FAULTS = {
    "silent": None,
    "hangs_up": b"",
    "no_http": b"hello\r\n",
    "status_500": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    "moved": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
}


@asynccontextmanager
async def a_fault(kind: str) -> AsyncIterator[str]:
    """Give the URL of something that is not jit."""
    if kind == "away":
        yield f"http://127.0.0.1:{free_port()}"
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            said = _FAULTS[kind]
            if said is None:
                await reader.read()
            else:
                writer.write(said)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@dataclass(frozen=True)
class Answer:
    status: int
    challenge: str | None
    body: str


@dataclass
class Gate:
    """A gateway that runs.

    Attributes:
        secret_places: Folders in which no token may ever stand.
    """

    url: str
    session: aiohttp.ClientSession
    api: Api
    folder: Path

    async def call(
        self, path: str, token: str | None = None, *, method: str = "GET", **headers: str
    ) -> Answer:
        """Return what the caller of `path` sees."""
        sent = {name.replace("__", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with self.session.request(
            method, self.url + path, headers=sent, allow_redirects=False
        ) as reply:
            challenge = reply.headers.get("WWW-Authenticate")
            return Answer(reply.status, challenge, await reply.text())

    async def raw(self, head: str) -> bytes:
        """Return all that the gateway says to the raw `head`, which it is to hang up after."""
        port = int(self.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.replace("\n", "\r\n").encode("latin-1") + b"Connection: close\r\n\r\n")
        said = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return said

    def kept_on_disk(self) -> bytes:
        """Return all that the gateway wrote into its folder."""
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


def fitted(name: str, *, jit: str, api: str, port: int, **more: str) -> str:
    """Return the shipped file `name` with this machine's addresses in it; nothing else changes."""
    text = (FILES / name).read_text("utf-8")
    changes = {JIT: jit.removeprefix("http://"), API: api, GATE: str(port), **more}
    for shipped, here in changes.items():
        assert shipped in text or shipped in more, f"{name} does not hold {shipped}"
        text = text.replace(shipped, here)
    return text


@asynccontextmanager
async def running(
    command: list[str], *, port: int, env: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """Run a gateway until the context is left; it must listen on `port` soon."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    assert process.stdout is not None
    told = asyncio.create_task(process.stdout.read())
    try:
        await _listens(process, port, told)
        yield
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)
        print((await told).decode(errors="replace"))  # noqa: T201  pytest keeps it for the report


async def _listens(process: Any, port: int, told: "asyncio.Task[bytes]") -> None:
    async with asyncio.timeout(20):
        while True:
            assert process.returncode is None, (await told).decode(errors="replace")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
