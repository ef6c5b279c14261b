"""TokenIndex, EndedTokens and Once in Redis.

Keys, each behind the prefix (`Server.key`): tok:<sha256> and the stream `ended`, written by
commits; once:<name>. The first and the last die by themselves; of the stream whoever follows it
removes what is over.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

from bot.store.records import read_record
from bot.store.redis_reads import Reads
from bot.store.redis_server import Server, Word, milliseconds
from bot.usecases.ports import EndedToken, Place, TokenHash, TokenRecord

# Keys that one step of a walk through all of them looks at.
_PAGE: Final = 1000


class RedisTokenIndex:
    """TokenIndex in Redis."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reads = Reads(server)
        self._begin = server.key("tok", "")

    async def find(self, hash_: TokenHash) -> TokenRecord | None:
        """See `TokenIndex.find`."""
        stored = await self._reads.get(self._begin + hash_)
        return None if stored is None else _read(stored)

    async def living(self) -> Collection[tuple[TokenHash, TokenRecord]]:
        """See `TokenIndex.living`."""
        found: dict[TokenHash, TokenRecord] = {}
        begin, pattern = self._begin, self._server.key("tok", "*")
        place = b"0"
        while True:
            place, keys = await self._server.read("SCAN", place, "MATCH", pattern, "COUNT", _PAGE)
            stored = await self._server.read("MGET", *keys) if keys else []
            for key, line in zip(keys, stored, strict=True):
                if line is not None:
                    hash_ = TokenHash(key.decode().removeprefix(begin))
                    found[hash_] = read_record(TokenRecord, line)
            if place == b"0":
                return found.items()


@lru_cache(maxsize=1024)
def _read(stored: bytes) -> TokenRecord:
    """Return the record that `stored` is; a token that is much used is read once only.

    Equal bytes are equal records, and whether they still stand there is asked each time.
    """
    return read_record(TokenRecord, stored)


class RedisEndedTokens:
    """EndedTokens in Redis; a place is an entry's id in the stream."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._key = server.key("ended")

    async def after(
        self, place: Place, *, limit: int, wait: timedelta
    ) -> Sequence[tuple[Place, EndedToken]]:
        """See `EndedTokens.after`."""
        # BLOCK 0 would wait for ever.
        block: list[Word] = ["BLOCK", milliseconds(wait)] if wait else []
        answer = await self._server.read(
            "XREAD", "COUNT", limit, *block, "STREAMS", self._key, _entry(place)
        )
        [[_, found]] = answer or [[None, []]]
        return [(_place(id_), read_record(EndedToken, line)) for id_, [_, line] in found]

    async def forget(self, places: Sequence[Place]) -> None:
        """See `EndedTokens.forget`."""
        if places:
            await self._server.read("XDEL", self._key, *map(_entry, places))


def _entry(place: Place) -> str:
    return "-".join(map(str, place))


def _place(entry: bytes) -> Place:
    ms, number = entry.split(b"-")
    return int(ms), int(number)


class RedisOnce:
    """Once in Redis."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def first(self, name: str, *, within: timedelta) -> bool:
        """See `Once.first`."""
        # Sent once only: a retry would find its own first try and say no.
        key = self._server.key("once", name)
        answer = await self._server.run_once("SET", key, 1, "NX", "PX", milliseconds(within))
        return answer is not None
