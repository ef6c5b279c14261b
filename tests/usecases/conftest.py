import pytest
from redis.asyncio import Redis

from bot.store.memory import MemoryStore
from tests.clocks import ManualClock
from tests.usecases.bots import Bot, in_memory, on_redis


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock.now)


@pytest.fixture
def bot(store: MemoryStore, clock: ManualClock) -> Bot:
    """A bot in memory, whose time passes only when a test says so."""
    return in_memory(store, clock)


@pytest.fixture(params=["memory", "server"])
def replicas(request: pytest.FixtureRequest) -> tuple[Bot, Bot]:
    """Two bots on one store, first in memory, then on a real server."""
    if request.param == "memory":
        clock = ManualClock()
        store = MemoryStore(clock.now)
        return in_memory(store, clock), in_memory(store, clock)
    redis: Redis = request.getfixturevalue("redis")
    return on_redis(redis), on_redis(redis)


@pytest.fixture
def either(replicas: tuple[Bot, Bot]) -> Bot:
    """A bot in memory, then one on a real server."""
    return replicas[0]
