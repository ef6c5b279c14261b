import pytest
from redis.asyncio import Redis

from bot.store.redis import check_server, connect, current_epoch, epoch, problems_of

FIT = {
    "redis_version": "7.2.4",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "role": "master",
}


async def test_the_embedded_server_is_fit(redis: Redis) -> None:
    assert await check_server(redis) == []


async def test_a_server_that_drops_keys_is_not(redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        [problem] = await check_server(redis)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
    assert "set maxmemory-policy noeviction" in problem


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("redis_version", "6.0.16", "use 6.2 or later"),
        ("redis_version", "", "use 6.2 or later"),
        ("maxmemory_policy", "volatile-ttl", "set maxmemory-policy noeviction"),
        ("aof_enabled", "0", "set appendonly yes"),
        ("role", "slave", "give the address of the master"),
    ],
)
def test_each_problem_says_what_to_do(field: str, value: str, advice: str) -> None:
    [problem] = problems_of({**FIT, field: value})
    assert advice in problem


def test_what_a_server_does_not_say_is_a_problem() -> None:
    assert len(problems_of({})) == 4


@pytest.mark.parametrize("version", ["6.2.14", "7.0.15", "10.0.0", "255.255.255"])
def test_later_versions_are_fit(version: str) -> None:
    assert problems_of({**FIT, "redis_version": version}) == []


async def test_the_first_start_marks_the_store_and_later_ones_find_the_mark(redis: Redis) -> None:
    assert await current_epoch(redis) is None
    assert await epoch(redis, create="first") == "first"
    assert await epoch(redis, create="second") == "first"
    assert await current_epoch(redis) == "first"
    await redis.flushdb()
    assert await current_epoch(redis) is None


@pytest.mark.parametrize("url", ["http://x", "localhost:6379", ""])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        connect(url)


@pytest.mark.parametrize("url", ["redis://h:1/2?protocol=3", "rediss://h:1", "unix:///a.sock"])
async def test_no_option_of_the_url_changes_what_the_store_relies_on(url: str) -> None:
    options = connect(url).connection_pool.connection_kwargs
    assert options["protocol"] == 2
    assert options["retry"].get_retries() == 0
