"""A proxy in front of Slack: the Web API and the response URLs."""

import json

import aiohttp
from aiohttp import web

from tests.drills.trap import Killed, Trap


class SlackProxy:
    """Listens on a port of its own; an async context manager.

    Attributes:
        posted: (channel, ts) of each message.
    """

    def __init__(self, slack: str, trap: Trap) -> None:
        self._slack = slack
        self._trap = trap
        self._session: aiohttp.ClientSession
        self._runner: web.AppRunner
        self.posted: set[tuple[str, str]] = set()

    @property
    def url(self) -> str:
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def __aenter__(self):
        self._session = aiohttp.ClientSession()
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/{place}/{name}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()
        await self._session.close()

    async def _pass(self, request: web.Request) -> web.Response:
        body = await request.read()
        is_api = request.match_info["place"] == "api"
        method = request.match_info["name"] if is_api else "response_url"
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in ("Authorization", "Content-Type")
        }

        async def forward() -> web.Response:
            async with self._session.request(
                request.method, f"{self._slack}{request.path_qs}", data=body, headers=headers
            ) as answer:
                told = await answer.read()
            if method == "chat.postMessage" and (posted := json.loads(told)).get("ok"):
                self.posted.add((posted["channel"], posted["ts"]))
            kept = {k: v for k, v in answer.headers.items() if k in ("Content-Type", "Retry-After")}
            return web.Response(status=answer.status, body=told, headers=kept)

        try:
            return await self._trap.around(f"{method}{_place(method, body)}", forward)
        except Killed:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()


def _place(method: str, body: bytes) -> str:
    """Return what a message is, behind a space, as far as the call tells it."""
    if method not in ("chat.postMessage", "chat.update"):
        return ""
    told = json.loads(body)
    if told["channel"].startswith("D"):
        return " dm"
    return " line" if told.get("thread_ts") else " card"
