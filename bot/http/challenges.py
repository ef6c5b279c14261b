"""How an API asks for a token, and what it says of one that will not do (RFC 6750, section 3)."""

import re
from collections.abc import Sequence
from typing import Final

from aiohttp import hdrs
from multidict import MultiMapping

# RFC 6750, section 2.1: credentials = "Bearer" 1*SP b64token. The scheme's letters may be of
# either case (RFC 9110, section 11.1).
_SCHEME: Final = "bearer"
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class NoToken(Exception):
    """The request brings no token, or not in a way that can be read.

    Attributes:
        code: The error code (RFC 6750, section 3.1); "" when it brought none at all.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def bearer_token(headers: MultiMapping[str]) -> str:
    """Return the token in the header Authorization; no other place is looked at.

    Raises:
        NoToken: There is none, or more than one, or it is malformed.
    """
    given = headers.getall(hdrs.AUTHORIZATION, ())
    if len(given) > 1:
        raise NoToken("invalid_request", "there is more than one Authorization header")
    scheme, _, token = (given[0] if given else "").partition(" ")
    if scheme.lower() != _SCHEME:
        raise NoToken("", "a bearer token is needed")
    token = token.strip(" ")
    if _TOKEN.fullmatch(token) is None:
        raise NoToken("invalid_token", "the bearer token is malformed")
    return token


def challenge(code: str, *, scopes: Sequence[str] = (), metadata: str = "") -> str:
    """Return the value of WWW-Authenticate.

    Args:
        code: "" when the request brought no token (section 3.1: then no error is told).
        scopes: All that are needed.
        metadata: Where the API is described (RFC 9728, section 5.1), "" where it is nowhere.
    """
    told = {"error": code, "scope": " ".join(scopes), "resource_metadata": metadata}
    return "Bearer " + ", ".join(f'{name}="{text}"' for name, text in told.items() if text)
