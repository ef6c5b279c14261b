"""Tickets in Jira Cloud.

Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues, "Get issue".
"""

from base64 import b64encode
from typing import Final

from bot.core.tickets import Ticket
from bot.outbound import Outbound
from bot.trackers.answers import Shape, Text, encoded, shaped
from bot.usecases.secret import Secret

# A status of this category is an end, whatever it is called.
_DONE: Final = "done"


class _Category(Shape):
    key: str


class _Status(Shape):
    name: str
    statusCategory: _Category  # noqa: N815 - Jira's name


class _Person(Shape):
    emailAddress: Text = ""  # noqa: N815 - Jira's name


class _Project(Shape):
    key: str


class _Fields(Shape):
    summary: Text
    status: _Status
    assignee: _Person | None = None
    project: _Project


class _Issue(Shape):
    key: str
    fields: _Fields


class Jira:
    """Tickets in Jira Cloud.

    Args:
        url: Without a slash at the end.
        user: The e-mail address that the token belongs to.
    """

    def __init__(self, outbound: Outbound, *, url: str, user: str, token: Secret) -> None:
        self._outbound = outbound
        self._url = url
        self._user = user
        self._token = token

    async def find(self, ticket: str, *, people: bool) -> Ticket | None:  # noqa: ARG002 - see `Tickets`
        """See `Tickets.find`; assignees who hide their address have "" for one."""
        key = encoded(ticket)
        if key is None:
            return None
        url = f"{self._url}/rest/api/3/issue/{key}?fields=summary,status,assignee,project"
        login = b64encode(f"{self._user}:{self._token.reveal()}".encode()).decode()
        answer = await self._outbound.get_json(url, headers={"Authorization": f"Basic {login}"})
        issue = shaped(answer, _Issue, self._url)
        if issue is None:
            return None
        fields = issue.fields
        return Ticket(
            id=issue.key,
            title=fields.summary,
            status=fields.status.name,
            open=fields.status.statusCategory.key != _DONE,
            project=fields.project.key,
            assignees=(fields.assignee.emailAddress,) if fields.assignee is not None else (),
        )

    def link(self, ticket: str) -> str:
        """See `Tickets.link`."""
        key = encoded(ticket)
        return f"{self._url}/browse/{key}" if key is not None else ""
