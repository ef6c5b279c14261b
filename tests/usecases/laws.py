"""What must hold of everything that is stored, whoever did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from bot.core import events as e
from bot.core.identity import RequestId
from bot.core.request import Request, replay, timers
from bot.core.states import RequestState, Timer
from bot.store.memory import MemoryStore
from bot.store.redis import PREFIX
from bot.store.redis_server import due_ms, moment
from bot.usecases.ports import MISUSE, SHOW
from tests.usecases.bots import Bot


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What lies in a store besides snapshots and histories."""

    timers: Mapping[str, datetime]
    opens: frozenset[str]
    tokens: frozenset[str]


def in_store(store: MemoryStore) -> Stored:
    return Stored(
        timers={
            str(id_): owed.due for id_, owed in store.jobs.items() if id_.kind not in (SHOW, MISUSE)
        },
        opens=frozenset(store.opens),
        tokens=frozenset(store.tokens),
    )


async def in_redis(redis: Redis) -> Stored:
    jobs = await redis.hgetall(f"{PREFIX}job")

    async def names(kind: str) -> frozenset[str]:
        keys = await redis.keys(f"{PREFIX}{kind}:*")
        return frozenset(key.decode().rpartition(":")[2] for key in keys)

    return Stored(
        timers={
            id_.decode(): moment(int(owed.partition(b"|")[0]))
            for id_, owed in jobs.items()
            if not id_.startswith((SHOW.encode(), MISUSE.encode()))
        },
        opens=await names("open"),
        tokens=await names("tok"),
    )


async def check(bot: Bot, stored: Stored) -> list[Request]:
    """Assert every law; return all requests."""
    log = [event for _, event in await bot.ledger.log(limit=10_000)]
    requests = []
    for id_ in dict.fromkeys(event.request for event in log):
        history = await bot.ledger.history(id_)
        assert history == [event for event in log if event.request == id_]
        request = await bot.ledger.load(id_)
        assert request is not None
        assert replay(history) == request
        _check_history(request, history)
        requests.append(request)
    summed = {event.request for event in log if isinstance(event, e.UsageSummed)}
    _check_timers(requests, stored, summed)
    _check_permissions(bot, requests, stored)
    await _check_counts(bot, requests)
    await _check_reviews(bot, requests)
    return requests


def _check_history(request: Request, history) -> None:
    kinds = [type(event) for event in history]
    settling = (e.Approved, e.GlassBroken, e.Denied, e.Cancelled, e.Lapsed)
    assert sum(kind in settling for kind in kinds) <= 1
    assert sum(kind in (e.Ended, e.Revoked, e.Unclaimed) for kind in kinds) <= 1
    assert kinds.count(e.Started) <= 1
    assert kinds.count(e.UsageSummed) <= 1
    assert not (e.Started in kinds and e.Unclaimed in kinds)
    _check_start(request, history)
    delivered = [event.jti for event in history if isinstance(event, e.Delivered)]
    assert len(delivered) == len(set(delivered))
    voters = [vote.by for vote in request.votes]
    assert request.requester.id not in {by.id for by in voters}
    assert len(voters) == len(set(voters))
    if request.grant is not None:
        wanted = tuple(text.scope for text in request.asked.scopes)
        assert all(token.scopes == wanted for token in request.grant.tokens)
        ends = [token.expires_at for token in request.grant.tokens]
        assert ends == sorted(set(ends))


def _check_start(request: Request, history) -> None:
    asked, grant = request.asked, request.grant
    started = next((event for event in history if isinstance(event, e.Started)), None)
    assert (started is not None) == (grant is not None and bool(grant.tokens))
    if started is None or asked.emergency is not None:
        return
    assert asked.start_at is None or asked.start_at <= started.at
    if asked.claim_within is not None:
        assert started.by == request.requester
        assert started.at < grant.claim_by


async def _check_reviews(bot: Bot, requests: list[Request]) -> None:
    """Assert that each account knows what waits for review, and no more does than may."""
    for who in {str(request.requester): request.requester for request in requests}.values():
        waiting = {
            request.id
            for request in requests
            if request.requester == who and request.review is not None and request.review.is_open
        }
        _, [account] = await bot.ledger.load_all([], [str(who)])
        assert {mark.request for mark in account.broken} == waiting
        assert len(waiting) <= 1
    for request in requests:
        if request.asked.emergency is not None and request.grant is not None:
            glass = bot.policy.bundles[request.asked.bundle].glass
            assert glass is not None
            lasts = request.grant.ends_at - request.grant.started_at
            assert lasts <= glass.max_duration
            assert not request.votes


def _check_timers(requests: list[Request], stored: Stored, summed: set[RequestId]) -> None:
    """Assert that what is owed is stored; summing up changes nothing, and is owed once."""
    owed = {
        f"{kind}:{request.id}": moment(due_ms(due))
        for request in requests
        for kind, due in timers(request).items()
        if kind is not Timer.SUM or request.id not in summed
    }
    assert {id_: moment(due_ms(due)) for id_, due in stored.timers.items()} == owed


def _check_permissions(bot: Bot, requests: list[Request], stored: Stored) -> None:
    assert stored.opens == {
        request.id
        for request in requests
        if request.open_until is not None
        and request.id in stored.opens | _in_time(bot, request.id, request.open_until)
    }
    working = [
        token
        for request in requests
        if request.working_grant is not None
        for token in request.working_grant.tokens
    ]
    now = bot.clock.now()
    hashes = {bot.desk.mint(token)[0]: token for token in working}
    assert len(hashes) == len(working)
    assert stored.tokens <= set(hashes)
    assert {hash_ for hash_, token in hashes.items() if token.expires_at > now} <= stored.tokens


def _in_time(bot: Bot, id_: str, until: datetime) -> frozenset[str]:
    return frozenset({id_} if until > bot.clock.now() else ())


async def _check_counts(bot: Bot, requests: list[Request]) -> None:
    working = [request for request in requests if request.working_grant is not None]
    assert await bot.listings.count_live() == len(working)
    pending = [request for request in requests if request.state is RequestState.PENDING]
    assert await bot.listings.count_pending() == len(pending)
    for name, bundle in bot.policy.bundles.items():
        cap = bundle.limits.active_total
        if cap is None:
            continue
        _, [account] = await bot.ledger.load_all([], [f"bundle:{name}"])
        assert account.live == {request.id for request in working if request.asked.bundle == name}
        assert len(account.live) <= cap
