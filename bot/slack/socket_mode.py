"""Payloads over Socket Mode; leaving answers what has come in."""

import asyncio
from typing import Any, Final

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from bot.usecases.secret import Secret
from bot.usecases.tasks import Tasks

log = structlog.get_logger()

# Slack waits no longer for an acknowledgement
# (https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response).
ANSWERED_WITHIN_S: Final = 3.0


class Socket(AsyncSocketModeHandler):
    """The connections that Slack sends payloads over.

    The library's own `close_async` hangs up on payloads that are being answered: what people did
    would be recorded, and they would read that it failed.
    """

    def __init__(self, bolt: AsyncApp, token: Secret) -> None:
        super().__init__(bolt, token.reveal())
        self._answering = Tasks()

    async def connect(self) -> None:
        """Return when payloads can come in."""
        await self.connect_async()  # type: ignore[no-untyped-call]  # theirs

    async def handle(self, client: Any, req: Any) -> None:
        """Begin to answer a payload; called by the library."""
        self._answering.spawn(self._answer(client, req))

    async def _answer(self, client: Any, payload: Any) -> None:
        try:
            await super().handle(client, payload)
        except ConnectionError:
            log.warning("socket.answer_lost", kind=payload.type)

    async def leave(self) -> None:
        """Read nothing more, answer what was read, and hang up."""
        if self.client.message_receiver is not None:
            self.client.message_receiver.cancel()
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                while not self.client.message_queue.empty():  # noqa: ASYNC110  # their queue
                    await asyncio.sleep(0)
                await asyncio.sleep(0)  # the last one has left the queue, and begins now
                await self._answering.drained()
        except TimeoutError:
            log.warning("socket.left_unanswered", payloads=len(self._answering))
        await self.close_async()  # type: ignore[no-untyped-call]  # theirs
