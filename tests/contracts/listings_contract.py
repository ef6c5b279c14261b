from datetime import timedelta
from typing import Any

from bot.core import events as e
from bot.core.identity import RequestId
from tests.builders import ANNA, BEN, REQUEST, T0, a_request, ended, granted, requested
from tests.contracts.world import World, change, opening

IDS = [RequestId(f"R-{letter * 12}") for letter in "CABED"]


class ListingsContract:
    async def test_the_newest_of_a_person_come_first(self, world: World) -> None:
        for n, id_ in enumerate(IDS):
            at = T0 + timedelta(minutes=n)
            await world.ledger.commit(opening(request=id_, at=at))
        await world.ledger.commit(opening(request=RequestId("R-BEN"), by=BEN))
        found = await world.listings.of_person(ANNA, limit=3)
        assert [request.id for request in found] == IDS[:1:-1]
        assert len(await world.listings.of_person(ANNA)) == 5
        assert [each.id for each in await world.listings.of_person(BEN)] == ["R-BEN"]

    async def test_who_asked_for_nothing_has_an_empty_list(self, world: World) -> None:
        assert await world.listings.of_person(BEN) == []

    async def test_the_lists_show_the_latest_snapshot(self, world: World) -> None:
        await world.ledger.commit(opening())
        denied = e.Denied(request=REQUEST, at=T0, by=BEN, reason="no")
        await world.ledger.commit(change("c", a_request(denied), events=(denied,)))
        assert await world.listings.of_person(ANNA) == [a_request(denied)]

    async def test_counts_follow_each_change(self, world: World) -> None:
        async def counts() -> tuple[int, int]:
            return await world.listings.count_pending(), await world.listings.count_live()

        assert await counts() == (0, 0)
        await world.ledger.commit(opening())
        assert await counts() == (1, 0)
        facts = granted(requested(), at=T0)
        await world.ledger.commit(change("grant", a_request(*facts), expected=1))
        assert await counts() == (0, 1)
        over = a_request(*facts, ended())
        await world.ledger.commit(change("end", over))
        assert await counts() == (0, 0)
        assert await world.listings.of_person(ANNA) == [over]

    async def test_what_works_is_listed_by_its_end(self, world: World) -> None:
        assert await world.listings.live() == []
        over: dict[str, dict[str, Any]] = {
            REQUEST: {},
            IDS[0]: {"request": IDS[0], "duration": timedelta(minutes=1)},
        }
        works = {id_: granted(requested(**parts), at=T0) for id_, parts in over.items()}
        for id_, parts in over.items():
            await world.ledger.commit(opening(**parts))
            record = a_request(*works[id_], **parts)
            await world.ledger.commit(change("grant", record, expected=1, subject=record.id))
        assert [each.id for each in await world.listings.live()] == [IDS[0], REQUEST]
        await world.ledger.commit(change("end", a_request(*works[REQUEST], ended())))
        assert [each.id for each in await world.listings.live()] == [IDS[0]]

    async def test_the_newest_of_a_bundle_come_first_whoever_asked(self, world: World) -> None:
        for n, id_ in enumerate(IDS):
            by = ANNA if n % 2 else BEN
            at = T0 + timedelta(minutes=n)
            await world.ledger.commit(opening(request=id_, at=at, by=by))
        await world.ledger.commit(opening(request=RequestId("R-OTHER"), bundle="other:*"))
        found = await world.listings.of_bundle("billing-read", limit=3)
        assert [request.id for request in found] == IDS[:1:-1]
        assert len(await world.listings.of_bundle("billing-read")) == 5
        assert [each.id for each in await world.listings.of_bundle("other:*")] == ["R-OTHER"]
        assert await world.listings.of_bundle("none") == []
