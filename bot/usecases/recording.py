"""The recorder: takes down in memory what enforcement points saw, and writes it in batches."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias

import structlog

from bot.core.errors import Unavailable
from bot.core.identity import RequestId
from bot.core.usage import Seen, Tally
from bot.usecases.ports import Clock, Metrics
from bot.usecases.use import Batch, Beat, Use, UseBook, UseOutcome

log = structlog.get_logger()

# What is held that is not written yet: tallies, and pairs of resource and point.
HELD_AT_MOST: Final = 20_000
BEATS_HELD_AT_MOST: Final = 1_000
# A script blocks the server; adding so many tallies takes it about 2 ms.
TALLIES_AT_ONCE: Final = 500

FLUSH_EVERY_S: Final = 1.0
# Misuse is written sooner, but not again and again.
PAUSE_S: Final = 0.1

_Key: TypeAlias = tuple[RequestId, Seen, str]


class Recorder:
    """The port UseLog over a book; equal calls are one tally until they are written.

    Args:
        instance: Different for each process that ever runs, so that batches are told apart.
    """

    def __init__(self, book: UseBook, *, instance: str, clock: Clock, metrics: Metrics) -> None:
        self._book = book
        self._instance = instance
        self._clock = clock
        self._metrics = metrics
        self._tallies: dict[_Key, tuple[int, datetime, datetime]] = {}
        self._beats: dict[tuple[str, str], datetime] = {}
        self._sending: Batch | None = None
        self._sent = 0
        self.urgent = asyncio.Event()

    def note(self, use: Use) -> None:
        """See `UseLog.note`."""
        if use.scopes:
            self._beat(use.resource, use.point, use.at)
        keys = list(_keys(use))
        new = sum(key not in self._tallies for key in keys)
        if len(self._tallies) + new > HELD_AT_MOST:
            self._metrics.count("jit_use_dropped_total")
            return
        for key in keys:
            count, first, last = self._tallies.get(key, (0, use.at, use.at))
            self._tallies[key] = count + use.count, min(first, use.at), max(last, use.at)
        if use.outcome is not UseOutcome.ALLOWED:
            self.urgent.set()

    def alive(self, resource: str, *, point: str) -> None:
        """See `UseLog.alive`."""
        self._beat(resource, point, self._clock.now())

    def _beat(self, resource: str, point: str, at: datetime) -> None:
        key = (resource, point)
        if key not in self._beats and len(self._beats) >= BEATS_HELD_AT_MOST:
            self._metrics.count("jit_use_dropped_total")
            return
        self._beats[key] = max(at, self._beats.get(key, at))

    async def flush(self) -> None:
        """Write all that is held; what cannot be written is held on to.

        Raises:
            Unavailable: The store did not answer.
        """
        while (batch := self._sending or self._next()) is not None:
            self._sending = batch  # the very same is sent again if it is not known to be stored
            await self._book.add(batch)
            self._sending = None

    def _next(self) -> Batch | None:
        """Return what is to be written next, which is held no more; None if there is nothing."""
        if not self._tallies and not self._beats:
            return None
        keys = list(islice(self._tallies, TALLIES_AT_ONCE))
        taken = {key: self._tallies.pop(key) for key in keys}
        beats = [
            Beat(resource=resource, point=point, at=at)
            for (resource, point), at in self._beats.items()
        ]
        self._beats.clear()
        self._sent += 1
        return Batch(id=f"{self._instance}.{self._sent}", tallies=_by_request(taken), beats=beats)


def _keys(use: Use) -> Iterator[_Key]:
    for scope in use.scopes or ("",):
        yield use.request, Seen(use.outcome), scope
    yield use.request, Seen.POINT, use.point
    if use.address:
        yield use.request, Seen.ADDRESS, use.address


def _by_request(
    taken: Mapping[_Key, tuple[int, datetime, datetime]],
) -> dict[RequestId, list[Tally]]:
    found: dict[RequestId, list[Tally]] = {}
    for (id_, seen, name), (count, first, last) in taken.items():
        tally = Tally(seen=seen, name=name, count=count, first=first, last=last)
        found.setdefault(id_, []).append(tally)
    return found


class Recording:
    """Writes what is recorded, again and again, and looks at tokens that may be over.

    Args:
        look: Looks at some of the tokens that may be over; see `Suspects.look`.
    """

    def __init__(self, recorder: Recorder, *, look: Callable[[], None]) -> None:
        self._recorder = recorder
        self._look = look
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`, and then write what is left; what cannot be written is lost."""
        while not self._stopping.is_set():
            await self._pause()
            await self._turn()
        await self._turn()

    def stop(self) -> None:
        """Have `run` end."""
        self._stopping.set()
        self._recorder.urgent.set()

    async def _pause(self) -> None:
        urgent = self._recorder.urgent
        try:
            async with asyncio.timeout(FLUSH_EVERY_S):
                await urgent.wait()
                if not self._stopping.is_set():
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            pass
        urgent.clear()

    async def _turn(self) -> None:
        self._look()
        try:
            await self._recorder.flush()
        except Unavailable as problem:
            log.warning("use.not_written", code=problem.code)
        except Exception:  # nothing of this may end the bot, nor what is recorded later
            log.exception("use.failed")


class MemoryUseLog:
    """UseLog that remembers, for tests and for who needs no more."""

    def __init__(self) -> None:
        self.uses: list[Use] = []
        self.living: set[tuple[str, str]] = set()

    def note(self, use: Use) -> None:
        """See `UseLog.note`."""
        self.uses.append(use)
        if use.scopes:
            self.living.add((use.resource, use.point))

    def alive(self, resource: str, *, point: str) -> None:
        """See `UseLog.alive`."""
        self.living.add((resource, point))
