"""What APIs follow that verify tokens by themselves: which of them ended before their time."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from aiohttp import web

from bot.http.answers import InvalidClient, InvalidRequest, answer
from bot.http.clients import Clients
from bot.usecases.revocations import WAIT_AT_MOST, Revocations

_SECONDS: Final = re.compile(r"\d{1,2}", re.ASCII)


class RevocationFeed:
    """GET /v1/revocations; see `HttpParts` for what it is made of."""

    def __init__(self, revocations: Revocations, *, clients: Clients) -> None:
        self._revocations = revocations
        self._clients = clients

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with what ended since `since`, at once or within `wait_s` seconds."""
        asked = _parameters(request)
        try:
            client = await self._clients.caller(request, {})
        except InvalidClient as problem:
            # Basic is the one way here, so it is always named.
            raise InvalidClient(str(problem), challenge=True) from problem
        wait = _wait(asked.get("wait_s", "0"))
        found = await self._revocations.since(asked.get("since", ""), caller=client, wait=wait)
        return answer(found)


def _parameters(request: web.Request) -> Mapping[str, str]:
    """Return the parameters in the query.

    Raises:
        InvalidRequest: One stands there twice.
    """
    asked = dict(request.query)
    if len(asked) != len(request.query):
        raise InvalidRequest("a parameter is repeated")
    return asked


def _wait(text: str) -> timedelta:
    seconds = int(text) if _SECONDS.fullmatch(text) else None
    if seconds is None or timedelta(seconds=seconds) > WAIT_AT_MOST:
        at_most = int(WAIT_AT_MOST.total_seconds())
        raise InvalidRequest(f"wait_s must be a whole number of seconds, {at_most} at most")
    return timedelta(seconds=seconds)
