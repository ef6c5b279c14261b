"""What every answer has in common: errors as answers, safe headers, a count, a line in the log."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.http.answers import Reply, answer_to, safe
from bot.http.lane import Asked, LaneHandler
from bot.usecases.ports import Metrics

log = structlog.get_logger()

# From which status on an answer has a line in the log; where nothing else is said every one has.
# Machines ask about health every few seconds, and about tokens for every call to an API: a line for
# each would hide the others, and metrics count them. Of Slack's payloads the listeners write it.
_REFUSED, _FAULT = 400, 500
_TOLD_FROM: Final[Mapping[str, int]] = {
    "/healthz": _REFUSED,
    "/readyz": _REFUSED,
    "/metrics": _REFUSED,
    "/slack/events": _REFUSED,
    "/oauth/introspect": _REFUSED,
    "/forward-auth": _FAULT,  # to refuse a call is its work
    "/forward-auth/{original}": _FAULT,
}


class Edge:
    """Goes around every handler."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def middleware(self) -> Middleware:
        """Return it for the HTTP library."""

        @web.middleware
        async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
            began_s = _now_s()
            try:
                response = await handler(request)
            except Exception as problem:  # noqa: BLE001  nothing but an answer leaves the server
                response = answer_to(problem)
            response.headers.update(safe(response.headers))
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "none"
            self._told(route, response.status, began_s)
            return response

        return edge

    def lane(self, route: str, handler: Callable[[Asked], Awaitable[Reply]]) -> LaneHandler:
        """Return `handler`, of `route`, for the short way."""

        async def edge(asked: Asked) -> Reply:
            began_s = _now_s()
            try:
                reply = await handler(asked)
            except Exception as problem:  # noqa: BLE001  as above
                reply = Reply.of(answer_to(problem))
            self._told(route, reply.status, began_s)
            return reply

        return edge

    def _told(self, route: str, status: int, began_s: float) -> None:
        self._metrics.count("jit_http_requests_total", route=route, status=str(status))
        if status >= _TOLD_FROM.get(route, 0):
            took_ms = round((_now_s() - began_s) * 1000, 1)
            log.info("http.request", route=route, status=status, ms=took_ms)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
