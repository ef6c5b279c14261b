"""Where clients get tokens (RFC 6749, section 3.2)."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from bot.core.client import Client
from bot.core.errors import Invalid, Refused
from bot.core.wanted import Unlisted
from bot.http.answers import InvalidRequest, OAuthError, answer
from bot.http.clients import Clients
from bot.http.forms import read_form
from bot.http.machine_forms import DETAILS_TYPE, read_wanted
from bot.usecases.machines import Handed, Machines, Poll, request_of_handle
from bot.usecases.pacing import Pacing, TooSoon
from bot.usecases.waiting import Crowded, Seat, WaitingRoom

CLIENT_CREDENTIALS: Final = "client_credentials"  # RFC 6749, section 4.4
CIBA: Final = "urn:openid:params:grant-type:ciba"  # CIBA Core 1.0, section 10.1
# Longer than any that we give.
_HANDLE_AT_MOST: Final = 200
# How long a poll is held; proxies cut longer ones off.
HOLD_S: Final = 25.0
# RFC 7240, section 4.3; a client whose own patience is shorter says so.
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", re.ASCII)
# CIBA Core 1.0, section 11.
_NO_TOKEN: Final[Mapping[Poll, tuple[str, str]]] = {
    Poll.WAITS: ("authorization_pending", "people have not decided yet; poll again"),
    Poll.DENIED: ("access_denied", "it was denied, or ended before it was fetched"),
    Poll.LATE: ("expired_token", "nobody decided in time, or it was not fetched in time"),
    Poll.SPENT: ("invalid_grant", "the auth_req_id is not known, or the token was fetched before"),
}

# By the part that is wrong; any other makes the request invalid (RFC 6749, 5.2; 8707, section 2).
_INVALID: Final[Mapping[str, str]] = {"scopes": "invalid_scope", "resource": "invalid_target"}

_Grant = Callable[[web.Request, Client, Mapping[str, str]], Awaitable[web.Response]]


class TokenEndpoint:
    """Answers with a token, or with why there is none."""

    def __init__(self, machines: Machines, room: WaitingRoom, *, clients: Clients) -> None:
        self._machines = machines
        self._room = room
        self._clients = clients
        self._pacing = Pacing()
        self._grants: Mapping[str, _Grant] = {
            CLIENT_CREDENTIALS: self._at_once,
            CIBA: self._when_decided,
        }

    @property
    def grant_types(self) -> tuple[str, ...]:
        """What it can be asked for, as the metadata names it."""
        return tuple(self._grants)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one token request."""
        form, client = await caller(request, self._clients)
        if "grant_type" not in form:
            raise InvalidRequest("the parameter grant_type is missing")
        grant = self._grants.get(form["grant_type"])
        if grant is None:
            known = " or ".join(self._grants)
            raise OAuthError("unsupported_grant_type", f"the grant_type must be {known}")
        return await grant(request, client, form)

    async def _at_once(
        self, request: web.Request, client: Client, form: Mapping[str, str]
    ) -> web.Response:
        wanted = read_wanted(form)
        async with refusals(otherwise="unauthorized_client"):
            handed = await self._machines.at_once(
                client, wanted, address=request.remote or "an unknown address"
            )
        return self._handing(handed)

    async def _when_decided(
        self, request: web.Request, client: Client, form: Mapping[str, str]
    ) -> web.Response:
        handle = form.get("auth_req_id", "")
        if not handle:
            raise InvalidRequest("the parameter auth_req_id is missing")
        id_ = request_of_handle(handle) if len(handle) <= _HANDLE_AT_MOST else None
        if id_ is None:
            raise OAuthError(*_NO_TOKEN[Poll.SPENT])
        now_s = asyncio.get_running_loop().time
        try:
            self._pacing.step(f"{client.id} {id_}", now_s=now_s())
            with self._room.seat(id_, client=client.id) as seat:
                async with refusals(otherwise="access_denied"):
                    found = await self._held(request, client, handle, seat)
        except (TooSoon, Crowded) as problem:
            raise OAuthError("slow_down", str(problem)) from problem
        if isinstance(found, Handed):
            return self._handing(found)
        raise OAuthError(*_NO_TOKEN[found])

    async def _held(
        self, request: web.Request, client: Client, handle: str, seat: Seat
    ) -> Handed | Poll:
        """Return the token, or why there is none; a poll that would have to wait is held."""
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + _patience_s(request)
        while True:
            if seat.superseded or _is_gone(request):
                return Poll.WAITS
            found = await self._machines.poll(client, handle)
            left_s = until_s - now_s()
            if found is not Poll.WAITS or left_s <= 0 or self._room.closed:
                return found
            await seat.change(at_most_s=left_s)

    def _handing(self, handed: Handed) -> web.Response:
        """Return the answer with the token; that it went out is recorded once it has."""

        async def went_out() -> None:
            await self._machines.went_out(handed)

        return _Telling(token_answer(handed), went_out)


def _patience_s(request: web.Request) -> float:
    asked = _WAIT.search(request.headers.get("Prefer", ""))
    return min(float(asked[1]), HOLD_S) if asked else HOLD_S


def _is_gone(request: web.Request) -> bool:
    """Return whether the client has hung up: what it would be handed would be lost."""
    return request.transport is None or request.transport.is_closing()


class _Telling(web.Response):
    """An answer that tells when all of it was written; not when the client has gone before."""

    def __init__(self, content: Mapping[str, Any], told: Callable[[], Awaitable[None]]) -> None:
        plain = answer(content)
        super().__init__(body=plain.body, content_type=plain.content_type)
        self._told = told

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        await self._told()


async def caller(request: web.Request, clients: Clients) -> tuple[Mapping[str, str], Client]:
    """Return the form of a request for access, and who sent it.

    Raises:
        InvalidRequest: There is something in the query; see `read_form` and `Clients.caller` for
            the rest.
    """
    if request.query_string:
        raise InvalidRequest("parameters belong in the body, and none in the query")
    form = await read_form(request)
    return form, await clients.caller(request, form)


@asynccontextmanager
async def refusals(*, otherwise: str, status: int = 400) -> AsyncGenerator[None, None]:
    """Have what the rules refuse answered in OAuth's words.

    Args:
        otherwise: The error where policy or a limit says no, with this `status`.
    """
    try:
        yield
    except Invalid as problem:
        code = _INVALID.get(problem.field, "invalid_request")
        raise OAuthError(code, _said(problem)) from problem
    except Unlisted as problem:
        raise OAuthError("unauthorized_client", _said(problem)) from problem
    except Refused as problem:
        raise OAuthError(otherwise, _said(problem), status=status) from problem


def _said(problem: Refused) -> str:
    return f"{problem}; {problem.hint}" if problem.hint else str(problem)


def token_answer(handed: Handed) -> Mapping[str, Any]:
    """Return the members of a token response (RFC 6749, section 5.1; 9396, section 7)."""
    asked, grant = handed.request.asked, handed.request.grant
    if grant is None:
        raise TypeError("a token is handed out for a grant alone")
    spec = grant.token
    lasts = int((spec.expires_at - spec.issued_at).total_seconds())
    return {
        "access_token": handed.token,
        "token_type": "Bearer",
        "expires_in": lasts,
        "scope": " ".join(spec.scopes),
        "grant_id": grant.id,
        "authorization_details": [
            {
                "type": DETAILS_TYPE,
                "bundle": asked.bundle,
                "scopes": list(spec.scopes),
                "duration": lasts,
            }
        ],
    }
