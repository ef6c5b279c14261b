"""Tickets in GitHub Issues; one is called OWNER/REPO#NUMBER.

Source: https://docs.github.com/en/rest/issues/issues#get-an-issue and
https://docs.github.com/en/rest/users/users#get-a-user.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from pydantic import Field

from bot.core.tickets import Ticket
from bot.outbound import Outbound
from bot.trackers.answers import S, Shape, Text, shaped
from bot.usecases.secret import Secret

PUBLIC_API: Final = "https://api.github.com"
_PUBLIC: Final = "https://github.com"
# Of an Enterprise Server: https://docs.github.com/en/enterprise-server/rest, "Base URL".
_OF_SERVER: Final = "/api/v3"
# GitHub's own names: letters, digits, dashes, dots and underscores; never dots alone.
_ID: Final = re.compile(
    r"(?P<owner>[A-Za-z0-9][A-Za-z0-9-]*)/(?P<repo>(?!\.{1,2}#)[A-Za-z0-9._-]+)#(?P<number>[0-9]+)"
)
_VERSION: Final = "2022-11-28"


class _User(Shape):
    login: str


class _Profile(Shape):
    email: Text = ""


class _Issue(Shape):
    number: int
    title: Text
    state: str
    state_reason: Text = ""
    repository_url: str
    assignees: list[_User] = Field(default_factory=list)
    pull_request: Any = None


class GitHub:
    """Tickets in GitHub Issues.

    Args:
        api: The API's URL, without a slash at the end.
    """

    def __init__(self, outbound: Outbound, *, api: str, token: Secret) -> None:
        self._outbound = outbound
        self._api = api
        self._token = token

    async def find(self, ticket: str, *, people: bool) -> Ticket | None:
        """See `Tickets.find`; assignees without a public address have "" for one."""
        named = _ID.fullmatch(ticket)
        if named is None:
            return None
        path = f"repos/{named['owner']}/{named['repo']}/issues/{named['number']}"
        issue = await self._get(path, _Issue)
        if issue is None or issue.pull_request is not None:
            return None
        project = "/".join(issue.repository_url.rsplit("/", 2)[1:])
        logins = [each.login for each in issue.assignees] if people else []
        return Ticket(
            id=f"{project}#{issue.number}",
            title=issue.title,
            status=f"{issue.state}: {issue.state_reason}" if issue.state_reason else issue.state,
            open=issue.state == "open",
            project=project,
            assignees=tuple(await asyncio.gather(*(self._email(login) for login in logins))),
        )

    async def _email(self, login: str) -> str:
        profile = await self._get(f"users/{quote(login, safe='')}", _Profile)
        return profile.email if profile is not None else ""

    async def _get(self, path: str, shape: type[S]) -> S | None:
        answer = await self._outbound.get_json(f"{self._api}/{path}", headers=self._headers())
        return shaped(answer, shape, self._api)

    def _headers(self) -> Mapping[str, str]:
        return {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token.reveal()}",
            "X-GitHub-Api-Version": _VERSION,
        }

    def link(self, ticket: str) -> str:
        """See `Tickets.link`."""
        named = _ID.fullmatch(ticket)
        if named is None:
            return ""
        pages = _PUBLIC if self._api == PUBLIC_API else self._api.removesuffix(_OF_SERVER)
        return f"{pages}/{named['owner']}/{named['repo']}/issues/{named['number']}"
