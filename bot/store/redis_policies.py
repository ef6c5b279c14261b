"""What all replicas know of policy files, in Redis.

Keys, each behind the prefix (`Server.key`):

* policy:good  the last files that came into force, packed
* policy:told  hash of receipts: what stands in the admin channel, by name
"""

from collections.abc import Mapping

from bot.store.records import read_record, write_record
from bot.store.redis_server import Server
from bot.usecases.ports import Receipt


class RedisPolicies:
    """Keeps the last good files, and what operators were told."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def good(self) -> bytes | None:
        """Return the last good files, None if there never were any.

        Raises:
            Unavailable: The store did not answer.
        """
        kept: bytes | None = await self._server.read("GET", self._server.key("policy", "good"))
        return kept

    async def keep_good(self, packed: bytes) -> None:
        """Keep files that came into force.

        Raises:
            Unavailable: They may not have been kept.
        """
        await self._server.read("SET", self._server.key("policy", "good"), packed)

    async def told(self) -> Mapping[str, Receipt]:
        """Return what stands in the admin channel, by name.

        Raises:
            Unavailable: The store did not answer.
        """
        kept = await self._server.read("HVALS", self._server.key("policy", "told"))
        receipts = [read_record(Receipt, each) for each in kept]
        return {receipt.name: receipt for receipt in receipts}

    async def keep_told(self, receipt: Receipt) -> None:
        """Keep what stands in the admin channel now.

        Raises:
            Unavailable: It may not have been kept.
        """
        key = self._server.key("policy", "told")
        await self._server.read("HSET", key, receipt.name, write_record(receipt))
