"""Tickets behind any URL that answers in JSON.

{"open": true, "title": "…", "status": "…", "id": "…", "project": "…", "assignees": ["a@b.example"]}

Only `open` must be there. 404 and 410 say that there is no such ticket.
"""

from typing import Final

from pydantic import Field

from bot.core.tickets import Ticket
from bot.outbound import Outbound
from bot.trackers.answers import Shape, Text, encoded, shaped
from bot.usecases.secret import Secret

# Where the ticket goes, in both URLs.
PLACE: Final = "{ticket}"


class _Answer(Shape):
    id: Text = ""
    title: Text = ""
    status: Text = ""
    open: bool
    project: Text = ""
    assignees: list[str] = Field(default_factory=list)


class JsonUrl:
    """Tickets behind a URL.

    Args:
        url: With PLACE in its path or query.
        pages: Where people read a ticket, with PLACE in it; "" if nowhere.
        token: Sent as a bearer token, if it is not empty.
    """

    def __init__(self, outbound: Outbound, *, url: str, pages: str, token: Secret) -> None:
        self._outbound = outbound
        self._url = url
        self._pages = pages
        self._token = token

    async def find(self, ticket: str, *, people: bool) -> Ticket | None:  # noqa: ARG002 - see `Tickets`
        """See `Tickets.find`."""
        part = encoded(ticket)
        if part is None:
            return None
        headers = {"Authorization": f"Bearer {self._token.reveal()}"} if self._token else {}
        answer = await self._outbound.get_json(self._url.replace(PLACE, part), headers=headers)
        told = shaped(answer, _Answer, self._url)
        if told is None:
            return None
        return Ticket(
            id=told.id or ticket,
            title=told.title,
            status=told.status,
            open=told.open,
            project=told.project,
            assignees=tuple(told.assignees),
        )

    def link(self, ticket: str) -> str:
        """See `Tickets.link`."""
        part = encoded(ticket)
        return self._pages.replace(PLACE, part) if part is not None else ""
