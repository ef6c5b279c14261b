"""The waiting room: polls that wait for a request to change.

One follower in each process reads the log and wakes whoever waits for what has changed; a poll
that waits costs the store nothing. Of two polls for the same the newer one waits: the older one's
client may be gone.
"""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import structlog

from bot.core.errors import Busy, Unavailable
from bot.core.identity import RequestId
from bot.usecases.ports import Changes

log = structlog.get_logger()

# How long the store is asked to wait for news; less than any of its commands may take.
FOLLOW: Final = timedelta(seconds=1)
AGAIN_S: Final = 0.5
# What waits in one process, and of one client; more than that are told to come back.
SEATS: Final = 5000
SEATS_OF_ONE: Final = 200
FULL_S: Final = 5.0


class Crowded(Exception):
    """One client has as many polls open as it may."""

    def __init__(self) -> None:
        super().__init__("this client has too many polls open")


class Seat:
    """A poll that waits for one request.

    Thousands wait at once, so it is made of as little as that takes: one future and one timer.
    """

    __slots__ = ("_sleeper", "_woken", "superseded")

    def __init__(self) -> None:
        self._sleeper: asyncio.Future[None] | None = None
        self._woken = False
        self.superseded = False

    def wake(self) -> None:
        """Have whoever sits here look again."""
        self._woken = True
        _end(self._sleeper)

    async def change(self, *, at_most_s: float) -> None:
        """Return when the request may have changed, or the time is over."""
        if not self._woken:
            loop = asyncio.get_running_loop()
            self._sleeper = loop.create_future()
            timer = loop.call_later(at_most_s, _end, self._sleeper)
            try:
                await self._sleeper
            finally:
                timer.cancel()
                self._sleeper = None
        self._woken = False


def _end(sleeper: asyncio.Future[None] | None) -> None:
    if sleeper is not None and not sleeper.done():
        sleeper.set_result(None)


class WaitingRoom:
    """Where polls wait."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._seats: dict[RequestId, Seat] = {}
        self._of: Counter[str] = Counter()
        self._occupied = asyncio.Event()
        self.closed = False

    @contextmanager
    def seat(self, request: RequestId, *, client: str) -> Generator[Seat, None, None]:
        """Take a seat; whoever waits for the same request leaves theirs.

        Raises:
            Crowded: `client` has too many.
            Busy: All are taken.
        """
        if self._of[client] >= SEATS_OF_ONE:
            raise Crowded
        if len(self._seats) >= SEATS:
            raise Busy("too many polls wait already", wait_s=FULL_S)
        older = self._seats.get(request)
        if older is not None:
            older.superseded = True
            older.wake()
        mine = self._seats[request] = Seat()
        self._of[client] += 1
        self._occupied.set()
        try:
            yield mine
        finally:
            if self._seats.get(request) is mine:
                del self._seats[request]
            self._of[client] -= 1
            if not self._of[client]:
                del self._of[client]
            if not self._seats:
                self._occupied.clear()

    async def run(self) -> None:
        """Follow the log while anybody waits, until `stop`."""
        while not self.closed:
            try:
                await self._occupied.wait()
                await self._follow()
            except Unavailable as problem:
                log.warning("waiting.store_away", code=problem.code)
                await asyncio.sleep(AGAIN_S)

    async def _follow(self) -> None:
        """Wake whoever waits for what changes; return when nobody waits any more."""
        cursor, _ = await self._changes.after("", wait=timedelta(0))
        self._wake_all()  # they may have looked before that
        while self._seats and not self.closed:
            cursor, changed = await self._changes.after(cursor, wait=FOLLOW)
            for request in changed & self._seats.keys():
                self._seats[request].wake()

    def stop(self) -> None:
        """Let nobody wait any more."""
        self.closed = True
        self._occupied.set()
        self._wake_all()

    def _wake_all(self) -> None:
        for seat in self._seats.values():
            seat.wake()
