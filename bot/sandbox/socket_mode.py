"""Socket Mode: web sockets that the app opens, envelopes down, acknowledgements up.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode.
"""

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from bot.sandbox.forms import Json
from bot.sandbox.workspace import APP_ID

CONNECTIONS: Final = 10
GOODBYE_S: Final = 1.0


class Sockets:
    """The connections that the app has open; an envelope goes to one of them, in turn."""

    def __init__(self, on_violation: Callable[[str], None]) -> None:
        self._tickets: set[str] = set()
        self._open: deque[web.WebSocketResponse] = deque()
        self._waiting: dict[str, deque[asyncio.Future[Any]]] = {}
        self._late: set[str] = set()
        self._on_violation = on_violation

    def __len__(self) -> int:
        return len(self._open)

    def ticket(self) -> str:
        """Return what opens one connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPNotFound(text="the ticket was used, or never given")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(timeout=GOODBYE_S)
        await socket.prepare(request)
        if len(self._open) >= CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self._open.append(socket)
        try:
            await socket.send_json(self._hello())
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(json.loads(message.data))
        finally:
            if socket in self._open:
                self._open.remove(socket)
        return socket

    async def send(self, envelope: Json, *, timeout_s: float) -> Any:
        """Return the payload of the acknowledgement, None if it had none.

        Raises:
            TimeoutError: There was none in time.
            ConnectionError: No connection is open.
        """
        if not self._open:
            raise ConnectionError
        ident = envelope["envelope_id"]
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(ident, deque())
        waiting.append(answer)
        self._open.rotate(-1)
        await self._open[-1].send_json(envelope)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        finally:
            if answer in waiting:
                waiting.remove(answer)
                self._late.add(ident)

    async def disconnect(self, reason: str) -> None:
        """Ask the app to connect anew, everywhere; it closes the old connections itself."""
        asked, self._open = self._open, deque()
        for socket in asked:
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})

    async def close(self) -> None:
        """Close every connection."""
        for socket in list(self._open):
            with contextlib.suppress(ConnectionError):
                await socket.close(code=WSCloseCode.GOING_AWAY)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "debug_info": {"host": "applink-sandbox", "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP_ID},
        }

    def _acknowledged(self, told: Json) -> None:
        ident = told.get("envelope_id", "")
        waiting = self._waiting.get(ident)
        if waiting:
            waiting.popleft().set_result(told.get("payload"))
        elif ident not in self._late:
            self._on_violation(f"an acknowledgement of an unknown envelope {ident!r}")
