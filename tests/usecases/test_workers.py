"""Workers take what is due, hold on to it while they work, and lose nothing."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.core.errors import Busy, Unavailable
from bot.core.identity import RequestId
from bot.core.states import Timer
from bot.store.memory import MemoryJobs, MemoryStore
from bot.usecases.ports import SHOW, Commit, CommitId, Job, JobId, Queue
from bot.usecases.shows import LEASE
from bot.usecases.workers import AT_ONCE, Worker, backoff
from tests.builders import REQUEST, T0
from tests.clocks import ManualClock
from tests.usecases.bots import Bot, CountingMetrics


class Hand:
    """A handler that does as it is told, and remembers."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.taken: list[Job] = []
        self.cancelled = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, job: Job) -> None:
        self.taken.append(job)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.trouble is not None:
            raise self.trouble


def a_worker(bot: Bot, hand: Hand, *, queue: Queue = Queue.MESSAGES, jobs=None) -> Worker:
    handlers = dict.fromkeys((SHOW, Timer.WARN, Timer.END), hand)
    metrics = CountingMetrics()
    return Worker(queue, jobs or bot.jobs, handlers, clock=bot.clock, metrics=metrics)


async def show(bot: Bot, *requests: RequestId, id_: str = "c") -> None:
    subject = requests[0]
    await bot.ledger.commit(Commit(id=CommitId(id_), subject=subject, show=requests))


async def turn(worker: Worker) -> float:
    nap_s = await worker._turn()
    await worker.drained()
    return nap_s


