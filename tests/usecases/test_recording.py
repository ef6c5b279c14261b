"""What enforcement points saw is written in batches, without holding anybody up."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.errors import OutcomeUnknown
from bot.core.usage import Life, Seen
from bot.store.memory import MemoryJobs, MemoryStore
from bot.store.memory_use import MemoryUseBook
from bot.telemetry import MemoryMetrics
from bot.usecases import recording
from bot.usecases.recording import HELD_AT_MOST, USES_AT_ONCE, Recorder, Recording
from bot.usecases.use import Use, UseOutcome
from tests.builders import REQUEST, T0
from tests.clocks import ManualClock

API = "https://billing.example"
DROPPED = "jit_use_dropped_total"


def use(**over):
    plain = Use(
        request=REQUEST,
        jti="G-AAAAAAAAAAAA.1",
        scopes=("invoices:read",),
        resource=API,
        outcome=UseOutcome.ALLOWED,
        point="billing-api",
        address="",
        at=T0,
    )
    return replace(plain, **over)


class Book(MemoryUseBook):
    """A book that can be away, before or after it has written."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(lambda: T0))
        self.batches = []
        self.lost = 0
        self.added = asyncio.Event()

    async def add(self, batch) -> None:
        self.batches.append(batch)
        self.added.set()
        await super().add(batch)
        if self.lost:
            self.lost -= 1
            raise OutcomeUnknown("the store did not answer in time")


def made(book, metrics=None):
    clock = ManualClock()
    jobs = MemoryJobs(MemoryStore(clock.now))
    return Recorder(book, jobs, instance="i", clock=clock, metrics=metrics or MemoryMetrics())


async def counts(book):
    [found] = await book.of([REQUEST])
    return {(each.seen, each.name): each.count for each in found}


async def test_equal_calls_are_one_tally_and_one_write():
    book = Book()
    recorder = made(book)
    for second in range(1000):
        recorder.note(use(at=T0 + timedelta(seconds=second), address="10.0.0.1"))
    await recorder.flush()
    [batch] = book.batches
    assert {(each.seen, each.name) for each in batch.tallies[REQUEST]} == {
        (Seen.ALLOWED, "invoices:read"),
        (Seen.POINT, "billing-api"),
        (Seen.ADDRESS, "10.0.0.1"),
    }
    for each in batch.tallies[REQUEST]:
        assert (each.count, each.first, each.last) == (1000, T0, T0 + timedelta(seconds=999))
    await recorder.flush()
    assert len(book.batches) == 1


async def test_a_use_with_scopes_shows_that_its_point_is_alive_and_one_without_does_not():
    book = Book()
    recorder = made(book)
    recorder.note(use(scopes=()))
    await recorder.flush()
    assert await book.lives(API, since=T0) == []
    assert (await counts(book))[Seen.ALLOWED, ""] == 1
    recorder.note(use())
    await recorder.flush()
    assert await book.lives(API, since=T0) == [Life(T0, T0)]


async def test_a_point_that_says_so_is_alive():
    book = Book()
    recorder = made(book)
    recorder.alive(API, point="p")
    await recorder.flush()
    assert await book.lives(API, since=T0) == [Life(T0, T0)]


async def test_what_may_have_been_written_is_sent_again_and_counted_once():
    book = Book()
    recorder = made(book)
    recorder.note(use())
    book.lost = 2
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await recorder.flush()
        recorder.note(use())
    await recorder.flush()
    assert (await counts(book))[Seen.ALLOWED, "invoices:read"] == 3
    assert [batch.id for batch in book.batches] == ["i.1", "i.1", "i.1", "i.2"]


async def test_what_finds_no_room_is_dropped_and_counted_and_what_is_known_goes_on():
    book, metrics = Book(), MemoryMetrics()
    recorder = made(book, metrics)
    for number in range(HELD_AT_MOST):
        recorder.note(use(scopes=(f"s{number}",)))
    dropped = metrics.value(DROPPED)
    assert dropped == 0
    recorder.note(use(scopes=("s0",), count=4))
    assert metrics.value(DROPPED) == dropped
    recorder.note(use(scopes=("another",)))
    assert metrics.value(DROPPED) == dropped + 1
    await recorder.flush()
    most = max(len(batch.tallies[REQUEST]) for batch in book.batches)
    assert most == USES_AT_ONCE + 1  # a scope each, and the point
    recorder.note(use(scopes=("another",)))
    await recorder.flush()
    found = await counts(book)
    assert (found[Seen.ALLOWED, "s0"], found[Seen.ALLOWED, "another"]) == (5, 1)


async def test_points_that_are_held_are_bounded():
    metrics = MemoryMetrics()
    recorder = made(Book(), metrics)
    for number in range(recording.BEATS_HELD_AT_MOST + 3):
        recorder.alive(API, point=f"p{number}")
    assert metrics.value(DROPPED) == 3


async def test_misuse_is_written_at_once_and_the_rest_at_the_end():
    book = Book()
    recorder, looks = made(book), []
    work = Recording(recorder, look=lambda: looks.append(1))
    task = asyncio.create_task(work.run())
    recorder.note(use(outcome=UseOutcome.BEYOND))
    async with asyncio.timeout(recording.FLUSH_EVERY_S * 0.9):
        await book.added.wait()
    recorder.note(use())
    work.stop()
    await task
    assert looks
    assert await counts(book) == {
        (Seen.BEYOND, "invoices:read"): 1,
        (Seen.ALLOWED, "invoices:read"): 1,
        (Seen.POINT, "billing-api"): 2,
    }


async def test_a_store_that_is_away_ends_nothing():
    book = Book()
    recorder = made(book)
    work = Recording(recorder, look=lambda: None)
    recorder.note(use(outcome=UseOutcome.BEYOND))
    book.lost = 1
    task = asyncio.create_task(work.run())
    async with asyncio.timeout(5):
        while len(book.batches) < 2:
            book.added.clear()
            await book.added.wait()
    work.stop()
    await task
    assert (await counts(book))[Seen.BEYOND, "invoices:read"] == 1


async def test_a_store_that_was_away_when_the_end_began_is_tried_once_more():
    class Last(Book):
        async def add(self, batch) -> None:
            work.stop()
            await super().add(batch)

    book = Last()
    recorder = made(book)
    work = Recording(recorder, look=lambda: None)
    recorder.note(use(outcome=UseOutcome.BEYOND))
    book.lost = 1
    await work.run()
    assert [batch.id for batch in book.batches] == ["i.1", "i.1"]
