import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import fakeredis
import pytest
from redis.asyncio import Redis

from bot.store.redis import RedisStore
from tests.contracts.changes_contract import ChangesContract
from tests.contracts.ended_contract import EndedContract
from tests.contracts.jobs_contract import JobsContract
from tests.contracts.ledger_contract import LedgerContract
from tests.contracts.listings_contract import ListingsContract
from tests.contracts.once_contract import OnceContract
from tests.contracts.receipts_contract import ReceiptsContract
from tests.contracts.tokens_contract import TokensContract
from tests.contracts.use_contract import UseContract
from tests.contracts.world import World


def world_on(redis: Redis) -> World:
    store = RedisStore.on(redis)

    async def wait(length: timedelta) -> None:
        await asyncio.sleep(length.total_seconds())

    return World(
        ledger=store.ledger,
        changes=store.changes,
        listings=store.listings,
        jobs=store.jobs,
        receipts=store.receipts,
        tokens=store.tokens,
        ended=store.ended,
        once=store.once,
        use=store.use,
        now=lambda: datetime.now(UTC),
        wait=wait,
    )


@pytest.fixture(params=["fakeredis", "server"])
async def world(request: pytest.FixtureRequest, redis: Redis) -> AsyncIterator[World]:
    if request.param == "server":
        yield world_on(redis)
    else:
        client = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer(), protocol=2)
        yield world_on(client)
        await client.aclose()


class TestRedisLedger(LedgerContract): ...


class TestRedisChanges(ChangesContract): ...


class TestRedisListings(ListingsContract): ...


class TestRedisJobs(JobsContract): ...


class TestRedisReceipts(ReceiptsContract): ...


class TestRedisTokens(TokensContract): ...


class TestRedisOnce(OnceContract): ...


class TestRedisUse(UseContract): ...


class TestRedisEnded(EndedContract): ...
