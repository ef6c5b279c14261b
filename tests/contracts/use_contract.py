"""Fixture `world`, with the book of use in it."""

import asyncio
from datetime import timedelta

from bot.core.identity import RequestId
from bot.core.usage import Life, Seen, Tally
from bot.usecases.use import (
    LIVES_AT_MOST,
    NAMES_AT_MOST,
    POINTS_AT_MOST,
    SILENCE,
    Batch,
    Beat,
)
from tests.builders import REQUEST
from tests.contracts.world import World

OTHER = RequestId("R-BBBBBBBBBBBB")
API = "https://billing.example"
SECOND = timedelta(seconds=1)


def started(world: World):
    """Return a time in whole milliseconds, which is what stores keep."""
    return world.now().replace(microsecond=0)


def tally(at, name="invoices:read", *, seen=Seen.ALLOWED, count=1, until=None):
    return Tally(seen=seen, name=name, count=count, first=at, last=until or at)


def beat(at, point="billing-api", resource=API):
    return Beat(resource=resource, point=point, at=at)


class UseContract:
    async def test_nothing_stands_there_at_first(self, world: World) -> None:
        assert await world.use.of([REQUEST, OTHER]) == [[], []]
        assert await world.use.of([]) == []
        assert await world.use.lives(API, since=started(world)) == []

    async def test_tallies_of_one_name_add_up(self, world: World) -> None:
        at = started(world)
        for number, (early, late) in enumerate([(2, 5), (3, 4), (0, 1), (4, 9)]):
            one = tally(at + early * SECOND, count=10, until=at + late * SECOND)
            await world.use.add(Batch(id=f"b{number}", tallies={REQUEST: [one]}))
        [found] = await world.use.of([REQUEST])
        assert found == [tally(at, count=40, until=at + 9 * SECOND)]

    async def test_what_was_seen_is_told_apart(self, world: World) -> None:
        at = started(world)
        mine = [
            tally(at, name, seen=seen) for seen in Seen for name in ("a|b:c", "", "2001:db8::1")
        ]
        theirs = [tally(at, "a", count=7)]
        await world.use.add(Batch(id="b", tallies={REQUEST: mine, OTHER: theirs}))
        found = await world.use.of([OTHER, REQUEST])
        assert found[0] == theirs
        assert sorted(found[1], key=repr) == sorted(mine, key=repr)

    async def test_a_batch_counts_once_however_often_it_is_sent(self, world: World) -> None:
        one, at = tally(started(world)), started(world)
        batch = Batch(id="b", tallies={REQUEST: [one]}, beats=[beat(at)])
        await asyncio.gather(*(world.use.add(batch) for _ in range(8)))
        other = Batch(id="b", tallies={REQUEST: [tally(at, "x")]})
        await world.use.add(other)
        assert await world.use.of([REQUEST]) == [[one]]
        assert await world.use.lives(API, since=at) == [Life(at, at)]

    async def test_great_numbers_are_kept_whole(self, world: World) -> None:
        at = started(world)
        for number in range(3):
            one = tally(at, count=10**15)
            await world.use.add(Batch(id=f"b{number}", tallies={REQUEST: [one]}))
        [[found]] = await world.use.of([REQUEST])
        assert found.count == 3 * 10**15

    async def test_what_callers_may_name_freely_is_bounded_and_what_was_allowed_is_not(
        self, world: World
    ) -> None:
        at = started(world)
        many = [tally(at, f"s{n}", seen=Seen.BEYOND) for n in range(NAMES_AT_MOST + 5)]
        await world.use.add(Batch(id="b1", tallies={REQUEST: many}))
        later = [tally(at, "invoices:read"), tally(at, "s0", seen=Seen.BEYOND, count=9)]
        await world.use.add(Batch(id="b2", tallies={REQUEST: later}))
        [found] = await world.use.of([REQUEST])
        assert len(found) == NAMES_AT_MOST + 1
        counts = {(each.seen, each.name): each.count for each in found}
        assert counts[Seen.ALLOWED, "invoices:read"] == 1
        assert counts[Seen.BEYOND, "s0"] == 10

    async def test_beats_of_a_point_are_one_life_until_it_is_silent(self, world: World) -> None:
        at = started(world)
        beats = [at, at + 60 * SECOND, at + 60 * SECOND + SILENCE]
        later = beats[-1] + SILENCE + SECOND
        for number, each in enumerate([*beats, later, later + SECOND]):
            await world.use.add(Batch(id=f"b{number}", beats=[beat(each)]))
        found = await world.use.lives(API, since=at)
        assert sorted(found, key=lambda life: life.begun) == [
            Life(at, beats[-1]),
            Life(later, later + SECOND),
        ]

    async def test_points_and_resources_have_lives_of_their_own(self, world: World) -> None:
        at = started(world)
        beats = [beat(at), beat(at + SECOND, "b|c"), beat(at + 2 * SECOND, resource="urn:x")]
        await world.use.add(Batch(id="b", beats=beats))
        assert len(await world.use.lives(API, since=at)) == 2
        assert await world.use.lives("urn:x", since=at) == [Life(at + 2 * SECOND, at + 2 * SECOND)]

    async def test_a_life_that_ended_before_is_not_told(self, world: World) -> None:
        at = started(world)
        await world.use.add(Batch(id="b1", beats=[beat(at)]))
        await world.use.add(Batch(id="b2", beats=[beat(at + 5 * SECOND)]))
        assert len(await world.use.lives(API, since=at + 5 * SECOND)) == 1
        assert await world.use.lives(API, since=at + 6 * SECOND) == []

    async def test_a_late_beat_takes_nothing_back(self, world: World) -> None:
        at = started(world)
        for number, each in enumerate([at + 9 * SECOND, at + 5 * SECOND]):
            await world.use.add(Batch(id=f"b{number}", beats=[beat(each)]))
        assert await world.use.lives(API, since=at) == [Life(at + 9 * SECOND, at + 9 * SECOND)]

    async def test_points_of_a_resource_are_bounded(self, world: World) -> None:
        at = started(world)
        beats = [beat(at, f"p{n}") for n in range(POINTS_AT_MOST + 5)]
        await world.use.add(Batch(id="b", beats=beats))
        assert len(await world.use.lives(API, since=at)) == POINTS_AT_MOST

    async def test_lives_of_a_resource_are_bounded_and_the_newest_are_kept(
        self, world: World
    ) -> None:
        at, apart = started(world) - 20 * timedelta(days=1), SILENCE + SECOND
        beats = [beat(at + n * apart) for n in range(LIVES_AT_MOST + 5)]
        await world.use.add(Batch(id="b", beats=beats))
        found = await world.use.lives(API, since=at)
        assert len(found) == LIVES_AT_MOST
        assert min(life.begun for life in found) == at + 5 * apart
