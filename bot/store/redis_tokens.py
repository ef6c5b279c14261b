"""TokenIndex and Once in Redis.

Keys, each behind the prefix (`Server.key`): tok:<sha256>, written by commits; once:<name>. Both
die by themselves.
"""

from datetime import timedelta

from bot.store.records import read_record
from bot.store.redis_reads import Reads
from bot.store.redis_server import Server, milliseconds
from bot.usecases.ports import TokenHash, TokenRecord


class RedisTokenIndex:
    """TokenIndex in Redis."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reads = Reads(server)

    async def find(self, hash_: TokenHash) -> TokenRecord | None:
        """See `TokenIndex.find`."""
        stored = await self._reads.get(self._server.key("tok", hash_))
        return None if stored is None else read_record(TokenRecord, stored)


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
