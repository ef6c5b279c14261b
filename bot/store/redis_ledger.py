"""Ledger and Listings in Redis.

Keys, each behind the prefix (`Server.key`):

* req:<request>, acc:<account>  hash: v (version), d (record), c:<commit> of each commit
* ev:<request>                  list of event lines
* log                           stream of all event lines, in the field e
* open:<request>                exists while the request may be decided (PXAT)
* tok:<sha256>                  token record, exists while the token may be used (PXAT)
* ended                         stream of tokens that ended before their time, in the field e
* ix:by:<actor>                 zset of requests by the time they were asked
* ix:of:<bundle>                the same
* ix:pending, ix:live           zsets of requests by their deadline or end

What is over is kept for a while and then dies by itself: snapshot, history and receipts of a
request KEEP after its end, a person's or a bundle's list beyond NEWEST. The log is never shortened
here: it is the record of what happened, and whoever exports it decides about its end.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from bot.core.account import Account
from bot.core.errors import Conflict, TooLate
from bot.core.events import Event
from bot.core.identity import Actor, RequestId
from bot.core.request import Request
from bot.core.states import Timer
from bot.store.records import (
    Listing,
    listing_of,
    read_event,
    read_record,
    write_event,
    write_record,
)
from bot.store.redis_server import Server, Word, due_ms, milliseconds, server_time, stamp_ms
from bot.usecases.ports import QUEUE_OF, SHOW, Commit, Committed, JobId, Write

# A row of commit.lua: the key it is about, and the words that follow.
Row: TypeAlias = tuple[str, *tuple[Word, ...]]

# How long a request is kept that is over.
KEEP: Final = timedelta(days=30)

# How many requests of one person, or for one bundle, are listed.
NEWEST: Final = 1000

# Snapshots that are read in one go.
AT_ONCE: Final = 500

# Before every entry of a stream.
_BEGINNING: Final = "0-0"

# What commit.lua takes for "due now", by the server's clock.
NOW: Final = ""


class RedisLedger:
    """Ledger in Redis; a commit is one script."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def load(self, id_: RequestId) -> Request | None:
        """See `Ledger.load`."""
        [[request], _] = await self.load_all([id_], [])
        return request

    async def load_all(
        self, requests: Sequence[RequestId], accounts: Sequence[str]
    ) -> tuple[Sequence[Request | None], Sequence[Account]]:
        """See `Ledger.load_all`."""
        names = [*(("req", id_) for id_ in requests), *(("acc", id_) for id_ in accounts)]
        stored = await self._server.read_all(
            [("HGET", self._server.key(*name), "d") for name in names]
        )
        found, counted = stored[: len(requests)], stored[len(requests) :]
        return [None if record is None else read_record(Request, record) for record in found], [
            Account(id=id_) if record is None else read_record(Account, record)
            for id_, record in zip(accounts, counted, strict=True)
        ]

    async def commit(self, change: Commit) -> Committed:
        """See `Ledger.commit`."""
        server = self._server
        sections = _Rows(server, change).sections()
        fixed = [server.key(name) for name in ("job", "lease", "log")]
        keys = [*fixed, server.key("req", change.subject)]
        args: list[Word] = [change.id, "1" if only_ends(change) else "0"]
        for rows in sections:
            args.append(len(rows))
            for key, *words in rows:
                keys.append(key)
                args += words
        status, *time = await server.run("commit", keys=keys, args=args)
        server.on_time(server_time(*time))
        return _committed(status)

    async def history(self, id_: RequestId) -> Sequence[Event]:
        """See `Ledger.history`."""
        lines = await self._server.read("LRANGE", self._server.key("ev", id_), 0, -1)
        return [read_event(line) for line in lines]

    async def log(self, after: str = "", *, limit: int = 100) -> Sequence[tuple[str, Event]]:
        """See `Ledger.log`."""
        first = f"({after}" if after else "-"
        found = await self._server.read(
            "XRANGE", self._server.key("log"), first, "+", "COUNT", limit
        )
        return [(cursor.decode(), read_event(line)) for cursor, [_, line] in found]


def _committed(status: bytes) -> Committed:
    match status:
        case b"stored":
            return Committed.STORED
        case b"done":
            return Committed.DONE_BEFORE
        case b"conflict":
            raise Conflict("somebody else changed this first")
        case _:
            raise TooLate("the time for this is over")


def only_ends(change: Commit) -> bool:
    """Return whether `change` ends something and begins nothing.

    Such a commit is stored even when memory is full, so that nothing lives longer because of it.
    """
    # What a grant was used for is summed up after its end: that begins nothing.
    timers = [due for job, due in change.timers.items() if job.kind != Timer.SUM]
    ends: list[object] = [*timers, *change.opens.values(), *change.tokens.values()]
    new = any(write.expected == 0 for write in change.writes)
    return bool(ends) and not any(ends) and not new


