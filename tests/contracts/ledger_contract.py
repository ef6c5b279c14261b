import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.absence import Absence
from bot.core.account import ACCOUNT_OF_ABSENCES, Account, AskMark, with_absences
from bot.core.errors import Conflict, TooLate
from bot.core.identity import BOT, RequestId, absence_id
from bot.core.request import evolve
from bot.usecases.ports import Committed, Queue
from tests.builders import ANNA, BEN, CLEO, REQUEST, T0, a_request, ended, granted, requested
from tests.contracts.world import LONG, MOMENT, World, change, job, opening, token

OTHER = RequestId("R-BBBBBBBBBBBB")

DENIED = e.Denied(request=REQUEST, at=T0, by=BEN, reason="no")
CANCELLED = e.Cancelled(request=REQUEST, at=T0, by=ANNA)
VOTED = e.Voted(request=REQUEST, at=T0, by=BEN, stage=0, groups=("leads",))


async def close_soon(world: World) -> None:
    """Let the time to decide end, and wait for it."""
    await world.ledger.commit(change("soon", opens={REQUEST: world.now() + MOMENT}))
    await world.wait(MOMENT * 1.5)


class LedgerContract:
    async def test_what_was_stored_is_loaded_back_equal(self, world: World) -> None:
        asked = requested(reason='»ü\n"\\\x00😀', at=T0 + timedelta(microseconds=1))
        request = a_request(*granted(asked, at=T0), reason=asked.reason, at=asked.at)
        account = Account(
            id=str(ANNA),
            asks=(AskMark("billing-read", T0),),
            live=frozenset({REQUEST, OTHER}),
            version=1,
        )
        stored = await world.ledger.commit(change("c", request, account, expected=0))
        assert stored is Committed.STORED
        assert await world.ledger.load(REQUEST) == request
        assert await world.ledger.load_all([REQUEST], [str(ANNA)]) == ([request], [account])

    async def test_who_is_away_is_loaded_back_equal(self, world: World) -> None:
        until = T0 + timedelta(days=1)
        ids = [absence_id(name) for name in "ab"]
        away = (
            Absence(id=ids[0], who=BEN, stand_in=CLEO, since=T0, until=until),
            Absence(id=ids[1], who=ANNA, stand_in=None, since=T0, until=until),
        )
        account = with_absences(Account(id=ACCOUNT_OF_ABSENCES), away)
        told = {"request": ids[0], "at": T0, "by": BEN, "stand_in": CLEO, "since": T0}
        declared = e.AbsenceDeclared(**told, until=until)
        said = change("away", account, events=(declared,), subject=ids[0])
        assert await world.ledger.commit(said) is Committed.STORED
        assert await world.ledger.commit(said) is Committed.DONE_BEFORE
        assert await world.ledger.load_all([], [ACCOUNT_OF_ABSENCES]) == ([], [account])
        assert await world.ledger.history(ids[0]) == [declared]
        stale = change("stale", with_absences(Account(id=ACCOUNT_OF_ABSENCES), ()), subject=ids[1])
        with pytest.raises(Conflict):
            await world.ledger.commit(stale)

    async def test_what_never_was_is_none_or_an_empty_account(self, world: World) -> None:
        assert await world.ledger.load(REQUEST) is None
        assert await world.ledger.load_all([], ["x"]) == ([], [Account(id="x")])
        assert await world.ledger.history(REQUEST) == []
        assert await world.ledger.log() == []

    async def test_snapshots_are_loaded_together_in_the_order_asked(self, world: World) -> None:
        account = Account(id="bundle:x", live=frozenset({REQUEST}), version=1)
        await world.ledger.commit(opening())
        await world.ledger.commit(change("c", account, subject=REQUEST))
        found = await world.ledger.load_all([OTHER, REQUEST], ["bundle:y", "bundle:x"])
        assert found == ([None, a_request()], [Account(id="bundle:y"), account])
        assert await world.ledger.load_all([], []) == ([], [])

    async def test_a_stale_version_stores_nothing_at_all(self, world: World) -> None:
        await world.ledger.commit(opening())
        hash_, record = token(world.now() + LONG)
        stale = change(
            "stale",
            a_request(DENIED),
            expected=7,
            events=(DENIED,),
            timers={job(): world.now()},
            opens={REQUEST: world.now() + LONG},
            tokens={hash_: record},
            show=[REQUEST],
        )
        with pytest.raises(Conflict):
            await world.ledger.commit(stale)
        assert await world.ledger.load(REQUEST) == a_request()
        assert await world.ledger.history(REQUEST) == [requested()]
        assert [event for _, event in await world.ledger.log()] == [requested()]
        assert await world.owed(Queue.SAFETY) == []
        assert await world.owed(Queue.MESSAGES) == []
        assert await world.tokens.find(hash_) is None
        assert await world.listings.count_pending() == 1
        with pytest.raises(TooLate):
            await world.ledger.commit(change("late", needs_open=[REQUEST]))

    async def test_a_refused_commit_does_not_count_as_done(self, world: World) -> None:
        await world.ledger.commit(opening())
        for _ in range(2):
            with pytest.raises(Conflict):
                await world.ledger.commit(change("stale", a_request(DENIED), expected=7))

    async def test_several_snapshots_are_stored_all_or_none(self, world: World) -> None:
        await world.ledger.commit(opening())
        new, stale = a_request(request=OTHER), Account(id="bundle:x", version=3)
        with pytest.raises(Conflict):
            await world.ledger.commit(change("c", new, stale))
        assert await world.ledger.load(OTHER) is None
        assert await world.listings.of_person(ANNA) == [a_request()]
        fresh = replace(stale, version=1)
        await world.ledger.commit(change("d", new, fresh))
        assert await world.ledger.load(OTHER) == new
        assert await world.ledger.load_all([], ["bundle:x"]) == ([], [fresh])

    async def test_what_exists_cannot_be_opened_again(self, world: World) -> None:
        await world.ledger.commit(opening())
        with pytest.raises(Conflict):
            await world.ledger.commit(opening("another"))

    async def test_one_of_twenty_rivals_wins(self, world: World) -> None:
        await world.ledger.commit(opening())
        rivals = [change(f"c{n}", a_request(DENIED), events=(DENIED,)) for n in range(20)]
        answers = await asyncio.gather(
            *(world.ledger.commit(rival) for rival in rivals), return_exceptions=True
        )
        assert answers.count(Committed.STORED) == 1
        assert sum(isinstance(answer, Conflict) for answer in answers) == 19
        assert await world.ledger.history(REQUEST) == [requested(), DENIED]

    async def test_a_repeated_commit_is_done_also_after_somebody_elses(self, world: World) -> None:
        await world.ledger.commit(opening())
        mine = change("mine", a_request(VOTED), events=(VOTED,))
        await world.ledger.commit(mine)
        await world.ledger.commit(
            change("theirs", a_request(VOTED, CANCELLED), events=(CANCELLED,))
        )
        assert await world.ledger.commit(mine) is Committed.DONE_BEFORE
        assert await world.ledger.commit(opening()) is Committed.DONE_BEFORE
        assert await world.ledger.history(REQUEST) == [requested(), VOTED, CANCELLED]
        assert await world.ledger.load(REQUEST) == a_request(VOTED, CANCELLED)

    async def test_a_repeated_commit_is_done_also_when_the_time_is_over(self, world: World) -> None:
        await world.ledger.commit(replace(opening(), opens={REQUEST: world.now() + LONG}))
        mine = change("mine", a_request(VOTED), events=(VOTED,), needs_open=[REQUEST])
        await world.ledger.commit(mine)
        await close_soon(world)
        assert await world.ledger.commit(mine) is Committed.DONE_BEFORE

    async def test_a_commit_id_of_one_request_says_nothing_of_another(self, world: World) -> None:
        await world.ledger.commit(opening("same"))
        assert await world.ledger.commit(opening("same", request=OTHER)) is Committed.STORED

    async def test_a_note_without_a_write_is_kept_and_done_once(self, world: World) -> None:
        await world.ledger.commit(opening())
        note = e.Refused(request=REQUEST, at=T0, by=CLEO, move="approve", why="no")
        refused = change("note", events=(note,), show=[REQUEST])
        assert await world.ledger.commit(refused) is Committed.STORED
        assert await world.ledger.commit(refused) is Committed.DONE_BEFORE
        assert await world.ledger.history(REQUEST) == [requested(), note]
        assert await world.ledger.load(REQUEST) == a_request()
        assert len(await world.owed(Queue.MESSAGES)) == 1

    async def test_an_open_request_may_be_decided_until_its_time(self, world: World) -> None:
        await world.ledger.commit(replace(opening(), opens={REQUEST: world.now() + LONG}))
        in_time = change("c", a_request(VOTED), events=(VOTED,), needs_open=[REQUEST])
        assert await world.ledger.commit(in_time) is Committed.STORED
        await close_soon(world)
        late = change("late", a_request(VOTED, DENIED), events=(DENIED,), needs_open=[REQUEST])
        with pytest.raises(TooLate):
            await world.ledger.commit(late)
        assert await world.ledger.load(REQUEST) == a_request(VOTED)
        assert await world.ledger.history(REQUEST) == [requested(), VOTED]

    async def test_a_closed_request_may_be_decided_no_more(self, world: World) -> None:
        await world.ledger.commit(replace(opening(), opens={REQUEST: world.now() + LONG}))
        await world.ledger.commit(change("close", opens={REQUEST: None}))
        with pytest.raises(TooLate):
            await world.ledger.commit(change("late", needs_open=[REQUEST]))

    async def test_somebody_elses_change_is_told_before_the_deadline(self, world: World) -> None:
        await world.ledger.commit(opening())
        with pytest.raises(Conflict):
            await world.ledger.commit(
                change("c", a_request(DENIED), expected=7, needs_open=[REQUEST])
            )

    async def test_histories_and_log_keep_the_order(self, world: World) -> None:
        await world.ledger.commit(opening())
        await world.ledger.commit(opening("b", request=OTHER))
        facts = granted(requested(), at=T0)
        await world.ledger.commit(
            change("grant", a_request(*facts), expected=1, events=facts, subject=REQUEST)
        )
        first, second = requested(), requested(request=OTHER)
        assert await world.ledger.history(REQUEST) == [first, *facts]
        assert await world.ledger.history(OTHER) == [second]
        assert [event for _, event in await world.ledger.log()] == [first, second, *facts]

    async def test_the_log_goes_on_after_a_cursor(self, world: World) -> None:
        facts = (requested(), *granted(requested(), at=T0), ended())
        await world.ledger.commit(change("all", a_request(*facts[1:]), expected=0, events=facts))
        read: list[e.Event] = []
        cursor = ""
        while page := await world.ledger.log(cursor, limit=3):
            assert len(page) <= 3
            read += [event for _, event in page]
            cursor = page[-1][0]
        assert read == list(facts)
        assert await world.ledger.log(cursor) == []
        await world.ledger.commit(opening("b", request=OTHER))
        assert [event for _, event in await world.ledger.log(cursor)] == [requested(request=OTHER)]

    async def test_the_same_event_twice_is_two_events(self, world: World) -> None:
        note = e.Revealed(request=REQUEST, at=T0, by=BOT, jti="j")
        await world.ledger.commit(change("a", events=(note, note)))
        assert await world.ledger.history(REQUEST) == [note, note]

    async def test_replaying_the_history_gives_the_snapshot(self, world: World) -> None:
        await world.ledger.commit(opening())
        request = evolve(a_request(), CANCELLED)
        await world.ledger.commit(change("c", request, events=(CANCELLED,)))
        first, *rest = await world.ledger.history(REQUEST)
        assert isinstance(first, e.Requested)
        assert a_request(*rest) == await world.ledger.load(REQUEST)
