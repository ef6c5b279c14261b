"""The recorder: takes down in memory what enforcement points saw, and writes it in batches."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias

import structlog

from bot.core.errors import Unavailable
from bot.core.identity import RequestId
from bot.core.usage import Seen, Tally
from bot.usecases.ports import MISUSE, Clock, JobId, Jobs, Metrics
from bot.usecases.use import Batch, Beat, Use, UseBook, UseOutcome

log = structlog.get_logger()

# What is held that is not written yet: different uses, and pairs of resource and point.
HELD_AT_MOST: Final = 20_000
BEATS_HELD_AT_MOST: Final = 1_000
# A script blocks the server; adding what so many uses are takes it about 2 ms.
USES_AT_ONCE: Final = 150

# The name of what one call needed, in characters; one scope always fits.
NAME_AT_MOST: Final = 400
# Pairs of grant and address that this process has seen.
ADDRESSES_KNOWN: Final = 10_000

FLUSH_EVERY_S: Final = 1.0
# Misuse is written sooner, but not again and again.
PAUSE_S: Final = 0.1

_Key: TypeAlias = tuple[RequestId, Seen, str]
# How often, and when for the first and the last time.
_Counts: TypeAlias = dict[_Key, tuple[int, datetime, datetime]]


# What two uses have in common that are counted as one.
_Same: TypeAlias = tuple[RequestId, UseOutcome, tuple[str, ...], str, str, str]


@dataclass(slots=True)
class _Held:
    """Equal uses that are not written yet.

    Attributes:
        use: The first of them.
    """

    use: Use
    count: int
    first: datetime
    last: datetime


class Addresses:
    """Remembers, for a while, from where each grant was used: a second address is looked into."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[RequestId, str], None] = OrderedDict()

    def is_new(self, use: Use) -> bool:
        """Return whether this process has not seen the grant used from there lately."""
        pair = (use.request, use.address)
        if not use.address or pair in self._known:
            return False
        self._known[pair] = None
        if len(self._known) > ADDRESSES_KNOWN:
            self._known.popitem(last=False)
        return True


class Recorder:
    """The port UseLog over a book; equal calls are one tally until they are written.

    Args:
        instance: Different for each process that ever runs, so that batches are told apart.
    """

    def __init__(
        self, book: UseBook, jobs: Jobs, *, instance: str, clock: Clock, metrics: Metrics
    ) -> None:
        self._book = book
        self._jobs = jobs
        self._instance = instance
        self._clock = clock
        self._metrics = metrics
        self._held: dict[_Same, _Held] = {}
        self._beats: dict[tuple[str, str], datetime] = {}
        self._sending: Batch | None = None
        self._sent = 0
        self._addresses = Addresses()
        self._to_look_at: set[RequestId] = set()
        self.urgent = asyncio.Event()

    def note(self, use: Use) -> None:
        """See `UseLog.note`; what is equal to something held costs about a microsecond."""
        same = (use.request, use.outcome, use.scopes, use.resource, use.point, use.address)
        held = self._held.get(same)
        if held is not None:
            held.count += use.count
            held.last = max(held.last, use.at)
            held.first = min(held.first, use.at)
        elif len(self._held) >= HELD_AT_MOST:
            self._metrics.count("jit_use_dropped_total")
        else:
            self._held[same] = _Held(use, use.count, use.at, use.at)
            if self._addresses.is_new(use) or use.outcome is not UseOutcome.ALLOWED:
                self._to_look_at.add(use.request)
                self.urgent.set()

    def alive(self, resource: str, *, point: str) -> None:
        """See `UseLog.alive`."""
        key, at = (resource, point), self._clock.now()
        if key not in self._beats and len(self._beats) >= BEATS_HELD_AT_MOST:
            self._metrics.count("jit_use_dropped_total")
            return
        self._beats[key] = at

    async def flush(self) -> None:
        """Write all that is held, and have grants looked at that may be misused.

        What cannot be written is held on to.

        Raises:
            Unavailable: The store did not answer.
        """
        while (batch := self._sending or self._next()) is not None:
            self._sending = batch  # the very same is sent again if it is not known to be stored
            await self._book.add(batch)
            self._sending = None
        while self._to_look_at:
            id_ = next(iter(self._to_look_at))
            await self._jobs.owe(JobId(MISUSE, id_), payload=f"{self._instance}.{self._sent}")
            self._to_look_at.discard(id_)

    def _next(self) -> Batch | None:
        """Return what is to be written next, which is held no more; None if there is nothing."""
        if not self._held and not self._beats:
            return None
        taken = [self._held.pop(same) for same in list(islice(self._held, USES_AT_ONCE))]
        beats, self._beats = self._beats, {}
        for held in taken:
            if held.use.scopes:
                key = (held.use.resource, held.use.point)
                beats[key] = max(held.last, beats.get(key, held.last))
        self._sent += 1
        return Batch(
            id=f"{self._instance}.{self._sent}",
            tallies=_by_request(_counted(taken)),
            beats=[
                Beat(resource=resource, point=point, at=at)
                for (resource, point), at in beats.items()
            ],
        )


def _keys(use: Use) -> Iterator[_Key]:
    if use.outcome is UseOutcome.ALLOWED:
        for scope in use.scopes or ("",):
            yield use.request, Seen.ALLOWED, scope
    else:
        yield use.request, Seen(use.outcome), _at_once(use.scopes)
    yield use.request, Seen.POINT, use.point
    if use.address:
        yield use.request, Seen.ADDRESS, use.address


def _at_once(scopes: tuple[str, ...]) -> str:
    """Return the scopes that one call needed, as one name."""
    while len(name := " ".join(scopes)) > NAME_AT_MOST:
        scopes = scopes[:-1]
    return name


def _counted(uses: Iterable[_Held]) -> _Counts:
    counts: _Counts = {}
    for held in uses:
        for key in _keys(held.use):
            count, first, last = counts.get(key, (0, held.first, held.last))
            counts[key] = count + held.count, min(first, held.first), max(last, held.last)
    return counts


def tallied(uses: Iterable[Use]) -> dict[RequestId, list[Tally]]:
    """Return what is to be written of `uses`."""
    return _by_request(_counted(_Held(use, use.count, use.at, use.at) for use in uses))


def _by_request(taken: _Counts) -> dict[RequestId, list[Tally]]:
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
