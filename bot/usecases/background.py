"""What an approver should know before deciding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.core.errors import NotAllowed
from bot.core.identity import Actor, RequestId
from bot.core.policy import Policy
from bot.core.request import Request
from bot.core.usage import Usage
from bot.usecases.gate import Gate
from bot.usecases.ports import Found, Listings
from bot.usecases.requests import Requests
from bot.usecases.usage import Usages

# So many of the requester's last requests are looked through, and so many of them told.
LOOKED_AT: Final = 50
TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is behind a request.

    Attributes:
        groups: Names of the groups for which whoever looks has a say in it, sorted.
        people: Slack user ids of everybody whose yes is waited for; () where not all is known.
        found: Who is on call, and who the manager is, in the groups that are waited for.
        earlier: What the requester had of this bundle before, newest first.
        used: What each of them was used for.
    """

    request: Request
    groups: tuple[str, ...]
    people: tuple[str, ...]
    earlier: Sequence[Request]
    used: Sequence[Usage]
    found: Found = field(default_factory=dict)


class Backgrounds:
    """Looks up what is behind a request.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(
        self,
        requests: Requests,
        gate: Gate,
        *,
        listings: Listings,
        usages: Usages,
        policy: Callable[[], Policy],
    ) -> None:
        self._requests = requests
        self._gate = gate
        self._listings = listings
        self._usages = usages
        self._policy = policy

    async def of(self, id_: RequestId, *, by: Actor) -> Background:
        """Return what is behind a request that `by` has a say in.

        Raises:
            NotFound: There is none that `by` may see.
            NotAllowed: It is their own, or `by` may not use the bot.
            Unavailable: Slack or the store did not answer.
        """
        request, policy = await self._requests.find(id_, by=by), self._policy()
        if request.requester == by:
            raise NotAllowed("this is for whoever decides", hint="see /jit status for your request")
        groups = await self._gate.groups_acting(by, request, policy)
        earlier = await self._earlier(request)
        return Background(
            request=request,
            groups=tuple(sorted(groups)),
            people=await self._gate.who_can_act(request, policy),
            earlier=earlier,
            used=await self._usages.of(earlier),
            found=await self._gate.found(request),
        )

    async def _earlier(self, request: Request) -> Sequence[Request]:
        found = await self._listings.of_person(request.requester, limit=LOOKED_AT)
        same = [
            each
            for each in found
            if each.asked.bundle == request.asked.bundle
            and each.grant is not None
            and each.grant.tokens
            and each.id != request.id
        ]
        return same[:TOLD]
