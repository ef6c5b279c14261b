"""All on-call services as one."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from bot.core.errors import Unavailable
from bot.core.policy import Policy
from bot.core.sources import Provider, Rota
from bot.usecases.ports import OnCall

# What an operator sets to have a service asked.
SETTING: Final[Mapping[Provider, str]] = {
    Provider.PAGERDUTY: "JIT_PAGERDUTY_TOKEN",
    Provider.OPSGENIE: "JIT_OPSGENIE_TOKEN",
    Provider.URL: "JIT_ON_CALL_URL",
}


class Services:
    """The port OnCall on whichever service a rota is kept by.

    Args:
        known: Those that are configured.
    """

    def __init__(self, known: Mapping[Provider, OnCall]) -> None:
        self._known = known

    async def who(self, rota: Rota) -> frozenset[str]:
        """See `OnCall.who`."""
        if rota.provider not in self._known:
            raise Unavailable(f"{rota.provider} is not asked: {SETTING[rota.provider]} is not set")
        return await self._known[rota.provider].who(rota)


def unconfigured(policy: Policy, configured: Collection[Provider]) -> Iterator[str]:
    """Yield a sentence for each group of which nobody could ever tell who is on call."""
    for name, group in policy.groups.items():
        rota = group.on_call
        if rota is not None and rota.provider not in configured:
            what = SETTING[rota.provider]
            yield f"the group {name} needs to know who is on call ({rota.provider}): set {what}"
