"""A small service over real HTTP that a tracker is asked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

LOCAL = frozenset({"127.0.0.1"})


class Service:
    """Answers with what stands under the raw path, query included or not.

    Attributes:
        answers: A body or a status by path.
        asked: Every request.
        away: Whether it fails.
    """

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[web.Request] = []
        self.away = False
        self.url = ""

    def paths(self) -> list[str]:
        return [request.raw_path for request in self.asked]

    def go_away(self) -> None:
        self.away = True

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        path = request.raw_path.partition("?")[0]
        found = self.answers.get(request.raw_path, self.answers.get(path, 404))
        if self.away:
            return web.Response(status=503)
        if isinstance(found, int):
            return web.Response(status=found, text="<html>")
        return web.json_response(found)


@asynccontextmanager
async def a_service(answers: dict[str, Any]) -> AsyncIterator[Service]:
    service = Service(answers)
    app = web.Application()
    app.router.add_get("/{path:.*}", service.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    service.url = f"http://127.0.0.1:{server.port}"
    yield service
    await server.close()