async def until(holds, *, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  it is a state, not an event
            await asyncio.sleep(0.01)


async def test_what_is_done_is_gone(either: Bot) -> None:
    hand = Hand()
    await show(either, REQUEST)
    await turn(a_worker(either, hand))
    assert [job.id for job in hand.taken] == [JobId(SHOW, REQUEST)]
    assert await either.jobs.next_due(Queue.MESSAGES) is None


async def test_two_replicas_do_it_once(replicas: tuple[Bot, Bot]) -> None:
    hands = [Hand(), Hand()]
    ids = [RequestId(f"R-{n}") for n in range(50)]
    await show(replicas[0], *ids)
    workers = [a_worker(bot, hand) for bot, hand in zip(replicas, hands, strict=True)]
    for _ in range(5):
        await asyncio.gather(*(turn(worker) for worker in workers))
    done = [job.id.request for hand in hands for job in hand.taken]
    assert sorted(done) == sorted(ids)


@pytest.mark.parametrize(
    ("trouble", "outcome", "pause_s"),
    [
        (Busy("wait", wait_s=7.0), "busy", 7.0),
        (Unavailable("away"), "away", 0.5),
        (ValueError("a mistake"), "failed", 0.5),
    ],
)
async def test_what_could_not_be_done_comes_back(
    bot: Bot, trouble: Exception, outcome: str, pause_s: float
) -> None:
    hand = Hand(trouble)
    worker = a_worker(bot, hand)
    await show(bot, REQUEST)
    await turn(worker)
    assert worker._metrics.counts["jit_jobs_total", SHOW, outcome] == 1
    await bot.wait(timedelta(seconds=pause_s - 0.01))
    await turn(worker)
    assert len(hand.taken) == 1
    await bot.wait(timedelta(seconds=0.01))
    hand.trouble = None
    await turn(worker)
    assert [job.attempt for job in hand.taken] == [1, 2]
    assert await bot.jobs.next_due(Queue.MESSAGES) is None


async def test_a_job_of_an_unknown_kind_hurts_nobody(bot: Bot, store: MemoryStore) -> None:
    hand = Hand()
    store.owe(JobId(Timer.SCRUB, REQUEST), T0, "p")
    await show(bot, REQUEST)
    worker = a_worker(bot, hand)
    await turn(worker)
    assert [job.id.kind for job in hand.taken] == [SHOW]
    assert worker._metrics.counts["jit_jobs_total", Timer.SCRUB, "failed"] == 1
    assert await bot.jobs.next_due(Queue.MESSAGES) is not None


def test_the_pauses_grow_and_stay_under_a_minute() -> None:
    pauses = [backoff(attempt) for attempt in (1, 2, 3, 5, 50, 10**6)]
    assert [pause.total_seconds() for pause in pauses] == [0.5, 1, 2, 8, 60, 60]


async def test_a_holder_whose_job_was_taken_over_stops(bot: Bot) -> None:
    hand, thief = Hand(), Hand()
    hand.go.clear()
    await show(bot, REQUEST)
    slow = asyncio.create_task(turn(a_worker(bot, hand)))
    await until(lambda: hand.taken)
    await bot.wait(LEASE)
    await turn(a_worker(bot, thief))
    assert len(thief.taken) == 1
    await slow
    assert hand.cancelled == 1
    assert await bot.jobs.next_due(Queue.MESSAGES) is None


class MuteJobs(MemoryJobs):
    """A store that is away when a lease is to be renewed."""

    async def renew(self, job: Job, *, lease: timedelta) -> bool:
        raise Unavailable("the store did not answer")


async def test_a_holder_that_cannot_renew_its_lease_stops_when_it_ends(
    bot: Bot, store: MemoryStore
) -> None:
    hand = Hand()
    hand.go.clear()
    await show(bot, REQUEST)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await turn(a_worker(bot, hand, jobs=MuteJobs(store)))
    assert hand.cancelled == 1
    assert loop.time() - began < LEASE.total_seconds() + 1


async def test_a_slow_call_keeps_the_job_longer_than_its_lease(replicas: tuple[Bot, Bot]) -> None:
    one, other = replicas
    hand, thief = Hand(), Hand()
    hand.go.clear()
    await show(one, REQUEST)
    slow = asyncio.create_task(turn(a_worker(one, hand)))
    await until(lambda: hand.taken)
    waiting = a_worker(other, thief)
    for _ in range(4):
        await asyncio.sleep(LEASE.total_seconds() / 3)
        if isinstance(one.clock, ManualClock):
            await one.wait(LEASE / 3)
        await asyncio.sleep(0.05)
        await turn(waiting)
    hand.go.set()
    await slow
    assert thief.taken == []
    assert hand.cancelled == 0
    assert await one.jobs.next_due(Queue.MESSAGES) is None


async def test_a_stop_finishes_what_was_begun_and_begins_nothing(either: Bot) -> None:
    hand = Hand()
    hand.go.clear()
    worker = a_worker(either, hand)
    running = asyncio.create_task(worker.run())
    await show(either, REQUEST)
    await until(lambda: hand.taken)
    worker.stop()
    await show(either, RequestId("R-B"), id_="b")
    worker.soon(RequestId("R-B"))
    await asyncio.sleep(0.1)
    assert not running.done()
    hand.go.set()
    await asyncio.wait_for(running, 2)
    assert len(hand.taken) == 1
    assert await either.jobs.next_due(Queue.MESSAGES) is not None


async def test_a_nudge_shows_at_once_without_a_turn(either: Bot) -> None:
    hand = Hand()
    worker = a_worker(either, hand)
    await show(either, REQUEST)
    worker.soon(REQUEST)
    worker.soon(REQUEST)
    worker.soon(RequestId("R-B"))
    await worker.drained()
    assert len(hand.taken) == 1


async def test_a_flood_of_nudges_is_left_to_the_turns(bot: Bot) -> None:
    hand = Hand()
    hand.go.clear()
    worker = a_worker(bot, hand)
    ids = [RequestId(f"R-{n:03}") for n in range(AT_ONCE + 20)]
    await show(bot, *ids)
    for id_ in ids:
        worker.soon(id_)
    await until(lambda: len(hand.taken) == AT_ONCE)
    assert await worker._turn() > 0
    assert len(hand.taken) == AT_ONCE
    hand.go.set()
    await worker.drained()
    await turn(worker)
    assert {job.id.request for job in hand.taken} == set(ids)


class AwayJobs(MemoryJobs):
    away = True

    async def claim(
        self, queue: Queue, *, limit: int, lease: timedelta, only: JobId | None = None
    ) -> Sequence[Job]:
        if self.away:
            raise Unavailable("the store did not answer")
        return await super().claim(queue, limit=limit, lease=lease, only=only)


async def test_a_store_that_is_away_is_asked_again(bot: Bot, store: MemoryStore) -> None:
    hand, jobs = Hand(), AwayJobs(store)
    worker = a_worker(bot, hand, jobs=jobs)
    await show(bot, REQUEST)
    worker.soon(REQUEST)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0.05)
    assert hand.taken == []
    jobs.away = False
    await until(lambda: hand.taken)
    worker.stop()
    await running


async def test_a_timer_set_by_another_replica_is_seen_within_a_second(
    replicas: tuple[Bot, Bot],
) -> None:
    one, other = replicas
    hand = Hand()
    worker = a_worker(one, hand, queue=Queue.SAFETY)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0.05)
    due = other.clock.now()
    await other.ledger.commit(
        Commit(id=CommitId("c"), subject=REQUEST, timers={JobId(Timer.END, REQUEST): due})
    )
    await until(lambda: hand.taken, within_s=1.0)
    worker.stop()
    await running


async def test_messages_never_keep_safety_waiting(bot: Bot) -> None:
    stuck, safe = Hand(), Hand()
    stuck.go.clear()
    ids = [RequestId(f"R-{n:03}") for n in range(AT_ONCE * 2)]
    await show(bot, *ids)
    await bot.ledger.commit(
        Commit(id=CommitId("e"), subject=REQUEST, timers={JobId(Timer.END, REQUEST): T0})
    )
    messages = a_worker(bot, stuck)
    await messages._turn()
    await turn(a_worker(bot, safe, queue=Queue.SAFETY))
    assert [job.id.kind for job in safe.taken] == [Timer.END]
    stuck.go.set()
    await messages.drained()
