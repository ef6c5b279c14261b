"""A small tracker beside the stand-in for Slack, so that tickets can be looked up and closed.

It answers the bot in the shape of the generic JSON URL, and people with a page that has a button.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape
from typing import Final

from aiohttp import web

from bot.sandbox.errors import Wrong
from bot.sandbox.forms import Json
from bot.sandbox.workspace import Workspace

_STATUS: Final = {True: "In progress", False: "Done"}
_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>{id}</title>
<body style="font: 16px sans-serif; max-width: 40em; margin: 3em auto">
<h1>{id}</h1><p>{title}</p><p>Assigned to {whose}</p><p><b>{status}</b></p>
<form method="post"><button>{verb}</button></form>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One entry; `assignee` is a user id, "" for nobody."""

    id: str
    title: str
    assignee: str = ""
    open: bool = True


TICKETS: Final = (
    Ticket(id="BILL-7", title="Refund the late order of Miller Ltd.", assignee="U0ANNA"),
    Ticket(id="BILL-1234", title="Customer was charged twice in May", assignee="U0ANNA"),
    Ticket(id="BILL-1200", title="Refund the order of April", assignee="U0BEN", open=False),
    Ticket(id="OPS-1234", title="Invoices are sent late", assignee="U0DAN"),
)


class Tracker:
    """The tickets, and the routes that lead to them.

    Attributes:
        away: Whether the bot is answered with a fault.
    """

    def __init__(self, workspace: Workspace, tickets: Iterable[Ticket] = TICKETS) -> None:
        self._workspace = workspace
        self._tickets = {ticket.id: ticket for ticket in tickets}
        self.away = False

    def routes(self) -> list[web.RouteDef]:
        """Return all routes: for the bot, for people, for tests."""
        return [
            web.get("/tickets/{id}/json", self._tell),
            web.get("/tickets/{id}", self._page),
            web.post("/tickets/{id}", self._toggle),
            web.get("/sandbox/tickets", self._list),
            web.patch("/sandbox/tickets/{id}", self._change),
            web.put("/sandbox/tracker", self._leave),
        ]

    async def _tell(self, request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503)
        return web.json_response(self._told(self._ticket(request)))

    async def _page(self, request: web.Request) -> web.Response:
        ticket = self._ticket(request)
        person = self._workspace.people.get(ticket.assignee)
        page = _PAGE.format(
            id=escape(ticket.id),
            title=escape(ticket.title),
            whose=escape(person.name) if person is not None else "nobody",
            status=_STATUS[ticket.open],
            verb="Close it" if ticket.open else "Open it again",
        )
        return web.Response(text=page, content_type="text/html")

    async def _toggle(self, request: web.Request) -> web.Response:
        ticket = self._ticket(request)
        self._keep(replace(ticket, open=not ticket.open))
        raise web.HTTPSeeOther(request.path)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"tickets": [self._told(each) for each in self._tickets.values()]})

    async def _change(self, request: web.Request) -> web.Response:
        is_open = await _flag(request, "open")
        self._keep(replace(self._ticket(request), open=is_open))
        return web.json_response({"ok": True})

    async def _leave(self, request: web.Request) -> web.Response:
        self.away = await _flag(request, "away")
        return web.json_response({"ok": True})

    def _keep(self, ticket: Ticket) -> None:
        self._tickets[ticket.id] = ticket

    def _ticket(self, request: web.Request) -> Ticket:
        named = request.match_info["id"]
        if named not in self._tickets:
            raise Wrong(f"there is no ticket {named!r}", status=404)
        return self._tickets[named]

    def _told(self, ticket: Ticket) -> Json:
        person = self._workspace.people.get(ticket.assignee)
        return {
            "id": ticket.id,
            "title": ticket.title,
            "status": _STATUS[ticket.open],
            "open": ticket.open,
            "project": ticket.id.partition("-")[0],
            "assignees": [person.email] if person is not None else [],
        }


async def _flag(request: web.Request, name: str) -> bool:
    """Return what a JSON body says of `name`.

    Raises:
        Wrong: It does not say true or false.
    """
    try:
        told = await request.json()
    except ValueError:
        raise Wrong("the body must be JSON") from None
    flag = told.get(name) if isinstance(told, dict) else None
    if not isinstance(flag, bool):
        raise Wrong(f"the body lacks {name}, true or false")
    return flag
