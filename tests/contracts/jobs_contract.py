import asyncio
from datetime import datetime, timedelta

from bot.usecases.ports import Job, JobId, Queue
from tests.builders import REQUEST, T0
from tests.contracts.world import LONG, MILLISECOND, MOMENT, World, change, job, opening

SHOW = JobId("show", REQUEST)
# Due times are rounded up to a millisecond, so a timer that is set for now is not due yet.
OVERDUE = -timedelta(seconds=1)


async def set_timer(world: World, after: timedelta, *, id_: str, kind: str = "end") -> datetime:
    """Set a timer and return its due time."""
    due = world.now() + after
    await world.ledger.commit(change(id_, timers={job(kind): due}))
    return due


async def stop_timer(world: World, *, id_: str) -> None:
    await world.ledger.commit(change(id_, timers={job(): None}))


async def show(world: World, id_: str) -> None:
    await world.ledger.commit(change(id_, show=[REQUEST]))


async def claim_one(world: World, queue: Queue = Queue.MESSAGES, lease: timedelta = LONG) -> Job:
    [claimed] = await world.jobs.claim(queue, limit=1, lease=lease)
    return claimed


class JobsContract:
    async def test_a_timer_is_claimed_when_it_is_due_and_not_before(self, world: World) -> None:
        due = await set_timer(world, MOMENT, id_="a")
        claimed = await world.until_owed()
        assert (claimed.id, claimed.attempt) == (job(), 1)
        assert due <= claimed.due < due + MILLISECOND
        assert claimed.due <= claimed.now <= world.now() + timedelta(seconds=1)

    async def test_no_timer_is_claimed_a_part_of_a_millisecond_early(self, world: World) -> None:
        for n in range(40):
            due = world.now() + timedelta(microseconds=2_999 + 37 * n)
            await world.ledger.commit(change(f"c{n}", timers={job("lapse"): due}))
            while not (claimed := await world.owed()):
                await world.wait(timedelta(microseconds=100))
            assert claimed[0].now >= due
            assert await world.jobs.finish(claimed[0])

    async def test_each_queue_has_its_own_jobs(self, world: World) -> None:
        kinds = ("lapse", "end", "warn", "scrub")
        timers = {job(kind): world.now() + OVERDUE for kind in kinds}
        await world.ledger.commit(change("c", timers=timers, show=[REQUEST]))
        safety = {claimed.id.kind for claimed in await world.owed(Queue.SAFETY)}
        messages = {claimed.id.kind for claimed in await world.owed(Queue.MESSAGES)}
        assert (safety, messages) == ({"lapse", "end"}, {"warn", "scrub", "show"})

    async def test_a_timer_moves(self, world: World) -> None:
        await set_timer(world, OVERDUE, id_="a")
        due = await set_timer(world, MOMENT, id_="b")
        assert (await world.until_owed()).now >= due

    async def test_a_stopped_timer_is_never_due(self, world: World) -> None:
        await set_timer(world, OVERDUE, id_="a")
        await stop_timer(world, id_="b")
        assert await world.owed() == []
        assert await world.jobs.next_due(Queue.SAFETY) is None

    async def test_stopping_a_timer_ends_its_lease(self, world: World) -> None:
        await set_timer(world, OVERDUE, id_="a")
        [claimed] = await world.owed()
        await stop_timer(world, id_="b")
        await set_timer(world, OVERDUE, id_="c")
        assert not await world.jobs.finish(claimed)
        assert len(await world.owed()) == 1

    async def test_one_of_twenty_claimers_gets_the_job(self, world: World) -> None:
        await show(world, "a")
        claims = await asyncio.gather(*(world.owed(Queue.MESSAGES) for _ in range(20)))
        assert sum(len(claimed) for claimed in claims) == 1

    async def test_the_longest_due_come_first_and_no_more_than_asked(self, world: World) -> None:
        now = world.now()
        for n, kind in enumerate(("scrub", "warn", "show")):
            due = now - timedelta(seconds=9 - n)
            await world.ledger.commit(change(kind, timers={job(kind): due}))
        claimed = await world.owed(Queue.MESSAGES, limit=2)
        assert [each.id.kind for each in claimed] == ["scrub", "warn"]

    async def test_a_finished_job_is_gone(self, world: World) -> None:
        await show(world, "a")
        claimed = await claim_one(world, lease=MOMENT)
        assert await world.jobs.finish(claimed)
        await world.wait(MOMENT * 1.5)
        assert await world.owed(Queue.MESSAGES) == []
        assert not await world.jobs.finish(claimed)

    async def test_a_lease_that_ends_hands_the_job_over(self, world: World) -> None:
        await show(world, "a")
        old = await claim_one(world, lease=MOMENT)
        new = await world.until_owed(Queue.MESSAGES)
        assert new.now > old.now + MOMENT - MILLISECOND
        assert (new.id, new.attempt, new.payload) == (old.id, 2, old.payload)
        assert new.fence != old.fence

    async def test_an_old_holder_is_refused_everything(self, world: World) -> None:
        await show(world, "a")
        old = await claim_one(world, lease=MOMENT)
        await world.wait(MOMENT * 1.5)
        new = await claim_one(world, lease=LONG)
        assert not await world.jobs.renew(old, lease=timedelta(0))
        assert not await world.jobs.postpone(old, delay=timedelta(0))
        assert not await world.jobs.finish(old)
        await world.wait(timedelta(milliseconds=5))
        assert await world.owed(Queue.MESSAGES) == []
        assert await world.jobs.finish(new)

    async def test_a_late_holder_whose_job_nobody_took_still_has_it(self, world: World) -> None:
        await show(world, "a")
        claimed = await claim_one(world, lease=timedelta(milliseconds=1))
        await world.wait(timedelta(milliseconds=5))
        assert await world.jobs.renew(claimed, lease=LONG)
        assert await world.owed(Queue.MESSAGES) == []

    async def test_a_renewed_lease_starts_anew(self, world: World) -> None:
        await show(world, "a")
        claimed = await claim_one(world, lease=MOMENT)
        assert await world.jobs.renew(claimed, lease=LONG)
        await world.wait(MOMENT * 1.5)
        assert await world.owed(Queue.MESSAGES) == []

    async def test_a_job_set_while_leased_is_due_after_the_finish(self, world: World) -> None:
        await show(world, "a")
        claimed = await claim_one(world)
        await show(world, "b")
        assert await world.owed(Queue.MESSAGES) == []
        assert await world.jobs.finish(claimed)
        again = await claim_one(world)
        assert again.payload != claimed.payload
        assert await world.jobs.finish(again)
        assert await world.owed(Queue.MESSAGES) == []

    async def test_a_timer_moved_to_later_while_leased_waits(self, world: World) -> None:
        await set_timer(world, OVERDUE, id_="a")
        claimed = await claim_one(world, Queue.SAFETY)
        due = await set_timer(world, MOMENT, id_="b")
        assert await world.jobs.finish(claimed)
        assert (await world.until_owed()).now >= due

    async def test_a_timer_moved_to_later_outlives_a_dead_holder(self, world: World) -> None:
        await set_timer(world, OVERDUE, id_="a")
        await claim_one(world, Queue.SAFETY, lease=MILLISECOND)
        due = await set_timer(world, MOMENT, id_="b")
        assert (await world.until_owed()).now >= due

    async def test_a_timer_moved_to_later_is_not_postponed_to_sooner(self, world: World) -> None:
        await set_timer(world, OVERDUE, id_="a")
        claimed = await claim_one(world, Queue.SAFETY)
        due = await set_timer(world, MOMENT, id_="b")
        assert await world.jobs.postpone(claimed, delay=MILLISECOND)
        assert (await world.until_owed()).now >= due

    async def test_a_postponed_job_comes_back_with_its_attempts(self, world: World) -> None:
        await show(world, "a")
        claimed = await claim_one(world)
        assert await world.jobs.postpone(claimed, delay=MOMENT)
        again = await world.until_owed(Queue.MESSAGES)
        assert again.now > claimed.now + MOMENT - MILLISECOND
        assert (again.attempt, again.payload) == (2, claimed.payload)

    async def test_a_job_that_was_done_and_is_owed_again_counts_anew(self, world: World) -> None:
        await show(world, "a")
        for _ in range(3):
            claimed = await world.until_owed(Queue.MESSAGES)
            assert claimed.attempt == 1
            assert await world.jobs.postpone(claimed, delay=MILLISECOND, was_done=True)

    async def test_who_gave_a_job_back_is_its_holder_no_more(self, world: World) -> None:
        await show(world, "a")
        claimed = await claim_one(world)
        assert await world.jobs.postpone(claimed, delay=LONG)
        assert not await world.jobs.renew(claimed, lease=LONG)
        assert not await world.jobs.finish(claimed)
        assert not await world.jobs.postpone(claimed, delay=LONG)

    async def test_news_do_not_wait_for_a_postponed_job(self, world: World) -> None:
        await show(world, "a")
        await world.jobs.postpone(await claim_one(world), delay=LONG)
        await show(world, "b")
        assert (await claim_one(world)).attempt == 2

    async def test_only_the_named_job_is_claimed(self, world: World) -> None:
        await world.ledger.commit(opening())
        await world.ledger.commit(change("a", show=[REQUEST], timers={job("warn"): T0}))
        [claimed] = await world.owed(Queue.MESSAGES, only=SHOW)
        assert claimed.id == SHOW
        assert await world.owed(Queue.MESSAGES, only=SHOW) == []
        assert [each.id for each in await world.owed(Queue.MESSAGES)] == [job("warn")]

    async def test_the_named_job_is_not_claimed_before_it_is_due(self, world: World) -> None:
        await set_timer(world, LONG, id_="a", kind="warn")
        assert await world.owed(Queue.MESSAGES, only=job("warn")) == []
        assert await world.owed(Queue.MESSAGES, only=SHOW) == []

    async def test_next_due_tells_of_timers_and_of_leases(self, world: World) -> None:
        assert await world.jobs.next_due(Queue.SAFETY) is None
        due = await set_timer(world, LONG, id_="a")
        told = await world.jobs.next_due(Queue.SAFETY)
        assert told is not None
        assert due <= told < due + MILLISECOND
        await set_timer(world, OVERDUE, id_="b")
        [claimed] = await world.owed(lease=LONG)
        until = await world.jobs.next_due(Queue.SAFETY)
        assert until is not None
        assert abs(until - (claimed.now + LONG)) <= MILLISECOND

    async def test_a_job_that_is_owed_is_due_at_once(self, world: World) -> None:
        await world.jobs.owe(job("misuse"), payload="p")
        [claimed] = await world.owed()
        assert (claimed.id, claimed.payload, claimed.attempt) == (job("misuse"), "p", 1)
        assert abs(claimed.due - world.now()) < timedelta(seconds=5)
        assert await world.jobs.finish(claimed)
        assert await world.jobs.next_due(Queue.SAFETY) is None

    async def test_what_is_owed_already_is_left_to_its_time(self, world: World) -> None:
        await world.jobs.owe(job("misuse"), payload="p")
        [claimed] = await world.owed()
        assert await world.jobs.postpone(claimed, delay=LONG)
        await world.jobs.owe(job("misuse"), payload="q")
        assert await world.owed() == []
        due = await world.jobs.next_due(Queue.SAFETY)
        assert due is not None
        assert due > world.now() + LONG / 2

    async def test_who_holds_what_is_owed_anew_has_to_do_it_again(self, world: World) -> None:
        await world.jobs.owe(job("misuse"), payload="p")
        [claimed] = await world.owed()
        await world.jobs.owe(job("misuse"), payload="q")
        assert await world.owed() == []
        assert await world.jobs.finish(claimed)
        [again] = await world.owed()
        assert again.payload == "q"
