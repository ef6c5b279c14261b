"""Live grants that today's policy forbids: found, and ended where somebody says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.core.decision import Reject, decided_again
from bot.core.emergency import judged_by
from bot.core.errors import NotAllowed, Unavailable
from bot.core.identity import BOT, fingerprint
from bot.core.moves import Revoke
from bot.core.policy import Policy
from bot.core.request import Request
from bot.core.texts import LONGEST_REASON
from bot.usecases.desk import Desk
from bot.usecases.facts import FactFinder
from bot.usecases.gate import Gate
from bot.usecases.ports import CommitId, Listings
from bot.usecases.wishes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A live grant under today's policy.

    Attributes:
        forbidden: Why it would not be granted; "" if it would.
        unknown: Why that could not be found out; "" if it could.
    """

    request: Request
    forbidden: str = ""
    unknown: str = ""


class Forbidden:
    """Decides again about what is live.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        facts: FactFinder,
        *,
        listings: Listings,
        policy: Callable[[], Policy],
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._facts = facts
        self._listings = listings
        self._policy = policy

    async def judge(self) -> Sequence[Judged]:
        """Return every live grant with what today's policy says of it.

        What other people would have to approve now is not forbidden. Windows count as they are at
        this moment. Break-glass is judged as such: by what the bundle's glass says now, and the
        guardrails that hold even then.

        Raises:
            Unavailable: The store did not answer.
        """
        return [await self._judged(request) for request in await self._listings.live()]

    async def _judged(self, request: Request) -> Judged:
        asked, now = request.asked, self._desk.circumstances().now
        try:
            await self._gate.admit_requester(request)
            policy = judged_by(self._policy(), asked.bundle, asked.emergency)
            facts = await self._facts.about_again(asked, policy, now=now)
        except NotAllowed as problem:
            return Judged(request=request, forbidden=str(problem))
        except Unavailable as problem:
            return Judged(request=request, unknown=str(problem))
        decision = decided_again(asked, policy, facts)
        why = "; ".join(decision.reasons) if isinstance(decision, Reject) else ""
        return Judged(request=request, forbidden=why)

    async def end(self, judged: Judged) -> Outcome:
        """End a grant that is forbidden; whoever runs the messages tells it in the thread.

        Raises:
            Refused: It has ended already.
            Unavailable: It may work on.
        """
        reason = f"today's policy forbids it: {judged.forbidden}"[:LONGEST_REASON]
        id_ = judged.request.id
        return await self._desk.carry_out(
            id_,
            Revoke(reason),
            by=BOT,
            case=self._desk.circumstances(),
            commit_id=CommitId(fingerprint("forbidden", id_)),
        )
