import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from aiohttp import ClientSession
from redis.asyncio import Redis

from bot.http.server import make_app
from bot.telemetry import configure_logging
from tests.http.house import House, house_in_memory, house_on, served


@pytest.fixture
def house() -> House:
    return house_in_memory()


@pytest.fixture
async def api(house: House) -> AsyncIterator[ClientSession]:
    """A client of the server of `house`."""
    async with served(make_app(house.parts())) as client:
        yield client


@pytest.fixture(params=["memory", "server"])
def each_house(request: pytest.FixtureRequest, redis: Redis) -> House:
    """A house on the twin and on a real server."""
    return house_in_memory() if request.param == "memory" else house_on(redis)


@pytest.fixture
async def each_api(each_house: House) -> AsyncIterator[ClientSession]:
    async with served(make_app(each_house.parts())) as client:
        yield client


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All that is logged, at the level that tells most."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    configure_logging("debug", stream)
    yield stream
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
