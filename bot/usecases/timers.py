"""What the clock does, e.g. lapse, escalate, end: each a move by the bot at the claim's time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

import structlog

from bot.core.errors import NotFound, Refused, WrongState
from bot.core.events import Event
from bot.core.identity import BOT, RequestId, fingerprint
from bot.core.moves import (
    End,
    Escalate,
    Lapse,
    MarkOverdue,
    Move,
    Remind,
    RemindReview,
    Scrub,
    Warn,
)
from bot.core.policy import Policy
from bot.core.request import Request, timers
from bot.core.states import Timer
from bot.usecases.desk import Check, Desk
from bot.usecases.gate import Gate
from bot.usecases.ports import CommitId, Job
from bot.usecases.tickets import TicketDesk
from bot.usecases.usage import Usages

log = structlog.get_logger()


class Timers:
    """Carries out timer jobs.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        *,
        policy: Callable[[], Policy],
        tickets: TicketDesk,
        usages: Usages,
    ) -> None:
        self._desk = desk
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
            await self._desk.carry_out(
                id_,
                await self._move(timer, id_),
                by=BOT,
                case=replace(self._desk.circumstances(), now=job.now),
                commit_id=CommitId(fingerprint("timer", str(job.id), job.payload)),
                check=_is_due(timer, job),
            )
        except (Refused, NotFound) as pointless:
            log.info("timer.pointless", job=str(job.id), why=pointless.code)

    async def _move(self, timer: Timer, id_: RequestId) -> Move:
        match timer:
            case Timer.LAPSE:
                return Lapse()
            case Timer.WARN:
                return Warn()
            case Timer.END:
                return End()
            case Timer.REVIEW_REMIND:
                return RemindReview()
            case Timer.REVIEW_OVERDUE:
                return MarkOverdue()
            case Timer.REMIND:
                request = await self._desk.load(id_)
                people = await self._gate.who_can_act(request, self._policy())
                return Remind(request.stage, request.reminded, people)
            case Timer.ESCALATE:
                request = await self._desk.load(id_)
                return Escalate(request.stage, request.escalated)
            case Timer.SCRUB:
                grant = (await self._desk.load(id_)).grant
                return Scrub(grant.token.jti if grant is not None else "")
            case Timer.WATCH:
                return await self._tickets.watch(await self._desk.load(id_))
            case Timer.IDLE:
                return await self._usages.idle(await self._desk.load(id_))
            case Timer.SUM:
                return await self._usages.summed(await self._desk.load(id_))
            case _:
                assert_never(timer)


def _is_due(timer: Timer, job: Job) -> Check:
    """Return a check that the request still owes `timer` at the time of the claim.

    Between claim and deed an extension may have set it anew, for later or for another token.
    """

    async def check(request: Request, _: Sequence[Event]) -> None:
        due = timers(request).get(timer)
        if due is None or due > job.now:
            raise WrongState(f"the time of {job.id} has not come")

    return check
