"""The store in memory: what the ports promise, in its shortest form.

Every method runs to its end without awaiting, so each is one step.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from bot.core.account import Account
from bot.core.errors import Conflict, TooLate
from bot.core.events import Event
from bot.core.identity import Actor, RequestId
from bot.core.request import Request
from bot.core.states import RequestState
from bot.core.usage import Life, Seen, Tally
from bot.usecases.ports import (
    BEGINNING,
    QUEUE_OF,
    SHOW,
    Commit,
    CommitId,
    Committed,
    EndedToken,
    Job,
    JobId,
    Place,
    Queue,
    Receipt,
    TokenHash,
    TokenRecord,
)

_K = TypeVar("_K")
_V = TypeVar("_V")

# A job with this fence is held by nobody.
NOBODY: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owed:
    """A job that was set.

    Attributes:
        free: When it is nobody's: its due time, the end of its lease, or of its delay.
    """

    due: datetime
    payload: str
    free: datetime
    fence: int = NOBODY
    attempt: int = 0

    @property
    def ready(self) -> datetime:
        """When it may be claimed; it can be set anew, for later, while somebody holds it."""
        return max(self.due, self.free)


class MemoryStore:
    """Everything that is stored.

    Args:
        now: The store's own clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.records: dict[str, Request | Account] = {}
        self.commits: set[tuple[RequestId, CommitId]] = set()
        self.log: list[Event] = []
        self.opens: dict[RequestId, datetime] = {}
        self.tokens: dict[TokenHash, TokenRecord] = {}
        self.jobs: dict[JobId, _Owed] = {}
        self.fence = NOBODY
        self.receipts: defaultdict[RequestId, dict[str, Receipt]] = defaultdict(dict)
        self.seen: dict[str, datetime] = {}
        self.batches: dict[str, datetime] = {}
        self.tallies: defaultdict[RequestId, dict[tuple[Seen, str], Tally]] = defaultdict(dict)
        self.lives: defaultdict[str, dict[tuple[str, datetime], Life]] = defaultdict(dict)
        self.ended: list[tuple[Place, EndedToken]] = []
        self.last_place: Place = BEGINNING
        self.more_ended = asyncio.Event()
        self.more_log = asyncio.Event()

    def requests(self) -> list[Request]:
        """Return the latest snapshots."""
        return [record for record in self.records.values() if isinstance(record, Request)]

    def owe(self, id_: JobId, due: datetime, payload: str) -> None:
        """Set a job; while somebody holds it only its due time and payload change."""
        old = self.jobs.get(id_)
        if old is None:
            self.jobs[id_] = _Owed(due=due, payload=payload, free=due)
        else:
            free = due if old.fence == NOBODY else old.free
            self.jobs[id_] = replace(old, due=due, payload=payload, free=free)

    def end(self, token: EndedToken) -> None:
        """Put `token` behind those that ended before, and wake whoever waits for it."""
        ms = int(self.now().timestamp() * 1000)
        last_ms, number = self.last_place
        self.last_place = (ms, 0) if ms > last_ms else (last_ms, number + 1)
        self.ended.append((self.last_place, token))
        self.more_ended.set()
        self.more_ended = asyncio.Event()

    def held(self, job: Job) -> _Owed | None:
        """Return what `job` is now, or None when it is no longer its holder's."""
        owed = self.jobs.get(job.id)
        return owed if owed is not None and owed.fence == job.fence else None


