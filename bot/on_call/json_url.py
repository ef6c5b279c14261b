"""Who is on call, as an address of the operator's own tells it.

It answers `{"on_call": ["dan@acme.example", "U0CLEO"]}`: e-mail addresses and Slack user ids.
"""

import re
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel

from bot.core.errors import Unavailable
from bot.core.sources import Rota
from bot.on_call.reading import read
from bot.outbound import Outbound
from bot.usecases.secret import Secret

SCHEDULE: Final = "{schedule}"
LEVEL: Final = "{level}"
_SERVICE: Final = "the on-call address"
_USER: Final = re.compile(r"[UW][A-Z0-9]{2,20}")


class _OnCalls(BaseModel):
    on_call: list[str]


class JsonUrl:
    """The port OnCall on a URL.

    Args:
        url: With "{schedule}" in it, and "{level}" where there is more than one.
        token: Sent as a bearer token; none when it is empty.
    """

    def __init__(self, outbound: Outbound, *, url: str, token: Secret) -> None:
        self._outbound = outbound
        self._url = url
        self._token = token

    async def who(self, rota: Rota) -> frozenset[str]:
        """See `OnCall.who`."""
        if rota.level > 1 and LEVEL not in self._url:
            raise Unavailable(f"{_SERVICE} has no {LEVEL}, so it cannot tell level {rota.level}")
        url = self._url.replace(SCHEDULE, quote(rota.schedule, safe=""))
        headers = {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        answer = await self._outbound.get_json(url.replace(LEVEL, str(rota.level)), headers=headers)
        told = read(_OnCalls, answer, service=_SERVICE, rota=rota).on_call
        if not all("@" in name or _USER.fullmatch(name) for name in told):
            raise Unavailable(f"{_SERVICE} names people neither by e-mail nor by Slack user id")
        return frozenset(told)
