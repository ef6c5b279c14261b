"""What the clock does, at the claim's time, and what it leaves alone."""

from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.moves import Approve, Deny, Revoke, Scrub
from bot.core.request import timers
from bot.core.states import SUM_AFTER, GrantState, RequestState, Timer
from bot.store.memory import MemoryStore
from bot.usecases.ports import Job, JobId, Queue
from bot.usecases.shows import LEASE
from tests.builders import T0
from tests.clocks import ManualClock
from tests.usecases.bots import ANNA, BEN, Bot, in_memory


def at(minutes: float):
    return T0 + timedelta(minutes=minutes)


async def claimed(bot: Bot, kind: Timer) -> Job:
    queue = Queue.SAFETY if kind in (Timer.LAPSE, Timer.END) else Queue.MESSAGES
    jobs = await bot.jobs.claim(queue, limit=99, lease=LEASE)
    [job] = [job for job in jobs if job.id.kind == kind]
    return job


async def test_nobody_decided_in_time(bot: Bot) -> None:
    request = await bot.ask("read")
    await bot.pass_(minutes=19)
    assert (await bot.now(request)).state is RequestState.PENDING
    await bot.pass_(minutes=1)
    lapsed = await bot.now(request)
    assert lapsed.state is RequestState.EXPIRED
    assert lapsed.close is not None
    assert lapsed.close.at == at(20)


async def test_a_grant_lives_its_life_by_the_clock(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.pass_(minutes=30)
    history = await bot.ledger.history(request.id)
    assert [(type(event), event.at) for event in history][3:] == [
        (e.Started, at(0)),
        (e.Delivered, at(0)),
        (e.Scrubbed, at(10)),
        (e.Warned, at(24)),
        (e.Ended, at(30)),
    ]
    assert await bot.jobs.next_due(Queue.SAFETY) is None
    assert await bot.jobs.next_due(Queue.MESSAGES) == at(30) + SUM_AFTER


async def test_a_token_behind_a_button_is_not_scrubbed(bot: Bot) -> None:
    request = await bot.granted("secret")
    await bot.pass_(minutes=30)
    assert await bot.kinds(request) == [
        *(e.Requested, e.Approved, e.Granted, e.Started),
        *(e.Delivered, e.Warned, e.Ended),
    ]


async def test_what_was_due_while_nobody_worked_is_caught_up_at_the_servers_time(
    store: MemoryStore, clock: ManualClock
) -> None:
    request = await in_memory(store, clock).granted("auto")
    await clock.wait(timedelta(days=3))
    replica = in_memory(store, ManualClock(T0))
    await replica.safety._turn()
    await replica.safety.drained()
    grant = (await replica.now(request)).grant
    assert grant is not None
    assert grant.close is not None
    assert grant.close.at == T0 + timedelta(days=3)


@pytest.mark.parametrize("move", [Approve(), Deny("no")])
async def test_a_request_that_was_decided_does_not_lapse(bot: Bot, move) -> None:
    request = await bot.ask("read")
    await bot.wait(timedelta(minutes=19))
    await bot.move(request, move, by=BEN)
    await bot.pass_(minutes=5)
    assert e.Lapsed not in await bot.kinds(request)


async def test_a_timer_that_has_become_pointless_is_done(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.wait(timedelta(minutes=30))
    end = await claimed(bot, Timer.END)
    await bot.move(request, Revoke(), by=ANNA)
    before = await bot.kinds(request)
    await bot.timers(end)
    for kind in set(Timer) - {Timer.SUM}:
        job = Job(id=JobId(kind, request.id), fence=1, payload="", attempt=1, now=at(99), due=T0)
        await bot.timers(job)
    assert await bot.kinds(request) == before


async def test_a_timer_of_nothing_is_done(bot: Bot) -> None:
    for kind in Timer:
        id_ = JobId(kind, "R-AAAAAAAAAAAA")  # type: ignore[arg-type]  # as stored
        await bot.timers(Job(id=id_, fence=1, payload="", attempt=1, now=T0, due=T0))


async def test_a_timer_that_is_done_again_does_nothing_twice(bot: Bot) -> None:
    request = await bot.granted("auto")
    for kind, minutes in ((Timer.WARN, 24), (Timer.END, 30)):
        await bot.wait(at(minutes) - bot.clock.now())
        job = await claimed(bot, kind)
        await bot.timers(job)
        await bot.timers(job)
    kinds = await bot.kinds(request)
    assert (kinds.count(e.Warned), kinds.count(e.Ended)) == (1, 1)


@pytest.mark.parametrize("kind", [Timer.WARN, Timer.END])
async def test_an_extension_between_claim_and_deed_moves_the_timer(bot: Bot, kind: Timer) -> None:
    request = await bot.granted("auto")
    await bot.wait(timedelta(minutes=24))
    if kind is Timer.END:
        await bot.wait(timedelta(minutes=6) - timedelta(microseconds=1))
    await bot.requests.extend(request.id, by=ANNA, delivery="x")
    stale = Job(id=JobId(kind, request.id), fence=1, payload="p", attempt=1, now=at(30), due=at(24))
    before = await bot.now(request)
    await bot.timers(stale)
    assert await bot.now(request) == before
    assert before.grant is not None
    assert before.grant.state is GrantState.LIVE
    await bot.pass_(minutes=70)
    kinds = await bot.kinds(request)
    assert (kinds.count(e.Warned), kinds.count(e.Ended)) == (1, 1)


async def test_a_claimed_end_is_due_again_after_an_extension(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.wait(timedelta(minutes=24))
    warn = await claimed(bot, Timer.WARN)
    await bot.requests.extend(request.id, by=ANNA, delivery="x")
    await bot.timers(warn)
    assert await bot.jobs.finish(warn)
    extended = await bot.now(request)
    await bot.pass_(minutes=60)
    [warned] = [x for x in await bot.ledger.history(request.id) if isinstance(x, e.Warned)]
    assert warned.at == timers(extended)[Timer.WARN]


async def test_the_scrub_of_an_old_token_leaves_the_new_one_readable(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.work()
    await bot.wait(timedelta(minutes=10))
    scrub = await claimed(bot, Timer.SCRUB)
    await bot.requests.extend(request.id, by=ANNA, delivery="x")
    await bot.timers(scrub)
    extended = await bot.now(request)
    assert extended.token_is_readable
    assert extended.grant is not None
    first, second = extended.grant.tokens
    await bot.work()
    assert bot.readable(first) == []
    assert bot.readable(second) == ["D-U0ANNA"]
    await bot.pass_(minutes=10)
    assert bot.readable(second) == []


async def test_a_token_that_was_put_away_by_hand_is_not_put_away_again(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.work()
    grant = (await bot.now(request)).grant
    assert grant is not None
    await bot.move(request, Scrub(grant.token.jti), by=ANNA)
    await bot.pass_(minutes=20)
    assert (await bot.kinds(request)).count(e.Scrubbed) == 1


async def test_a_lease_outlives_no_five_seconds() -> None:
    assert timedelta(seconds=3) >= LEASE
