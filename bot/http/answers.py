"""Answers in JSON, and the one table of errors."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson
import structlog
from aiohttp import hdrs, web

from bot.core.errors import Conflict, Unavailable

log = structlog.get_logger()

# RFC 6749, section 5.2: "MUST NOT include characters outside the set %x20-21 / %x23-5B / %x5D-7E".
_NOT_IN_DESCRIPTIONS: Final = re.compile(r"[^\x20\x21\x23-\x5B\x5D-\x7E]+")

# Seconds, for those who ask again when a part that we need is away.
RETRY_AFTER_S: Final = 2


class InvalidRequest(Exception):
    """The request is malformed; `str(problem)` says how."""


class InvalidClient(Exception):
    """The client is not known, or did not prove who it is.

    Attributes:
        challenge: It used the header Authorization, so the answer names the scheme to use.
    """

    def __init__(self, sentence: str, *, challenge: bool) -> None:
        super().__init__(sentence)
        self.challenge = challenge


class OAuthError(Exception):
    """An error of an OAuth endpoint; `str(problem)` says more.

    Attributes:
        code: As its RFC names it.
    """

    def __init__(self, code: str, sentence: str, *, status: int = 400) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status


# Status and error code (RFC 6749, section 5.2; 4.1.2.1 for the last). The nearest class decides;
# an error that is not here is a fault of ours.
ERRORS: Final[Mapping[type[BaseException], tuple[int, str]]] = {
    InvalidRequest: (400, "invalid_request"),
    InvalidClient: (401, "invalid_client"),
    web.HTTPNotFound: (404, "not_found"),
    web.HTTPMethodNotAllowed: (405, "method_not_allowed"),
    web.HTTPRequestTimeout: (408, "invalid_request"),
    web.HTTPRequestEntityTooLarge: (413, "invalid_request"),
    Conflict: (503, "temporarily_unavailable"),
    Unavailable: (503, "temporarily_unavailable"),
}
_FAULT: Final = (500, "server_error")
_JSON: Final[Mapping[str, str]] = {hdrs.CONTENT_TYPE: "application/json"}


_SAFE: Final[Mapping[str, str]] = {
    hdrs.SERVER: "jit",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
# Pragma is for caches older than HTTP 1.1.
_SAFE_NOT_KEPT: Final[Mapping[str, str]] = {
    **_SAFE,
    hdrs.CACHE_CONTROL: "no-store",
    hdrs.PRAGMA: "no-cache",
}


def safe(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers that an answer with `headers` gets besides."""
    return _SAFE if hdrs.CACHE_CONTROL in headers else _SAFE_NOT_KEPT


class Reply(NamedTuple):
    """An answer before it is the HTTP library's, which is dear to make.

    Attributes:
        headers: Without those about length and connection.
    """

    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""

    @classmethod
    def of(cls, response: web.Response) -> "Reply":
        """Return what `response` says."""
        body = response.body if isinstance(response.body, bytes) else b""
        return cls(status=response.status, headers=dict(response.headers), body=body)

    def response(self) -> web.Response:
        """Return it for the library."""
        return web.Response(status=self.status, headers=self.headers, body=self.body or None)


def in_json(
    content: Any, *, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
) -> Reply:
    """Return `content` in JSON."""
    told = {**headers, **_JSON} if headers else _JSON
    return Reply(status=status, headers=told, body=orjson.dumps(content))


def answer(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return `content` in JSON, for the library."""
    return in_json(content, status=status, headers=headers or {}).response()


def answer_to(problem: Exception) -> web.Response:
    """Return what is answered when `problem` was raised; a fault of ours is logged, not told."""
    known = (ERRORS[kind] for kind in type(problem).__mro__ if kind in ERRORS)
    status, code = next(known, _FAULT)
    if isinstance(problem, OAuthError):
        status, code = problem.status, problem.code
    sentence = str(problem.text if isinstance(problem, web.HTTPException) else problem)
    if (status, code) == _FAULT:
        log.error("http.failed", exc_info=problem)
        sentence = "the server failed; its log says more"
    described = " ".join(_NOT_IN_DESCRIPTIONS.sub(" ", sentence).split())
    content = {"error": code, "error_description": described}
    return answer(content, status=status, headers=_headers(problem))


def _headers(problem: Exception) -> Mapping[str, str]:
    match problem:
        case InvalidClient(challenge=True):
            return {hdrs.WWW_AUTHENTICATE: 'Basic realm="jit"'}
        case web.HTTPMethodNotAllowed():
            return {hdrs.ALLOW: problem.headers[hdrs.ALLOW]}
        case Conflict() | Unavailable():
            return {hdrs.RETRY_AFTER: str(RETRY_AFTER_S)}
        case _:
            return {}