class MemoryLedger:
    """Ledger in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def load(self, id_: RequestId) -> Request | None:
        """See `Ledger.load`."""
        found = self._store.records.get(id_)
        return found if isinstance(found, Request) else None

    async def load_all(
        self, requests: Sequence[RequestId], accounts: Sequence[str]
    ) -> tuple[Sequence[Request | None], Sequence[Account]]:
        """See `Ledger.load_all`."""
        stored = [self._store.records.get(id_) for id_ in accounts]
        return [await self.load(id_) for id_ in requests], [
            found if isinstance(found, Account) else Account(id=id_)
            for id_, found in zip(accounts, stored, strict=True)
        ]

    async def commit(self, change: Commit) -> Committed:
        """See `Ledger.commit`."""
        if (change.subject, change.id) in self._store.commits:
            return Committed.DONE_BEFORE
        self._check(change)
        self._keep(change)
        return Committed.STORED

    def _check(self, change: Commit) -> None:
        for write in change.writes:
            stored = self._store.records.get(write.record.id)
            if (stored.version if stored is not None else 0) != write.expected:
                raise Conflict(f"somebody else changed {write.record.id} first")
        for id_ in change.needs_open:
            if id_ not in self._store.opens or self._store.opens[id_] <= self._store.now():
                raise TooLate("the time for this is over")

    def _keep(self, change: Commit) -> None:
        store = self._store
        store.commits.add((change.subject, change.id))
        store.records |= {write.record.id: write.record for write in change.writes}
        store.log += change.events
        store.more_log.set()
        store.more_log = asyncio.Event()
        for job, due in change.timers.items():
            if due is None:
                store.jobs.pop(job, None)
            else:
                store.owe(job, due, change.id)
        for request in change.show:
            store.owe(JobId(SHOW, request), store.now(), change.id)
        _set_or_end(store.opens, change.opens)
        _set_or_end(store.tokens, change.tokens)
        for token in change.ended:
            store.end(token)

    async def history(self, id_: RequestId) -> Sequence[Event]:
        """See `Ledger.history`."""
        return [event for event in self._store.log if event.request == id_]

    async def log(self, after: str = "", *, limit: int = 100) -> Sequence[tuple[str, Event]]:
        """See `Ledger.log`."""
        first = int(after or 0)
        found = self._store.log[first : first + limit]
        return [(str(number), event) for number, event in enumerate(found, start=first + 1)]


def _set_or_end(stored: dict[_K, _V], changes: Mapping[_K, _V | None]) -> None:
    for key, value in changes.items():
        if value is None:
            stored.pop(key, None)
        else:
            stored[key] = value


class MemoryChanges:
    """Changes in memory; a cursor is a number of facts."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def after(self, cursor: str, *, wait: timedelta) -> tuple[str, frozenset[RequestId]]:
        """See `Changes.after`; it waits by the wall's clock, not by the store's."""
        log = self._store.log
        if cursor and len(log) <= int(cursor) and wait:
            try:
                async with asyncio.timeout(wait.total_seconds()):
                    await self._store.more_log.wait()
            except TimeoutError:
                return cursor, frozenset()
        first = int(cursor) if cursor else len(log)
        return str(len(log)), frozenset(event.request for event in log[first:])


