import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings
from redis.asyncio import Redis

from bot.store.embedded import EmbeddedServer
from bot.store.redis import connect

settings.register_profile("plain", deadline=None)
settings.load_profile("plain")
os.environ.pop("REDIS_URL", None)  # tests never touch a server that they did not start


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_url() -> AsyncIterator[str]:
    """A real server for the whole run; `redis` empties it before each test."""
    with tempfile.TemporaryDirectory(prefix="jit-") as folder:
        async with EmbeddedServer(Path(folder)) as server:
            yield server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the real server, emptied."""
    client = connect(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()
