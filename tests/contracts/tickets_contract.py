"""What every Tickets promises, told of three tickets. Fixture `desk`."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bot.core.errors import Unavailable
from bot.usecases.ports import Tickets


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A tracker with three tickets in one project.

    Attributes:
        open, closed: Ids; the open one is called "Refunds <hang> & fail" and is assigned to Anna
            and to somebody whose address cannot be seen, if the tracker can hide it.
        project: Theirs.
        nothing: An id of no ticket.
        asked: Returns the raw paths that were asked for so far; () if nothing can be asked.
        go_away: From then on the tracker does not answer.
    """

    tickets: Tickets
    open: str
    closed: str
    project: str
    nothing: str
    asked: Callable[[], list[str]]
    go_away: Callable[[], None]


class TicketsContract:
    async def test_an_open_ticket_is_found_with_all_that_counts(self, shelf: Shelf) -> None:
        found = await shelf.tickets.find(shelf.open, people=True)
        assert found is not None
        assert (found.id, found.open, found.project) == (shelf.open, True, shelf.project)
        assert found.title == "Refunds <hang> & fail"
        assert found.status
        assert "anna@acme.example" in found.assignees

    async def test_a_closed_ticket_is_found_as_such(self, shelf: Shelf) -> None:
        found = await shelf.tickets.find(shelf.closed, people=False)
        assert found is not None
        assert (found.id, found.open) == (shelf.closed, False)

    async def test_what_is_not_there_is_none(self, shelf: Shelf) -> None:
        assert await shelf.tickets.find(shelf.nothing, people=True) is None

    @pytest.mark.parametrize("id_", ["", ".", "..", "{}/../{}", "{}?x=", "{}#", "{}&a=b", "{}%2e"])
    async def test_an_id_leads_to_itself_alone(self, shelf: Shelf, id_: str) -> None:
        wild = id_.format(shelf.open, shelf.closed)
        before = len(shelf.asked())
        assert await shelf.tickets.find(wild, people=True) is None
        for path in shelf.asked()[before:]:
            assert "/../" not in path
            assert not path.split("?")[0].endswith("..")

    async def test_a_tracker_that_does_not_answer_is_unavailable(self, shelf: Shelf) -> None:
        shelf.go_away()
        with pytest.raises(Unavailable):
            await shelf.tickets.find(shelf.open, people=True)

    async def test_a_link_holds_the_id_as_one_part(self, shelf: Shelf) -> None:
        assert shelf.tickets.link(shelf.open).startswith("http")
        for wild in (f"{shelf.open}/../x", f"{shelf.open}|>", "..", ""):
            link = shelf.tickets.link(wild)
            assert not {"|", ">", " "} & set(link)
            assert ".." not in link.replace("%2F..%2F", "")