class MemoryListings:
    """Listings in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def of_person(self, who: Actor, *, limit: int = 20) -> Sequence[Request]:
        """See `Listings.of_person`."""
        mine = [request for request in self._store.requests() if request.requester == who]
        return _newest(mine, limit)

    async def of_bundle(self, bundle: str, *, limit: int = 20) -> Sequence[Request]:
        """See `Listings.of_bundle`."""
        found = [request for request in self._store.requests() if request.asked.bundle == bundle]
        return _newest(found, limit)

    async def live(self) -> Sequence[Request]:
        """See `Listings.live`."""
        found = [
            (grant.ends_at, request)
            for request in self._store.requests()
            if (grant := request.working_grant) is not None
        ]
        return [request for _, request in sorted(found, key=lambda each: each[0])]

    async def count_live(self) -> int:
        """See `Listings.count_live`."""
        return sum(request.working_grant is not None for request in self._store.requests())

    async def count_pending(self) -> int:
        """See `Listings.count_pending`."""
        return sum(request.state is RequestState.PENDING for request in self._store.requests())


def _newest(requests: list[Request], limit: int) -> Sequence[Request]:
    requests.sort(key=lambda request: (request.asked.at, request.id), reverse=True)
    return requests[:limit]


class MemoryJobs:
    """Jobs in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def claim(
        self, queue: Queue, *, limit: int, lease: timedelta, only: JobId | None = None
    ) -> Sequence[Job]:
        """See `Jobs.claim`."""
        store, now = self._store, self._store.now()
        due = [
            (owed.ready, str(id_), id_)
            for id_, owed in store.jobs.items()
            if QUEUE_OF[id_.kind] is queue and only in (None, id_) and owed.ready <= now
        ]
        store.fence += 1
        return [self._lease(id_, now, now + lease) for _, _, id_ in sorted(due)[:limit]]

    def _lease(self, id_: JobId, now: datetime, until: datetime) -> Job:
        store, owed = self._store, self._store.jobs[id_]
        attempt = owed.attempt + 1
        store.jobs[id_] = replace(owed, free=until, fence=store.fence, attempt=attempt)
        return Job(
            id=id_,
            fence=store.fence,
            payload=owed.payload,
            attempt=attempt,
            now=now,
            due=owed.due,
        )

    async def owe(self, id_: JobId, *, payload: str) -> None:
        """See `Jobs.owe`."""
        owed = self._store.jobs.get(id_)
        if owed is None:
            self._store.owe(id_, self._store.now(), payload)
        else:
            self._store.jobs[id_] = replace(owed, payload=payload)

    async def next_due(self, queue: Queue) -> datetime | None:
        """See `Jobs.next_due`."""
        jobs = self._store.jobs.items()
        return min((owed.ready for id_, owed in jobs if QUEUE_OF[id_.kind] is queue), default=None)

    async def renew(self, job: Job, *, lease: timedelta) -> bool:
        """See `Jobs.renew`."""
        owed = self._store.held(job)
        if owed is not None:
            self._store.jobs[job.id] = replace(owed, free=self._store.now() + lease)
        return owed is not None

    async def finish(self, job: Job) -> bool:
        """See `Jobs.finish`."""
        owed = self._store.held(job)
        if owed is None:
            return False
        del self._store.jobs[job.id]
        if owed.payload != job.payload:
            self._store.owe(job.id, owed.due, owed.payload)
        return True

    async def postpone(self, job: Job, *, delay: timedelta, was_done: bool = False) -> bool:
        """See `Jobs.postpone`; what was set anew meanwhile is due as it was set."""
        owed = self._store.held(job)
        if owed is None:
            return False
        free = self._store.now() + delay if owed.payload == job.payload else owed.due
        attempt = 0 if was_done else owed.attempt
        self._store.jobs[job.id] = replace(owed, free=free, fence=NOBODY, attempt=attempt)
        return True


class MemoryReceipts:
    """Receipts in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._jobs = MemoryJobs(store)

    async def of(self, id_: RequestId) -> Mapping[str, Receipt]:
        """See `Receipts.of`."""
        return dict(self._store.receipts[id_])

    async def keep(self, job: Job, receipt: Receipt, *, lease: timedelta) -> bool:
        """See `Receipts.keep`."""
        held = await self._jobs.renew(job, lease=lease)
        if held:
            self._store.receipts[job.id.request][receipt.name] = receipt
        return held


class MemoryTokenIndex:
    """TokenIndex in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def find(self, hash_: TokenHash) -> TokenRecord | None:
        """See `TokenIndex.find`."""
        record = self._store.tokens.get(hash_)
        dead = record is None or record.expires_at <= self._store.now()
        return None if dead else record

    async def living(self) -> Collection[tuple[TokenHash, TokenRecord]]:
        """See `TokenIndex.living`."""
        now = self._store.now()
        return [each for each in self._store.tokens.items() if each[1].expires_at > now]


class MemoryEndedTokens:
    """EndedTokens in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def after(
        self, place: Place, *, limit: int, wait: timedelta
    ) -> Sequence[tuple[Place, EndedToken]]:
        """See `EndedTokens.after`; it waits by the wall's clock, not by the store's."""
        if self._store.last_place <= place and wait:
            try:
                await asyncio.wait_for(self._store.more_ended.wait(), wait.total_seconds())
            except TimeoutError:
                return []
        return [each for each in self._store.ended if each[0] > place][:limit]

    async def forget(self, places: Sequence[Place]) -> None:
        """See `EndedTokens.forget`."""
        self._store.ended = [each for each in self._store.ended if each[0] not in places]


class MemoryOnce:
    """Once in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def first(self, name: str, *, within: timedelta) -> bool:
        """See `Once.first`."""
        now, seen = self._store.now(), self._store.seen
        if name in seen and now < seen[name]:
            return False
        seen[name] = now + within
        return True
