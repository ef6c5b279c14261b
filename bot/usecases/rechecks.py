"""Requests that wait, under the policy of this moment: decided again before somebody's move."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

import structlog

from bot.core.decision import Ask, Decision, Reject, asked_anew, decided_again
from bot.core.errors import Conflict, Unavailable, WrongState
from bot.core.identity import BOT, fingerprint
from bot.core.known import InForce
from bot.core.moves import Approve, CloseByPolicy, Deny, Move, Narrow, Question, Reroute
from bot.core.policy import Policy
from bot.core.recheck import (
    Closed,
    Kept,
    Recheck,
    Same,
    Tightened,
    on_todays_way,
    recheck,
    rerouted,
)
from bot.core.request import Request
from bot.core.texts import LONGEST_REASON
from bot.core.votes import Vote
from bot.usecases.absences import Absences
from bot.usecases.desk import TRIES, Desk
from bot.usecases.extending import why_no_longer
from bot.usecases.facts import FactFinder
from bot.usecases.gate import Completable, Gate, lends_now
from bot.usecases.ports import CommitId

log = structlog.get_logger()

# What brings a request closer to its grant is decided on at each click; what else approvers do,
# only where the policy has changed since.
_YES: Final = (Approve, Narrow)
_TALK: Final = (Deny, Question)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A request on the way that it must go today.

    Attributes:
        under: What today's policy says to it; None where it was not looked at, or says no.
        is_rerouted: Whether it was put on that way just now.
    """

    request: Request
    under: InForce | None = None
    is_rerouted: bool = False


