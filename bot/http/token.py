"""Where clients get tokens (RFC 6749, section 3.2)."""

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
from bot.usecases.machines import Handed, Machines
from bot.usecases.ports import Metrics

CLIENT_CREDENTIALS: Final = "client_credentials"  # RFC 6749, section 4.4

# By the part that is wrong; any other makes the request invalid (RFC 6749, 5.2; 8707, section 2).
_INVALID: Final[Mapping[str, str]] = {"scopes": "invalid_scope", "resource": "invalid_target"}

_Grant = Callable[[web.Request, Client, Mapping[str, str]], Awaitable[web.Response]]


class TokenEndpoint:
    """Answers with a token, or with why there is none."""

    def __init__(self, machines: Machines, *, clients: Clients, metrics: Metrics) -> None:
        self._machines = machines
        self._clients = clients
        self._metrics = metrics
        self._grants: Mapping[str, _Grant] = {CLIENT_CREDENTIALS: self._at_once}

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

    def _handing(self, handed: Handed) -> web.Response:
        """Return the answer with the token; that it went out is recorded once it has."""

        async def went_out() -> None:
            await self._machines.went_out(handed)

        return _Telling(token_answer(handed), went_out)


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
