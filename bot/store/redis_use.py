"""UseBook in Redis.

Keys, each behind the prefix (`Server.key`); all die by themselves:

* used:<batch>         mark of a batch that was added
* use:<request>        hash: "seen|name" to "count|first ms|last ms"
* lives:<resource>     zset: "begun ms|point" by the last beat, see use.lua; points:<resource> goes
                       with it; the resource is hashed, as its name may be long
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bot.core.identity import RequestId, fingerprint
from bot.core.usage import Life, Seen, Tally
from bot.store.redis_server import Server, Word, milliseconds, moment, stamp_ms
from bot.usecases.use import (
    BATCH_KEPT,
    LIVES_AT_MOST,
    NAMES_AT_MOST,
    POINTS_AT_MOST,
    SILENCE,
    USE_KEPT,
    Batch,
)

_BOUNDS: Final[tuple[Word, ...]] = (
    milliseconds(BATCH_KEPT),
    milliseconds(USE_KEPT),
    NAMES_AT_MOST,
    POINTS_AT_MOST,
    LIVES_AT_MOST,
    milliseconds(SILENCE),
)


class RedisUseBook:
    """UseBook in Redis; a batch is one script."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def add(self, batch: Batch) -> None:
        """See `UseBook.add`."""
        key = self._server.key
        keys, args = [key("used", fingerprint(batch.id))], list(_BOUNDS)
        rows = [(id_, tally) for id_, tallies in batch.tallies.items() for tally in tallies]
        args.append(len(rows))
        for id_, tally in rows:
            keys.append(key("use", id_))
            field = f"{tally.seen}|{tally.name}"
            args += [field, tally.count, stamp_ms(tally.first), stamp_ms(tally.last)]
        args.append(len(batch.beats))
        for beat in batch.beats:
            name = fingerprint(beat.resource)
            keys += [key("lives", name), key("points", name)]
            args += [beat.point, stamp_ms(beat.at)]
        await self._server.run("use", keys=keys, args=args)

    async def of(self, requests: Sequence[RequestId]) -> Sequence[Sequence[Tally]]:
        """See `UseBook.of`."""
        names = [self._server.key("use", id_) for id_ in requests]
        stored = await self._server.read_all([("HGETALL", name) for name in names])
        return [[_tally(*pair) for pair in zip(*[iter(flat)] * 2, strict=True)] for flat in stored]

    async def lives(self, resource: str, *, since: datetime) -> Sequence[Life]:
        """See `UseBook.lives`."""
        key = self._server.key("lives", fingerprint(resource))
        flat = await self._server.read("ZRANGEBYSCORE", key, stamp_ms(since), "+inf", "WITHSCORES")
        return [
            Life(begun=moment(int(member.partition(b"|")[0])), until=moment(int(float(last))))
            for member, last in zip(*[iter(flat)] * 2, strict=True)
        ]


def _tally(field: bytes, stored: bytes) -> Tally:
    seen, _, name = field.decode().partition("|")
    count, first, last = (int(number) for number in stored.split(b"|"))
    return Tally(seen=Seen(seen), name=name, count=count, first=moment(first), last=moment(last))
