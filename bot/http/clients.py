"""Which client calls: secrets (RFC 6749, section 2.3.1) and signed assertions (RFC 7523).

An assertion's audience is our issuer, and nothing else (RFC 7523 as amended: an assertion made for
another server must not do here).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol
from urllib.parse import unquote_plus

from aiohttp import hdrs
from multidict import MultiMapping

from bot.core.client import Client
from bot.http.answers import InvalidClient, InvalidRequest
from bot.http.assertions import Assertion, read_assertion
from bot.usecases.ports import Clock, Once

# What a client may do to prove who it is, as the metadata names it (RFC 8414, section 2).
METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")
# RFC 7523, section 2.2.
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# Compared with when there is no such client, so that the answer takes as long.
_NOBODYS: Final = frozenset({"0" * 64})
# An assertion is made for one request; one that lives for longer has been kept.
ASSERTION_AT_MOST: Final = timedelta(minutes=5)
# How far two clocks may be apart.
LEEWAY: Final = timedelta(seconds=60)
# For as long as one could be used again.
REMEMBERED: Final = ASSERTION_AT_MOST + 2 * LEEWAY

# Headers that are remembered; there is one for each client, or two while its secret is changed.
_PROVEN_AT_MOST: Final = 256
_TWO_IDS: Final = "the client gives two different ids"


class HasHeaders(Protocol):
    """A request, as far as it matters here."""

    @property
    def headers(self) -> MultiMapping[str]:
        """Its headers, whose names have no case."""


class Clients:
    """Finds out which client makes a request.

    Args:
        known: Returns all clients, by id.
        issuer: The audience that assertions must have.
        once: Where used assertions are remembered.
    """

    def __init__(
        self,
        known: Callable[[], Mapping[str, Client]],
        *,
        issuer: str,
        once: Once,
        clock: Clock,
    ) -> None:
        self._known = known
        self._issuer = issuer
        self._once = once
        self._clock = clock
        self._proven = _Proven()

    async def caller(self, request: HasHeaders, form: Mapping[str, str]) -> Client:
        """Return the client that makes `request`, whose parameters are in `form`.

        Raises:
            InvalidClient: It is not known, did not prove who it is, or did not say.
            InvalidRequest: It authenticates in more than one way.
            Unavailable: Whether an assertion was used before cannot be found out.
        """
        authorization = request.headers.getall(hdrs.AUTHORIZATION, ())
        ways = len(authorization) + ("client_secret" in form) + ("client_assertion" in form)
        if ways > 1:
            raise InvalidRequest("the client authenticates in more than one way")
        if "client_assertion" in form or "client_assertion_type" in form:
            return await self._by_assertion(form)
        if not authorization:
            return by_secret((), form, self._known())
        client = self._proven.client(authorization[0], self._known())
        if client is None:
            client = by_secret(authorization, form, self._known())
            self._proven.keep(authorization[0], client)
        elif form.get("client_id", client.id) != client.id:
            raise InvalidRequest(_TWO_IDS)
        return client

    async def _by_assertion(self, form: Mapping[str, str]) -> Client:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise InvalidRequest(f"client_assertion_type must be {ASSERTION_TYPE}")
        assertion = read_assertion(form.get("client_assertion", ""))
        client = self._known().get(assertion.client if assertion is not None else "")
        if assertion is None or client is None or not self._proves(assertion, client):
            raise InvalidClient("the client is unknown or its assertion is wrong", challenge=False)
        if form.get("client_id", client.id) != client.id:
            raise InvalidRequest(_TWO_IDS)
        name = f"assertion:{hashlib.sha256(f'{client.id} {assertion.jti}'.encode()).hexdigest()}"
        if not await self._once.first(name, within=REMEMBERED):
            raise InvalidClient("the assertion was used before", challenge=False)
        return client

    def _proves(self, assertion: Assertion, client: Client) -> bool:
        now = self._clock.now()
        return (
            any(assertion.is_signed_by(key) for key in client.keys)
            and assertion.audience == self._issuer
            and now - LEEWAY < assertion.expires_at <= now + ASSERTION_AT_MOST + LEEWAY
            and assertion.begins_at <= now + LEEWAY
        )


class _Proven:
    """Clients that have proven who they are, so that the same header is not read again and again.

    A header is found by its SHA-256, so how long that takes tells nothing of one that is known.
    What policy files say counts at once: an entry is good for the very client that it was made of.
    """

    def __init__(self) -> None:
        self._clients: dict[bytes, Client] = {}

    def client(self, header: str, known: Mapping[str, Client]) -> Client | None:
        """Return the client that `header` has proven, None if it must prove itself."""
        found = self._clients.get(_digest(header))
        return found if found is not None and known.get(found.id) is found else None

    def keep(self, header: str, client: Client) -> None:
        """Remember that `header` proves `client`."""
        if len(self._clients) >= _PROVEN_AT_MOST:
            self._clients.clear()
        self._clients[_digest(header)] = client


def _digest(header: str) -> bytes:
    return hashlib.sha256(header.encode("utf-8", "surrogatepass")).digest()


def by_secret(
    authorization: Sequence[str], form: Mapping[str, str], clients: Mapping[str, Client]
) -> Client:
    """Return the client that proves itself by a secret.

    Args:
        authorization: The values of the request's Authorization headers, one at most.

    Raises:
        InvalidClient, InvalidRequest: See `Clients.caller`.
    """
    if authorization:
        id_, secret = _basic(authorization[0])
        if form.get("client_id", id_) != id_:
            raise InvalidRequest(_TWO_IDS)
    else:
        id_, secret = form.get("client_id", ""), form.get("client_secret", "")
    client = clients.get(id_)
    expected = (client.secrets_sha256 if client is not None else None) or _NOBODYS
    given = hashlib.sha256(secret.encode()).hexdigest()
    proven = [hmac.compare_digest(given, one) for one in expected]
    if client is None or not any(proven):
        raise InvalidClient(
            "the client is unknown or its secret is wrong", challenge=bool(authorization)
        )
    return client


def _basic(authorization: str) -> tuple[str, str]:
    """Return the id and secret in `authorization`; each is form-encoded inside (as above)."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("clients authenticate with Basic or in the form", challenge=True)
    try:
        decoded = base64.b64decode(credentials.strip(" "), validate=True).decode("utf-8")
        id_, secret = (unquote_plus(part, errors="strict") for part in decoded.split(":", 1))
    except ValueError:
        raise InvalidClient("the Basic credentials cannot be read", challenge=True) from None
    return id_, secret
