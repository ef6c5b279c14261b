"""What was seen of a grant: misuse is told at once, use summed up at the end, idleness ends it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.client import Client
from bot.core.errors import Invalid
from bot.core.moves import Revoke
from bot.core.policy import Verdict
from bot.core.states import SUM_AFTER, GrantState, Timer
from bot.core.usage import TOLD_AGAIN_AFTER, Misuse
from bot.usecases.ports import MISUSE, Job, JobId, Queue
from bot.usecases.tokens import Call
from tests.builders import T0
from tests.usecases.bots import ANNA, BEN, Bot, a_bundle, a_policy, a_rule

OWNER = Client(id="billing-api", resources=frozenset({"https://billing.example"}))
API = "https://billing.example"
READ = Call(scopes=("invoices:read",), address="10.0.0.1")
WRITE = Call(scopes=("refunds:write",), address="10.0.0.1")


def token_of(bot, request):
    return bot.desk.mint.token(request.grant.token)


async def call(bot, request, call=READ, *, times=1):
    for _ in range(times):
        answer = await bot.tokens.introspect(token_of(bot, request), caller=OWNER, call=call)
    return answer["active"]


async def written(bot):
    bot.suspects.look()
    await bot.log.flush()
    await bot.work()


async def facts(bot, request, kind):
    return [fact for fact in await bot.ledger.history(request.id) if isinstance(fact, kind)]


async def test_what_a_grant_was_used_for_is_told_once_a_while_after_its_end(bot: Bot) -> None:
    request = await bot.granted("auto")
    assert await call(bot, request, times=3)
    await bot.move(request, Revoke(), by=ANNA)
    await bot.log.flush()
    await bot.pass_(seconds=SUM_AFTER.total_seconds() - 1)
    assert await facts(bot, request, e.UsageSummed) == []
    await bot.pass_(seconds=1)
    [summed] = await facts(bot, request, e.UsageSummed)
    assert (summed.bundle, summed.resource, summed.begun) == ("auto", API, T0)
    assert [(each.scope, each.count) for each in summed.usage.scopes] == [
        ("invoices:read", 3),
        ("refunds:read", 0),
    ]
    assert summed.usage.never == ("refunds:read",)
    await bot.pass_(minutes=60)
    assert len(await facts(bot, request, e.UsageSummed)) == 1


async def test_a_job_that_is_done_twice_sums_up_once(either: Bot) -> None:
    request = await either.granted("auto")
    await either.move(request, Revoke(), by=ANNA)
    now = either.clock.now() + SUM_AFTER
    job = Job(id=JobId(Timer.SUM, request.id), fence=1, payload="p", attempt=1, now=now, due=now)
    await either.timers(job)
    await either.timers(job)
    assert len(await facts(either, request, e.UsageSummed)) == 1


async def test_a_use_that_is_reported_late_still_counts(bot: Bot) -> None:
    request = await bot.granted("auto")
    await call(bot, request)
    await bot.move(request, Revoke(), by=ANNA)
    await bot.pass_(seconds=5)
    await bot.log.flush()
    await bot.pass_(seconds=10)
    [summed] = await facts(bot, request, e.UsageSummed)
    assert summed.usage.used[0].scope == "invoices:read"


async def test_a_point_that_was_away_all_the_time_makes_no_data(bot: Bot) -> None:
    bot.log.alive(API, point="guard")
    await bot.log.flush()
    await bot.pass_(minutes=10)
    request = await bot.granted("auto")
    await bot.pass_(minutes=40)
    bot.log.alive(API, point="guard")
    await bot.log.flush()
    [summed] = await facts(bot, request, e.UsageSummed)
    assert summed.usage.watched is False
    assert summed.usage.never == ()


async def test_a_request_that_was_never_granted_is_not_summed_up(bot: Bot) -> None:
    request = await bot.ask("never")
    await bot.pass_(minutes=60)
    assert await facts(bot, request, e.UsageSummed) == []


async def test_misuse_is_told_at_once_and_then_by_its_count_in_bounded_facts(bot: Bot) -> None:
    request = await bot.granted("auto")
    assert not await call(bot, request, WRITE)
    await written(bot)
    [misused] = await facts(bot, request, e.Misused)
    assert (misused.what.kind, misused.what.count, misused.by.id) == (Misuse.BEYOND, 1, "jit")
    assert misused.what.scopes == ("refunds:write",)
    assert "misuse beyond: 1" in bot.texts()
    for _ in range(10):
        await call(bot, request, WRITE, times=1000)
        await written(bot)
        await bot.pass_(seconds=1)
    assert [fact.what.count for fact in await facts(bot, request, e.Misused)] == [1, 10_001]
    assert [text for text in bot.texts() if "misuse" in text] == ["misuse beyond: 10001"]


async def test_the_last_count_is_told_though_nothing_more_happens(bot: Bot) -> None:
    request = await bot.granted("auto")
    for _ in range(5):
        await call(bot, request, WRITE)
        await written(bot)
    await bot.pass_(seconds=TOLD_AGAIN_AFTER.total_seconds())
    assert [fact.what.count for fact in await facts(bot, request, e.Misused)] == [1, 5]
    await bot.pass_(minutes=10)
    assert len(await facts(bot, request, e.Misused)) == 2


async def test_months_of_misuse_are_few_facts(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.move(request, Revoke(), by=ANNA)
    for _ in range(24 * 30):
        await call(bot, request)
        await written(bot)
        await bot.pass_(hours=1)
    assert 5 < len(await facts(bot, request, e.Misused)) < 30


async def test_once_all_is_told_nothing_is_owed(bot: Bot) -> None:
    request = await bot.granted("auto")
    await call(bot, request, WRITE)
    await written(bot)
    now = bot.clock.now()
    job = Job(id=JobId(MISUSE, request.id), fence=1, payload="", attempt=1, now=now, due=now)
    assert await bot.misuses(job) is None
    assert len(await facts(bot, request, e.Misused)) == 1


async def test_each_kind_is_told_on_its_own(bot: Bot) -> None:
    request = await bot.granted("auto")
    await call(bot, request)
    await call(bot, request, replace(READ, address="10.0.0.2"))
    await call(bot, request, WRITE)
    await written(bot)
    await bot.move(request, Revoke(), by=ANNA)
    assert not await call(bot, request)
    await written(bot)
    kinds = [fact.what.kind for fact in await facts(bot, request, e.Misused)]
    assert sorted(kinds) == sorted(Misuse)


async def test_a_token_that_a_newer_one_replaced_is_no_misuse_until_the_grant_is_over(
    bot: Bot,
) -> None:
    request = await bot.granted("auto")
    old = token_of(bot, request)
    await bot.pass_(minutes=25)
    outcome = await bot.requests.extend(request.id, by=ANNA, delivery="more")
    assert outcome.request.grant is None
    await bot.pass_(minutes=10)
    assert (await bot.now(request)).working_grant is not None

    async def stale():
        answer = await bot.tokens.introspect(old, caller=OWNER, call=READ)
        assert not answer["active"]
        await written(bot)
        return [fact.what.kind for fact in await facts(bot, request, e.Misused)]

    assert await stale() == []
    await bot.move(request, Revoke(), by=ANNA)
    assert await stale() == [Misuse.ENDED]


async def test_two_replicas_that_see_two_addresses_tell_of_it(replicas) -> None:
    one, other = replicas
    request = await one.granted("auto")
    await call(one, request)
    await written(one)
    assert await facts(one, request, e.Misused) == []
    await call(other, request, replace(READ, address="10.0.0.2"))
    await written(other)
    [misused] = await facts(one, request, e.Misused)
    assert misused.what.addresses == ("10.0.0.1", "10.0.0.2")


async def test_a_job_for_a_request_that_is_gone_is_done(bot: Bot) -> None:
    id_ = JobId(MISUSE, "R-ZZZZZZZZZZZZ")
    job = Job(id=id_, fence=1, payload="", attempt=1, now=T0, due=T0)
    assert await bot.misuses(job) is None
    pending = await bot.ask("read")
    job = replace(job, id=JobId(MISUSE, pending.id))
    assert await bot.misuses(job) is None


@pytest.fixture
def idle(bot: Bot) -> Bot:
    bundle = a_bundle("idle", idle_end=timedelta(minutes=5))
    bot.policy = a_policy({"idle": (bundle, (a_rule(Verdict.AUTO_APPROVE),))})
    return bot


async def beating(bot, *, minutes):
    for _ in range(minutes):
        bot.log.alive(API, point="guard")
        await bot.log.flush()
        await bot.pass_(minutes=1)


async def state(bot, request):
    return (await bot.now(request)).grant.state


async def test_a_grant_that_nobody_uses_ends(idle: Bot) -> None:
    request = await idle.granted("idle")
    await beating(idle, minutes=4)
    assert await state(idle, request) is GrantState.LIVE
    await beating(idle, minutes=2)
    now = await idle.now(request)
    assert now.grant.close.at == T0 + timedelta(minutes=5)
    assert (now.grant.close.by.id, now.grant.close.reason) == ("jit", "it was not used for 5m")
    assert not await call(idle, request)


async def test_use_puts_the_end_off_and_an_attempt_beyond_does_not(idle: Bot) -> None:
    request = await idle.granted("idle")
    await beating(idle, minutes=4)
    await call(idle, request)
    await beating(idle, minutes=4)
    assert await state(idle, request) is GrantState.LIVE
    await call(idle, request, WRITE)
    await beating(idle, minutes=2)
    now = await idle.now(request)
    assert now.grant.close.at == T0 + timedelta(minutes=9)


async def test_while_nobody_could_see_whether_it_is_used_it_goes_on(idle: Bot) -> None:
    request = await idle.granted("idle")
    await beating(idle, minutes=1)
    await idle.pass_(minutes=10)
    assert await state(idle, request) is GrantState.LIVE
    await beating(idle, minutes=4)
    assert await state(idle, request) is GrantState.LIVE
    await idle.pass_(minutes=16)
    assert (await idle.kinds(request)).count(e.Ended) == 1


async def test_a_point_that_came_late_does_not_know_what_was_before(idle: Bot) -> None:
    request = await idle.granted("idle")
    await idle.pass_(minutes=4)
    await beating(idle, minutes=3)
    assert await state(idle, request) is GrantState.LIVE


async def test_a_bundle_without_it_ends_nothing(bot: Bot) -> None:
    request = await bot.granted("auto")
    await beating(bot, minutes=20)
    assert await state(bot, request) is GrantState.LIVE
    assert JobId(Timer.IDLE, request.id) not in {
        job.id for job in await bot.jobs.claim(Queue.SAFETY, limit=99, lease=SUM_AFTER)
    }


async def test_an_approver_is_told_of_each_earlier_grant_what_it_was_used_for(bot: Bot) -> None:
    first = await bot.granted("read")
    await call(bot, first)
    await written(bot)
    second = await bot.ask("read")
    behind = await bot.backgrounds.of(second.id, by=BEN)
    assert [each.id for each in behind.earlier] == [first.id]
    [usage] = behind.used
    assert [each.scope for each in usage.used] == ["invoices:read"]
    assert usage.never == ("refunds:read",)


async def test_a_report_is_of_grants_that_are_over(either: Bot) -> None:
    for number in range(4):
        request = await either.granted("auto")
        await call(either, request)
        if number:
            await either.move(request, Revoke(), by=ANNA)
    await written(either)
    report = await either.reports.of("auto")
    assert [(each.scope, each.used, each.grants) for each in report.scopes] == [
        ("invoices:read", 3, 3),
        ("refunds:read", 0, 3),
    ]
    assert (await either.reports.of("read")).grants == 0
    with pytest.raises(Invalid):
        await either.reports.of("nothing")
