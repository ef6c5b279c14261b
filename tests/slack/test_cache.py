import asyncio
from datetime import timedelta

import pytest

from bot.slack.cache import Kept
from tests.clocks import ManualClock

KEEP = timedelta(minutes=1)


class Source:
    """Counts how often it was asked; `answer` may be an exception."""

    def __init__(self, answer=1):
        self.asked = []
        self.answer = answer
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, name):
        self.asked.append(name)
        answer = self.answer
        await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def begun():
    """Let what was begun come to its first wait."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def kept(source, clock):
    return Kept(source.find, keep=KEEP, now=clock.now, at_most=3)


async def test_an_answer_is_kept_for_its_time_and_no_longer(kept, source, clock):
    await kept.get("a")
    await clock.wait(KEEP - timedelta(microseconds=1))
    assert await kept.get("a") == 1
    source.answer = 2
    await clock.wait(timedelta(microseconds=1))
    assert await kept.get("a") == 2
    assert source.asked == ["a", "a"]


async def test_a_failure_is_not_kept(kept, source):
    source.answer = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await kept.get("a")
    source.answer = 1
    assert await kept.get("a") == 1


async def test_many_at_once_share_one_look_and_its_failure(kept, source):
    source.gate.clear()
    source.answer = ValueError("no")
    asking = [asyncio.create_task(kept.get("a")) for _ in range(5)]
    await begun()
    source.gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError] * 5
    assert source.asked == ["a"]


async def test_one_who_gives_up_does_not_take_the_others_answer_along(kept, source):
    source.gate.clear()
    impatient, patient = (asyncio.create_task(kept.get("a")) for _ in range(2))
    await begun()
    impatient.cancel()
    await begun()
    source.gate.set()
    assert await patient == 1


async def test_a_fresh_look_does_not_share_one_that_is_under_way(kept, source):
    source.gate.clear()
    old = asyncio.create_task(kept.get("a"))
    await begun()
    source.answer = 2
    new = asyncio.create_task(kept.get("a", fresh=True))
    await begun()
    source.gate.set()
    assert (await old, await new) == (1, 2)
    assert await kept.get("a") == 2


async def test_what_is_forgotten_while_it_is_looked_up_is_not_kept(kept, source):
    source.gate.clear()
    old = asyncio.create_task(kept.get("a"))
    await begun()
    kept.forget("a")
    source.gate.set()
    assert await old == 1
    source.answer = 2
    assert await kept.get("a") == 2


async def test_the_oldest_answer_goes_first_when_there_are_too_many(kept, source):
    for name in ("a", "b", "c", "d"):
        await kept.get(name)
    for name in ("b", "c", "d"):
        await kept.get(name)
    assert source.asked == ["a", "b", "c", "d"]
    await kept.get("a")
    assert source.asked[-1] == "a"
