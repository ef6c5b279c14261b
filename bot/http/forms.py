"""Form bodies: one value a name, nothing from the query."""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestPayloadError

from bot.core.scopes import is_scope
from bot.http.answers import InvalidRequest
from bot.http.lane import Asked

FORM: Final = "application/x-www-form-urlencoded"
_NO_FORM: Final = f"the body must be a form, of type {FORM}"
# A token has about a kilobyte; a longer body is somebody's mistake, or worse.
BODY_AT_MOST: Final = 64 * 1024
FIELDS_AT_MOST: Final = 32
# How long a body may take to arrive; a slower one holds the connection for nothing.
BODY_WITHIN_S: Final = 10.0
# What one call can need at once, and how long the name of a scope may be; more is a mistake.
SCOPES_AT_MOST: Final = 20
SCOPE_AT_MOST: Final = 150


async def read_body(request: web.BaseRequest) -> bytes:
    """Return the body of `request`, which keeps it for others to read.

    Raises:
        HTTPRequestEntityTooLarge: It is longer than `request` may be, unpacked.
        HTTPRequestTimeout: It did not arrive in BODY_WITHIN_S seconds.
        InvalidRequest: It broke off, or its encoding is broken.
    """
    try:
        if request.content.is_eof():  # all of it is here: no timer is needed
            return await request.read()
        async with asyncio.timeout(BODY_WITHIN_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not arrive in time") from None
    except (OSError, RequestPayloadError) as problem:
        raise InvalidRequest("the body did not arrive whole") from problem


async def read_form(request: web.Request) -> Mapping[str, str]:
    """Return the parameters in the body of `request`.

    A parameter without a value is as good as left out (RFC 6749, section 3.2).

    Raises:
        InvalidRequest: It is not a form, or a name stands in it twice.
        HTTPRequestEntityTooLarge, HTTPRequestTimeout: See `read_body`.
    """
    if request.content_type != FORM:
        raise InvalidRequest(_NO_FORM)
    return form_of(await read_body(request if _is_short(request) else _limited(request)))


def form_in(asked: Asked) -> Mapping[str, str]:
    """Return the parameters in the body of a plain request; see `read_form`.

    Raises:
        InvalidRequest: It is not a form, is malformed, or a name stands in it twice.
    """
    kind = asked.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0]
    if kind.strip().lower() != FORM:
        raise InvalidRequest(_NO_FORM)
    return form_of(asked.body)


def form_of(body: bytes) -> Mapping[str, str]:
    """Return the parameters in `body`, a form; see `read_form`.

    Raises:
        InvalidRequest: It is malformed, or a name stands in it twice.
    """
    try:
        fields = _fields(body.decode("utf-8"))
    except ValueError as problem:
        raise InvalidRequest("the form cannot be read") from problem
    form = dict(fields)
    if len(form) != len(fields):
        raise InvalidRequest("a parameter is repeated")
    return {name: value for name, value in form.items() if value}


def _is_short(request: web.Request) -> bool:
    """Return whether the body cannot be longer than BODY_AT_MOST: it says so, and is not packed."""
    length = request.content_length
    packed = hdrs.CONTENT_ENCODING in request.headers
    return length is not None and length <= BODY_AT_MOST and not packed


def _limited(request: web.Request) -> web.BaseRequest:
    return request.clone(client_max_size=BODY_AT_MOST)


def _fields(text: str) -> list[tuple[str, str]]:
    """Return names and values as parse_qsl does; most forms have nothing that is encoded.

    Raises:
        ValueError: It is malformed, or has more than FIELDS_AT_MOST fields.
    """
    pairs = text.split("&")
    if "%" in text or "+" in text or len(pairs) > FIELDS_AT_MOST:
        return parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_AT_MOST
        )
    return [(name, value) for name, _, value in (pair.partition("=") for pair in pairs if pair)]


def read_scopes(form: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the scopes in the parameter `name`, each once; () if it is left out.

    Raises:
        InvalidRequest: They are not scopes, separated by single spaces (RFC 6749, section 3.3), or
            there are too many of them.
    """
    scopes = tuple(dict.fromkeys(form[name].split(" "))) if name in form else ()
    if len(scopes) > SCOPES_AT_MOST:
        raise InvalidRequest(f"{name} names more than {SCOPES_AT_MOST} scopes")
    if not all(is_scope(scope) and len(scope) <= SCOPE_AT_MOST for scope in scopes):
        raise InvalidRequest(
            f"{name} must be scopes of at most {SCOPE_AT_MOST} characters, separated by single"
            " spaces"
        )
    return scopes


def read_address(form: Mapping[str, str], name: str) -> str:
    """Return the IP address in the parameter `name` in its usual form; "" if it is left out.

    Raises:
        InvalidRequest: It is none.
    """
    if name not in form:
        return ""
    try:
        return str(ip_address(form[name]))
    except ValueError:
        raise InvalidRequest(f"{name} must be an IP address") from None
