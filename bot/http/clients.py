"""Which client calls: client_secret_basic and client_secret_post (RFC 6749, section 2.3.1)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote_plus

from bot.core.client import Client
from bot.http.answers import InvalidClient, InvalidRequest

# Compared with when there is no such client, so that the answer takes as long.
_NOBODYS: Final = "0" * 64


def caller(
    authorization: Sequence[str], form: Mapping[str, str], clients: Mapping[str, Client]
) -> Client:
    """Return the client that makes a request.

    Args:
        authorization: The values of its Authorization headers.
        form: The parameters in its body.
        clients: All that are known, by id.

    Raises:
        InvalidClient: It is not known, its secret is wrong, or it did not say who it is.
        InvalidRequest: It authenticates in more than one way.
    """
    if len(authorization) + ("client_secret" in form) > 1:
        raise InvalidRequest("the client authenticates in more than one way")
    if authorization:
        id_, secret = _basic(authorization[0])
        if form.get("client_id", id_) != id_:
            raise InvalidRequest("the client gives two different ids")
    else:
        id_, secret = form.get("client_id", ""), form.get("client_secret", "")
    client = clients.get(id_)
    expected = _NOBODYS if client is None else client.secret_sha256
    given = hashlib.sha256(secret.encode()).hexdigest()
    proven = hmac.compare_digest(given, expected)
    if client is None or not proven:
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
