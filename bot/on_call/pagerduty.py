"""Who is on call, as PagerDuty knows it.

Source: https://developer.pagerduty.com/api-reference, "List all of the on-calls". An on-call is
of an escalation policy, so a schedule has a level in each policy that it is part of.
"""

from typing import Final
from urllib.parse import urlencode

from pydantic import BaseModel

from bot.core.errors import Unavailable
from bot.core.sources import Rota
from bot.on_call.reading import addresses, read
from bot.outbound import Outbound
from bot.usecases.secret import Secret

_MOST: Final = 100  # the largest page
_SERVICE: Final = "PagerDuty"


class _User(BaseModel):
    email: str = ""


class _OnCall(BaseModel):
    escalation_level: int
    user: _User


class _OnCalls(BaseModel):
    oncalls: list[_OnCall]
    more: bool = False


class PagerDuty:
    """The port OnCall on PagerDuty.

    Args:
        url: Without a slash at its end; the service of the EU has another one.
        token: An API access key that may only read.
    """

    def __init__(self, outbound: Outbound, *, url: str, token: Secret) -> None:
        self._outbound = outbound
        self._url = url
        self._token = token

    async def who(self, rota: Rota) -> frozenset[str]:
        """See `OnCall.who`."""
        by = "escalation_policy_ids[]" if rota.escalation_policy else "schedule_ids[]"
        query = urlencode({by: rota.named, "include[]": "users", "limit": _MOST})
        answer = await self._outbound.get_json(
            f"{self._url}/oncalls?{query}",
            headers={
                "Authorization": f"Token token={self._token.reveal()}",
                "Accept": "application/vnd.pagerduty+json;version=2",
            },
        )
        told = read(_OnCalls, answer, service=_SERVICE, rota=rota)
        if told.more:
            raise Unavailable(f"{_SERVICE} names more than {_MOST} people for {rota.named}")
        emails = [each.user.email for each in told.oncalls if each.escalation_level == rota.level]
        return addresses(emails, service=_SERVICE)
