"""A tracker in memory: what the port Tickets promises, in its shortest form."""

from dataclasses import replace

from bot.core.errors import Unavailable
from bot.core.tickets import Ticket
from bot.trackers.answers import encoded


class MemoryTickets:
    """Tickets in memory.

    Attributes:
        tickets: By id.
        away: Whether the tracker does not answer now.
        asked: The ids that were asked for.
    """

    def __init__(self, *tickets: Ticket) -> None:
        self.tickets = {ticket.id: ticket for ticket in tickets}
        self.away = False
        self.asked: list[str] = []

    async def find(self, ticket: str, *, people: bool) -> Ticket | None:
        """See `Tickets.find`."""
        self.asked.append(ticket)
        if self.away:
            raise Unavailable("the tracker did not answer")
        found = self.tickets.get(ticket)
        return found if found is None or people else replace(found, assignees=())

    def link(self, ticket: str) -> str:
        """See `Tickets.link`."""
        part = encoded(ticket)
        return f"https://tickets.example/{part}" if part is not None else ""

    def change(self, id_: str, *, is_open: bool, status: str) -> None:
        """Open or close a ticket."""
        self.tickets[id_] = replace(self.tickets[id_], open=is_open, status=status)