class Rechecks:
    """Puts requests on the way that today's policy wants, or ends them.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        facts: FactFinder,
        absences: Absences,
        *,
        policy: Callable[[], Policy],
    ) -> None:
        self._absences = absences
        self._desk = desk
        self._gate = gate
        self._facts = facts
        self._policy = policy

    async def ready(self, request: Request, move: Move) -> Ready:
        """Return `request` on the way that it must go, before somebody does `move`.

        Raises:
            WrongState: Today's policy ends it; that is stored, and told like any other end.
            NotAllowed: A channel that today's chain names cannot be used.
            Unavailable: Something could not be looked up, or nothing was stored.
        """
        for _ in range(TRIES):
            policy = self._policy()
            if not self._matters(request, move, policy):
                return Ready(request=request)
            try:
                return await self._on_its_way(request, policy)
            except Unavailable as problem:
                if isinstance(move, _YES):
                    raise
                log.info("recheck.left_out", request=request.id, code=problem.code)
                return Ready(request=request)
            except _ChangedError:
                request = await self._desk.load(request.id)
        raise Conflict("too many people are acting on this at once", hint="try again")

    def _matters(self, request: Request, move: Move, policy: Policy) -> bool:
        asked = request.asked
        if request.waits_for is None or self._desk.circumstances().now >= asked.deadline:
            return False
        is_new = policy.slice_of(asked.bundle) != asked.slice
        return isinstance(move, _YES) or (isinstance(move, _TALK) and is_new)

    async def _on_its_way(self, request: Request, policy: Policy) -> Ready:
        found = await self.judged(request, policy, now=self._desk.circumstances().now)
        if isinstance(found, Tightened):
            found = await self._completable(request, found, policy)
        if isinstance(found, Tightened):
            return await self._reroute(request, found, policy)
        if isinstance(found, Closed):
            await self._close(request, found, policy)
        return Ready(request=request, under=_under(found, policy))

    async def judged(
        self, request: Request, policy: Policy, *, now: datetime, ticket: str | None = None
    ) -> Recheck:
        """Return what becomes of `request` under `policy`, as things are at `now`.

        Args:
            ticket: None where it is not to be looked up again.

        Raises:
            Invalid: The ticket will not do (any more).
            Unavailable: Something could not be looked up.
        """
        asked = request.asked
        facts = await self._facts.about_again(asked, policy, now=now, ticket=ticket)
        decision: Decision = decided_again(asked, policy, facts)
        self._desk.note_failures(decision, bundle=asked.bundle)
        if asked.extends is not None and not isinstance(decision, Reject):
            why = why_no_longer(await self._desk.load(asked.extends), policy)
            if why is not None:
                decision = Reject(rule="", reasons=(why,), digest=policy.digest)
        return recheck(request, decision, policy)

    async def _completable(self, request: Request, found: Tightened, policy: Policy) -> Recheck:
        """Return `found`, or what a no comes to where nobody could complete what it asks for."""
        decision, ask = found.decision, _ask(request, policy)
        completable = await self._completed(found, ask, policy)
        if isinstance(completable.decision, Reject):
            return recheck(request, completable.decision, policy)
        for chain in on_todays_way(request, found).asked.owed:
            why = await self._gate.why_incompletable(
                chain.stages, request, policy, away=await self._absences.now()
            )
            if why is not None:
                reason = (
                    f"rule {decision.rule} asks for others now, and nobody could complete what"
                    f" rule {chain.rule} asked for before as well: {why}"
                )
                no = Reject(rule=decision.rule, reasons=(reason,), digest=policy.digest)
                return recheck(request, no, policy)
        return found

    async def _completed(self, found: Tightened, ask: Ask, policy: Policy) -> Completable:
        away, now = await self._absences.now(), self._desk.circumstances().now
        return await self._gate.completable(found.decision, ask, policy, away=away, now=now)

    async def _reroute(self, request: Request, found: Tightened, policy: Policy) -> Ready:
        way, case = on_todays_way(request, found), self._desk.circumstances()
        ask = _ask(request, policy)
        given = (*request.votes, *request.spare)
        owners = await self._gate.owners(request.asked.machine, policy)
        to = rerouted(
            request,
            found,
            way,
            policy=policy,
            now=case.now,
            groups=[
                frozenset[str]() if vote.people & owners else await self._groups(vote, way, policy)
                for vote in given
            ],
            members=await self._gate.members(way),
            away=(await self._completed(found, ask, policy)).away,
        )
        await self._carry_out(request, Reroute(request.version, to), policy)
        after = await self._desk.load(request.id)
        under = InForce(digest=policy.digest, rule=found.decision.rule, is_laxer=False)
        return Ready(request=after, under=under, is_rerouted=True)

    async def _groups(self, vote: Vote, way: Request, policy: Policy) -> frozenset[str]:
        """Return by which groups `vote` counts on `way`; none where it was lent, and no more is."""
        if vote.on_behalf_of is not None and not lends_now(way, policy):
            return frozenset()
        return await self._gate.groups_acting(vote.whose, way, policy)

    async def _close(self, request: Request, found: Closed, policy: Policy) -> NoReturn:
        """End `request`.

        Raises:
            WrongState: Always, so that whoever clicked reads it.
        """
        why = f"today's policy forbids it: {found.why}"
        move = CloseByPolicy(why[:LONGEST_REASON], found.rule, policy.digest)
        await self._carry_out(request, move, policy)
        raise WrongState(f"this request is closed: {why}", hint="it must be asked anew")

    async def _carry_out(self, request: Request, move: Move, policy: Policy) -> None:
        """Store what the policy does to `request`.

        Raises:
            _ChangedError: It is not what it was any more.
        """
        try:
            await self._desk.carry_out(
                request.id,
                move,
                by=BOT,
                case=self._desk.circumstances(),
                commit_id=CommitId(
                    fingerprint("recheck", request.id, str(request.version), policy.digest)
                ),
            )
        except WrongState as changed:
            raise _ChangedError from changed


def _ask(request: Request, policy: Policy) -> Ask:
    asked = request.asked
    return asked_anew(asked, policy.bundles[asked.bundle], duration=asked.duration)


def _under(found: Recheck, policy: Policy) -> InForce | None:
    if isinstance(found, Same | Kept):
        return InForce(digest=policy.digest, rule=found.rule, is_laxer=isinstance(found, Kept))
    return None


class _ChangedError(Exception):
    """Somebody else was faster; never leaves this module."""
