"""Form bodies: one value a name, nothing from the query."""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from bot.core.scopes import is_scope
from bot.http.answers import InvalidRequest

FORM: Final = "application/x-www-form-urlencoded"
# A token has about a kilobyte; a longer body is somebody's mistake, or worse.
BODY_AT_MOST: Final = 64 * 1024
FIELDS_AT_MOST: Final = 32
# How long a body may take to arrive; a slower one holds the connection for nothing.
BODY_WITHIN_S: Final = 10.0
# What one call can need at once, and how long the name of a scope may be; more is a mistake.
SCOPES_AT_MOST: Final = 20
SCOPE_AT_MOST: Final = 150


async def read_body(request: web.Request) -> bytes:
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
        raise InvalidRequest(f"the body must be a form, of type {FORM}")
    body = await read_body(request.clone(client_max_size=BODY_AT_MOST))
    try:
        fields = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_AT_MOST,
        )
    except ValueError as problem:
        raise InvalidRequest("the form cannot be read") from problem
    form = dict(fields)
    if len(form) != len(fields):
        raise InvalidRequest("a parameter is repeated")
    return {name: value for name, value in form.items() if value}


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
