"""The job `misuse:<request>`: tell of the misuse that enforcement points saw of a grant.

The first of a kind is told at once, and then how many there were by now, after pauses that double:
ten thousand attempts are a handful of facts, and one line in the thread.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.core import events as e
from bot.core.errors import NotFound, Refused
from bot.core.identity import BOT, fingerprint
from bot.core.moves import TellMisuse
from bot.core.request import Request
from bot.core.usage import Misdeed, misdeeds, told_again_after
from bot.usecases.desk import Desk
from bot.usecases.ports import CommitId, Job, Ledger
from bot.usecases.use import UseBook

log = structlog.get_logger()


class Misuses:
    """Carries out misuse jobs."""

    def __init__(self, desk: Desk, *, ledger: Ledger, book: UseBook) -> None:
        self._desk = desk
        self._ledger = ledger
        self._book = book

    async def __call__(self, job: Job) -> timedelta | None:
        """Tell what is new; return when to look again, None if all was told.

        Raises:
            Unavailable: The store did not answer.
        """
        id_ = job.id.request
        try:
            request = await self._desk.load(id_)
            return await self._tell(request, job)
        except (Refused, NotFound) as pointless:
            log.info("misuse.pointless", job=str(job.id), why=pointless.code)
            return None

    async def _tell(self, request: Request, job: Job) -> timedelta | None:
        history = await self._ledger.history(request.id)
        [tallies] = await self._book.of([request.id])
        scopes = request.grant.token.scopes if request.grant and request.grant.tokens else ()
        waits = []
        for what in misdeeds(scopes, tallies, over_since=_over_since(request)):
            told = [
                event
                for event in history
                if isinstance(event, e.Misused) and event.what.kind is what.kind
            ]
            if told and told[-1].what.count >= what.count:
                continue
            due = told[-1].at + told_again_after(len(told)) if told else job.now
            if due > job.now:
                waits.append(due - job.now)
            else:
                await self._record(request, what, job)
        return min(waits, default=None)

    async def _record(self, request: Request, what: Misdeed, job: Job) -> None:
        await self._desk.carry_out(
            request.id,
            TellMisuse(what),
            by=BOT,
            case=replace(self._desk.circumstances(), now=job.now),
            commit_id=CommitId(fingerprint("misuse", request.id, what.kind, str(what.count))),
        )


def _over_since(request: Request) -> datetime | None:
    grant = request.grant
    if grant is None or grant.close is None or not grant.tokens:
        return None
    return min(grant.close.at, grant.ends_at)
