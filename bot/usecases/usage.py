"""What grants were used for: looked up, summed up at their end, and an end for what is idle."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.core.durations import spell
from bot.core.errors import Busy, WrongState
from bot.core.grant import Grant
from bot.core.moves import EndUnused, SumUp
from bot.core.request import Request
from bot.core.usage import (
    Life,
    Tally,
    Usage,
    last_use,
    lived_during,
    lived_through,
    usage_of,
)
from bot.usecases.ports import Clock
from bot.usecases.use import SILENCE, UseBook

# How soon it is looked again whether a point is alive, where none was.
LOOK_AGAIN: Final = timedelta(minutes=1)


class Usages:
    """Reads what was taken down."""

    def __init__(self, book: UseBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    async def of(self, requests: Sequence[Request]) -> Sequence[Usage]:
        """Return what the grants of `requests`, which began, were used for so far.

        Raises:
            Unavailable: The store did not answer.
        """
        tallies = await self._book.of([request.id for request in requests])
        begun: dict[str, datetime] = {}
        for request in requests:
            resource, at = request.asked.resource, _began(request).started_at
            begun[resource] = min(at, begun.get(resource, at))
        lives = {
            resource: await self._book.lives(resource, since=since)
            for resource, since in begun.items()
        }
        return [
            self._usage(request, seen, lives[request.asked.resource])
            for request, seen in zip(requests, tallies, strict=True)
        ]

    def _usage(self, request: Request, seen: Sequence[Tally], lives: Sequence[Life]) -> Usage:
        grant = _began(request)
        until = grant.close.at if grant.close is not None else self._clock.now()
        return usage_of(
            grant.token.scopes,
            seen,
            watched=lived_during(lives, grant.started_at, until),
        )

    async def summed(self, request: Request) -> SumUp:
        """Return the move that tells what the grant of `request` was used for.

        Raises:
            WrongState: It never began.
            Unavailable: The store did not answer.
        """
        [usage] = await self.of([request])
        return SumUp(usage)

    async def idle(self, request: Request) -> EndUnused:
        """Return the move that ends the grant of `request`, as it is not used.

        Raises:
            WrongState: There is no grant that ends so.
            Busy: It was used, or no enforcement point could see whether; look again later.
            Unavailable: The store did not answer.
        """
        grant, idle = request.working_grant, request.asked.idle_end
        if grant is None or idle is None:
            raise WrongState("there is no grant that ends when it is not used")
        now = self._clock.now()
        [seen] = await self._book.of([request.id])
        since = max(grant.token.issued_at, last_use(seen) or grant.token.issued_at)
        if now < since + idle:
            raise Busy("it was used", wait_s=(since + idle - now).total_seconds())
        lives = await self._book.lives(request.asked.resource, since=since)
        if not lived_through(lives, since, now, slack=min(SILENCE, idle / 2)):
            wait_s = min(LOOK_AGAIN, idle).total_seconds()
            raise Busy("nobody could see whether it was used", wait_s=wait_s)
        return EndUnused(f"it was not used for {spell(idle)}")


def _began(request: Request) -> Grant:
    if request.grant is None or not request.grant.tokens:
        raise WrongState("this grant never began")
    return request.grant