class _Rows:
    """The rows of commit.lua that one change makes."""

    def __init__(self, server: Server, change: Commit) -> None:
        self._key = server.key
        self._change = change
        self._requests = [
            (write.record, write.expected == 0)
            for write in change.writes
            if isinstance(write.record, Request)
        ]

    def sections(self) -> list[list[Row]]:
        """Return the rows in the order of the script's header."""
        change, key = self._change, self._key
        listed, unlisted = self._index()
        opens = {key("open", id_): until for id_, until in change.opens.items()}
        tokens = {key("tok", hash_): record for hash_, record in change.tokens.items()}
        return [
            [(self._snapshot(write), write.expected) for write in change.writes],
            [(key("open", id_),) for id_ in change.needs_open],
            [(self._queue(job), str(job)) for job, due in change.timers.items() if due is None],
            [(name,) for name, kept in {**opens, **tokens}.items() if kept is None],
            unlisted,
            [
                (self._snapshot(write), write.record.version, write_record(write.record))
                for write in change.writes
            ],
            [(key("ev", event.request), write_event(event)) for event in change.events],
            [(key("ended"), write_record(token)) for token in change.ended],
            self._set(),
            [
                *((name, "1", stamp_ms(until)) for name, until in opens.items() if until),
                *(
                    (name, write_record(record), stamp_ms(record.expires_at))
                    for name, record in tokens.items()
                    if record
                ),
            ],
            listed,
            [
                (index, NEWEST)
                for request, is_new in self._requests
                if is_new
                for index in self._lists(listing_of(request))
            ],
            [
                (self._key(kind, request.id), milliseconds(KEEP))
                for request, _ in self._requests
                if request.is_over
                for kind in ("req", "ev", "fx")
            ],
        ]

    def _snapshot(self, write: Write) -> str:
        kind = "req" if isinstance(write.record, Request) else "acc"
        return self._key(kind, write.record.id)

    def _queue(self, job: JobId) -> str:
        return self._key("due", QUEUE_OF[job.kind])

    def _set(self) -> list[Row]:
        """Return the jobs to set; the commit id makes each payload differ from the last."""
        change = self._change
        timers = {job: due_ms(due) for job, due in change.timers.items() if due is not None}
        shows = [JobId(SHOW, id_) for id_ in change.show]
        jobs: list[tuple[JobId, Word]] = [*timers.items(), *((job, NOW) for job in shows)]
        return [(self._queue(job), str(job), due, change.id) for job, due in jobs]

    def _lists(self, listing: Listing) -> tuple[str, str]:
        return self._key("ix", "by", listing.by), self._key("ix", "of", listing.bundle)

    def _index(self) -> tuple[list[Row], list[Row]]:
        """Return the index entries to write and those to remove."""
        listed: list[Row] = []
        unlisted: list[Row] = []
        for request, is_new in self._requests:
            listing = listing_of(request)
            asked_ms = stamp_ms(listing.asked_at)
            listed += ((index, asked_ms, listing.request) for index in self._lists(listing))
            for name, until in (("pending", listing.decide_by), ("live", listing.ends_at)):
                index = self._key("ix", name)
                if until is not None:
                    listed.append((index, stamp_ms(until), listing.request))
                elif not is_new:
                    unlisted.append((index, listing.request))
        return listed, unlisted


class RedisChanges:
    """Changes in Redis; a cursor is an entry's id in the log."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._key = server.key("log")

    async def after(self, cursor: str, *, wait: timedelta) -> tuple[str, frozenset[RequestId]]:
        """See `Changes.after`."""
        if not cursor:
            last = await self._server.read("XREVRANGE", self._key, "+", "-", "COUNT", 1)
            return (last[0][0].decode() if last else _BEGINNING), frozenset()
        # BLOCK 0 would wait for ever.
        block: list[Word] = ["BLOCK", milliseconds(wait)] if wait else []
        answer = await self._server.read(
            "XREAD", "COUNT", AT_ONCE, *block, "STREAMS", self._key, cursor
        )
        [[_, found]] = answer or [[None, []]]
        if not found:
            return cursor, frozenset()
        return found[-1][0].decode(), frozenset(read_event(line).request for _, [_, line] in found)


class RedisListings:
    """Listings in Redis."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def of_person(self, who: Actor, *, limit: int = 20) -> Sequence[Request]:
        """See `Listings.of_person`."""
        return await self._newest(self._server.key("ix", "by", str(who)), limit)

    async def of_bundle(self, bundle: str, *, limit: int = 20) -> Sequence[Request]:
        """See `Listings.of_bundle`."""
        return await self._newest(self._server.key("ix", "of", bundle), limit)

    async def _newest(self, index: str, limit: int) -> Sequence[Request]:
        """Return the newest in `index`; those that were kept long enough may stand in it yet."""
        found, first = list[Request](), 0
        while len(found) < limit:
            last = first + limit - 1
            ids = await self._server.read("ZREVRANGE", index, first, last)
            found += await self._load(ids)
            if len(ids) < limit:
                break
            first += limit
        return found[:limit]

    async def live(self) -> Sequence[Request]:
        """See `Listings.live`."""
        ids = await self._server.read("ZRANGE", self._server.key("ix", "live"), 0, -1)
        found = [
            request
            for first in range(0, len(ids), AT_ONCE)
            for request in await self._load(ids[first : first + AT_ONCE])
        ]
        return [request for request in found if request.working_grant is not None]

    async def _load(self, ids: Sequence[bytes]) -> list[Request]:
        """Return those of the requests that are still kept."""
        names = [self._server.key("req", id_.decode()) for id_ in ids]
        stored = await self._server.read_all([("HGET", name, "d") for name in names])
        return [read_record(Request, record) for record in stored if record is not None]

    async def count_live(self) -> int:
        """See `Listings.count_live`."""
        return int(await self._server.read("ZCARD", self._server.key("ix", "live")))

    async def count_pending(self) -> int:
        """See `Listings.count_pending`."""
        return int(await self._server.read("ZCARD", self._server.key("ix", "pending")))
