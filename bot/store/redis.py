"""The store in Redis (6.2 or later, or Valkey), and whether a server is fit for it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from bot.store.redis_jobs import RedisJobs, RedisReceipts
from bot.store.redis_ledger import RedisChanges, RedisLedger, RedisListings
from bot.store.redis_policies import RedisPolicies
from bot.store.redis_server import PREFIX, Server, connect, ignore_time
from bot.store.redis_tokens import RedisEndedTokens, RedisOnce, RedisTokenIndex
from bot.store.redis_use import RedisUseBook

__all__ = ["PREFIX", "RedisStore", "check_server", "connect", "current_epoch", "epoch"]

# SET PXAT, and ranges that leave out their first entry.
OLDEST: Final = (6, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisStore:
    """All ports of the store on one Redis."""

    ledger: RedisLedger
    changes: RedisChanges
    listings: RedisListings
    jobs: RedisJobs
    receipts: RedisReceipts
    tokens: RedisTokenIndex
    ended: RedisEndedTokens
    once: RedisOnce
    policies: RedisPolicies
    use: RedisUseBook

    @classmethod
    def on(
        cls,
        redis: Redis,
        *,
        prefix: str = PREFIX,
        on_time: Callable[[datetime], None] = ignore_time,
    ) -> "RedisStore":
        """Return the store on `redis`, a client from `connect`; see `Server` for the rest."""
        server = Server(redis, prefix=prefix, on_time=on_time)
        return cls(
            ledger=RedisLedger(server),
            changes=RedisChanges(server),
            listings=RedisListings(server),
            jobs=RedisJobs(server),
            receipts=RedisReceipts(server),
            tokens=RedisTokenIndex(server),
            ended=RedisEndedTokens(server),
            once=RedisOnce(server),
            policies=RedisPolicies(server),
            use=RedisUseBook(server),
        )


async def check_server(redis: Redis) -> list[str]:
    """Return what is wrong with the server, a sentence each that says what to do; [] if nothing.

    Asks INFO only, because managed servers refuse CONFIG.

    Raises:
        Unavailable: It did not answer.
    """
    answer = await Server(redis).read("INFO")
    return problems_of(read_info(answer.decode()))


def read_info(text: str) -> Mapping[str, str]:
    """Return the fields of an INFO answer."""
    return dict(line.partition(":")[::2] for line in text.splitlines() if ":" in line)


def problems_of(info: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a server that says `info` of itself; see `check_server`."""
    found = re.match(r"(\d+)\.(\d+)", info.get("redis_version", ""))
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    policy = info.get("maxmemory_policy", "unknown")
    checks = {
        f"Redis is version {info.get('redis_version', 'unknown')}; use 6.2 or later, "
        "or any Valkey": version >= OLDEST,
        f"Redis drops keys when memory is full (maxmemory-policy is {policy}); "
        "set maxmemory-policy noeviction": policy == "noeviction",
        "Redis keeps nothing over a restart; set appendonly yes (and appendfsync always)": (
            info.get("aof_enabled") == "1"
        ),
        "this Redis is a replica, which cannot be written to; give the address of the master": (
            info.get("role") == "master"
        ),
    }
    return [problem for problem, holds in checks.items() if not holds]


async def epoch(redis: Redis, *, create: str, prefix: str = PREFIX) -> str:
    """Return the mark that the first start left, which is `create` if this is the first.

    A mark that changes or is gone later means that the store was wiped.

    Raises:
        Unavailable: The server did not answer.
    """
    server = Server(redis, prefix=prefix)
    [_, mark] = await server.read_all(
        [("SET", server.key("meta"), create, "NX"), ("GET", server.key("meta"))]
    )
    return str(mark.decode())


async def current_epoch(redis: Redis, *, prefix: str = PREFIX) -> str | None:
    """Return the mark, or None when there is none: the store is new, or was wiped.

    Raises:
        Unavailable: The server did not answer.
    """
    server = Server(redis, prefix=prefix)
    mark: Any = await server.read("GET", server.key("meta"))
    return None if mark is None else str(mark.decode())
