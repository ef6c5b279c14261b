"""What the clock does, e.g. lapse, escalate, end: each a move by the bot at the claim's time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog

from bot.core.errors import NotAllowed, NotFound, Refused, Unavailable, WrongState
from bot.core.events import Event
from bot.core.identity import BOT, RequestId, fingerprint
from bot.core.moves import (
    End,
    Escalate,
    Forfeit,
    Lapse,
    MarkOverdue,
    Move,
    Remind,
    RemindReview,
    Revoke,
    Scrub,
    Start,
    SumUp,
    Warn,
)
from bot.core.policy import Policy
from bot.core.request import Request, timers
from bot.core.states import Timer
from bot.core.texts import LONGEST_REASON
from bot.usecases.desk import Check, Desk
from bot.usecases.gate import Gate
from bot.usecases.ports import CommitId, Job
from bot.usecases.tickets import TicketDesk
from bot.usecases.usage import Usages

log = structlog.get_logger()

# So long it is tried again to find out whether a grant may start at its time.
START_PATIENCE: Final = timedelta(minutes=15)


# What needs nothing of the request to be known.
_PLAIN: Final[Mapping[Timer, Move]] = {
    Timer.LAPSE: Lapse(),
    Timer.START: Start(),
    Timer.CLAIM: Forfeit(),
    Timer.WARN: Warn(),
    Timer.END: End(),
    Timer.REVIEW_REMIND: RemindReview(),
    Timer.REVIEW_OVERDUE: MarkOverdue(),
}


class Timers:
    """Carries out timer jobs.

    Args:
        policy: Returns the policy in force.
        still_right: Refuses what today's policy would not have started.
    """

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        *,
        policy: Callable[[], Policy],
        tickets: TicketDesk,
        usages: Usages,
        still_right: Check,
    ) -> None:
        self._desk = desk
        self._still_right = still_right
        self._gate = gate
        self._tickets = tickets
        self._usages = usages
        self._policy = policy

    async def __call__(self, job: Job) -> None:
        """Do what `job` asks; a job that has become pointless is done.

        Raises:
            Unavailable: The store, or a tracker, did not answer.
            Busy: It is to be done again later.
        """
        id_, timer = job.id.request, Timer(job.id.kind)
        try:
            if timer is Timer.START:
                await self._start(job)
            else:
                await self._carry_out(job, await self._move(timer, id_))
        except (Refused, NotFound) as pointless:
            log.info("timer.pointless", job=str(job.id), why=pointless.code)

    async def _start(self, job: Job) -> None:
        """Start a grant at its time, or end it if policy would not have it start now.

        Where that cannot be found out it waits, and in the end it does not start.
        """
        try:
            await self._carry_out(job, Start())
        except NotAllowed as why:
            await self._carry_out(job, Revoke(str(why)[:LONGEST_REASON]))
        except Unavailable as why:
            grant = (await self._desk.load(job.id.request)).waiting_grant
            due = grant.starts_at if grant is not None else None
            if due is None or job.now < due + START_PATIENCE:
                raise
            reason = f"whether it may start could not be found out in time: {why}"
            await self._carry_out(job, Revoke(reason[:LONGEST_REASON]))

    async def _carry_out(self, job: Job, move: Move) -> None:
        # What a grant was used for is told once, whichever job it was.
        payload = "" if isinstance(move, SumUp) else job.payload
        kind = type(move).__name__
        await self._desk.carry_out(
            job.id.request,
            move,
            by=BOT,
            case=replace(self._desk.circumstances(), now=job.now),
            commit_id=CommitId(fingerprint("timer", str(job.id), payload, kind)),
            check=self._check(job),
        )

    def _check(self, job: Job) -> Check:
        """Return a check that the job's time has come, and that what starts may."""
        is_due = _is_due(Timer(job.id.kind), job)

        async def check(request: Request, events: Sequence[Event]) -> None:
            await is_due(request, events)
            await self._still_right(request, events)

        return check

    async def _move(self, timer: Timer, id_: RequestId) -> Move:
        plain = _PLAIN.get(timer)
        if plain is not None:
            return plain
        request = await self._desk.load(id_)
        match timer:
            case Timer.REMIND:
                people = await self._gate.who_can_act(request, self._policy())
                return Remind(request.stage, request.reminded, people)
            case Timer.ESCALATE:
                return Escalate(request.stage, request.escalated)
            case Timer.SCRUB:
                grant = request.grant
                return Scrub(grant.token.jti if grant is not None and grant.tokens else "")
            case Timer.WATCH:
                return await self._tickets.watch(request)
            case Timer.IDLE:
                return await self._usages.idle(request)
            case Timer.SUM:
                return await self._usages.summed(request)
            case _:
                raise LookupError(f"nothing is done at {timer}")


def _is_due(timer: Timer, job: Job) -> Check:
    """Return a check that the request still owes `timer` at the time of the claim.

    Between claim and deed an extension may have set it anew, for later or for another token.
    """

    async def check(request: Request, _: Sequence[Event]) -> None:
        due = timers(request).get(timer)
        if due is None or due > job.now:
            raise WrongState(f"the time of {job.id} has not come")

    return check
