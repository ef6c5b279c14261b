"""What is over is forgotten after a while, but for the log; what is not is kept."""

from datetime import timedelta

from redis.asyncio import Redis

from bot.core import events as e
from bot.core.account import ACCOUNT_OF_ABSENCES, Account
from bot.core.identity import RequestId, absence_id
from bot.store.redis import PREFIX, RedisStore
from bot.store.redis_ledger import KEEP, NEWEST
from bot.usecases.ports import Queue, Receipt
from tests.builders import REQUEST, T0, a_request, ended, granted, requested
from tests.contracts.world import LONG, change, opening

DENIED = e.Denied(request=REQUEST, at=T0, by=requested().by, reason="no")
FACTS = granted(requested(), at=T0)


async def lives(redis: Redis) -> dict[str, timedelta | None]:
    """Return how long each key of the request lives, None for ever."""
    found = {}
    for kind in ("req", "ev", "fx"):
        left = await redis.pttl(f"{PREFIX}{kind}:{REQUEST}")
        if left != -2:
            found[kind] = None if left == -1 else timedelta(milliseconds=left)
    return found


async def posted(store: RedisStore, name: str) -> None:
    await store.ledger.commit(change(f"show {name}", show=[REQUEST]))
    [job] = await store.jobs.claim(Queue.MESSAGES, limit=1, lease=LONG)
    assert await store.receipts.keep(job, Receipt(name, "C1", "1", "d"), lease=LONG)
    await store.jobs.finish(job)


def fading(left: timedelta | None) -> bool:
    return left is not None and KEEP - timedelta(minutes=1) < left <= KEEP


async def test_what_goes_on_is_kept(redis: Redis) -> None:
    store = RedisStore.on(redis)
    await store.ledger.commit(opening())
    await posted(store, "card")
    assert await lives(redis) == {"req": None, "ev": None, "fx": None}
    live = a_request(*FACTS)
    await store.ledger.commit(change("live", live, expected=1, events=FACTS))
    assert await lives(redis) == {"req": None, "ev": None, "fx": None}


async def test_what_is_over_fades_but_for_the_log(redis: Redis) -> None:
    store = RedisStore.on(redis)
    await store.ledger.commit(opening())
    await posted(store, "card")
    await store.ledger.commit(change("live", a_request(*FACTS), expected=1, events=FACTS))
    over = a_request(*FACTS, ended())
    await store.ledger.commit(change("end", over, events=(ended(),)))
    await posted(store, "line:1")
    left = await lives(redis)
    assert set(left) == {"req", "ev", "fx"}
    assert all(fading(each) for each in left.values())
    assert await redis.pttl(f"{PREFIX}log") == -1
    assert len(await store.ledger.log()) == len(FACTS) + 2


async def test_what_was_over_from_the_first_fades_with_its_receipts(redis: Redis) -> None:
    store = RedisStore.on(redis)
    denied = a_request(DENIED)
    await store.ledger.commit(change("open", denied, expected=0, events=(denied.asked, DENIED)))
    await posted(store, "card")
    note = e.Refused(request=REQUEST, at=T0, by=requested().by, move="deny", why="no")
    await store.ledger.commit(change("note", events=(note,)))
    left = await lives(redis)
    assert set(left) == {"req", "ev", "fx"}
    assert all(fading(each) for each in left.values())


async def test_an_absence_fades_after_its_end_but_for_the_log(redis: Redis) -> None:
    store, id_ = RedisStore.on(redis), absence_id("x")
    told = {"request": id_, "at": T0, "by": requested().by, "stand_in": None, "since": T0}
    declared = e.AbsenceDeclared(**told, until=T0 + timedelta(days=2))
    account = Account(id=ACCOUNT_OF_ABSENCES, version=1)
    await store.ledger.commit(change("away", account, events=(declared,), subject=id_))
    for kind in ("req", "ev"):
        left = timedelta(milliseconds=await redis.pttl(f"{PREFIX}{kind}:{id_}"))
        assert fading(left - timedelta(days=2))
    assert await redis.pttl(f"{PREFIX}acc:{ACCOUNT_OF_ABSENCES}") == -1
    assert [event for _, event in await store.ledger.log()] == [declared]


async def test_what_was_forgotten_is_listed_no_more(redis: Redis) -> None:
    store = RedisStore.on(redis)
    await store.ledger.commit(opening())
    await redis.delete(f"{PREFIX}req:{REQUEST}")
    assert await store.ledger.load(REQUEST) is None
    assert await store.listings.of_person(requested().by) == []


async def test_a_persons_list_does_not_grow_for_ever(redis: Redis) -> None:
    store = RedisStore.on(redis)
    index = f"{PREFIX}ix:by:{requested().by}"
    await redis.zadd(index, {f"R-{n}": n for n in range(NEWEST)})
    for id_ in ("R-X", "R-Y"):
        await store.ledger.commit(opening(request=RequestId(id_)))
    assert await redis.zcard(index) == NEWEST
    assert await redis.zrange(index, -2, -1) == [b"R-X", b"R-Y"]
    assert await redis.zscore(index, "R-1") is None
