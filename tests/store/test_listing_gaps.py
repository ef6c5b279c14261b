from datetime import timedelta

from bot.core.identity import RequestId
from bot.store.redis import RedisStore
from bot.store.redis_server import PREFIX
from tests.builders import ANNA, T0
from tests.contracts.world import opening


async def test_a_page_is_full_though_records_in_between_have_died(redis):
    store = RedisStore.on(redis)
    ids = [RequestId(f"R-{letter * 12}") for letter in "ABCDEF"]
    for number, id_ in enumerate(ids):
        await store.ledger.commit(opening(request=id_, at=T0 + timedelta(minutes=number)))
    for dead in (ids[4], ids[3]):
        await redis.delete(f"{PREFIX}req:{dead}")

    found = await store.listings.of_person(ANNA, limit=3)
    assert [request.id for request in found] == [ids[5], ids[2], ids[1]]
    assert len(await store.listings.of_person(ANNA, limit=6)) == 4
