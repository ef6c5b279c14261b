"""Who is on call, as Opsgenie knows it.

Source: https://docs.opsgenie.com/docs/who-is-on-call-api, "Get On Calls". User names are e-mail
addresses there.
"""

import re
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, Field

from bot.core.sources import Rota
from bot.on_call.reading import addresses, read
from bot.outbound import Outbound
from bot.usecases.secret import Secret

_SERVICE: Final = "Opsgenie"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Data(BaseModel):
    recipients: list[str] = Field(alias="onCallRecipients")


class _OnCalls(BaseModel):
    data: _Data


class Opsgenie:
    """The port OnCall on Opsgenie.

    Args:
        url: Without a slash at its end; the service of the EU has another one.
        token: The key of an API integration that may only read.
    """

    def __init__(self, outbound: Outbound, *, url: str, token: Secret) -> None:
        self._outbound = outbound
        self._url = url
        self._token = token

    async def who(self, rota: Rota) -> frozenset[str]:
        """See `OnCall.who`; the schedule is given by its id or its name."""
        kind = "id" if _UUID.fullmatch(rota.schedule) else "name"
        query = urlencode({"flat": "true", "scheduleIdentifierType": kind})
        answer = await self._outbound.get_json(
            f"{self._url}/v2/schedules/{quote(rota.schedule, safe='')}/on-calls?{query}",
            headers={"Authorization": f"GenieKey {self._token.reveal()}"},
        )
        told = read(_OnCalls, answer, service=_SERVICE, rota=rota)
        return addresses(told.data.recipients, service=_SERVICE)
