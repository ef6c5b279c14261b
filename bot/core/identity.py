"""Who acts, and how things are called."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

RequestId = NewType("RequestId", str)
GrantId = NewType("GrantId", str)

# Crockford's base 32: no I, L, O or U, so an id can be read out and typed.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID_CHARACTERS: Final = 12  # 60 bits
_ID: Final = re.compile(f"R-[{_ALPHABET}]{{{_ID_CHARACTERS}}}")


class Kind(StrEnum):
    """What sort of actor."""

    PERSON = "person"
    MACHINE = "machine"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did, or wants, something.

    Attributes:
        id: The Slack user id of a person, the client id of a machine.
        home: The Slack enterprise or team id that a person belongs to; ids are unique only in it.
    """

    kind: Kind
    id: str
    home: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in (self.kind, self.home, self.id) if part)


BOT: Final = Actor(Kind.BOT, "jit")


def person(user: str, *, home: str) -> Actor:
    """Return the actor for a Slack user id of the enterprise or team `home`."""
    return Actor(Kind.PERSON, user, home)


def fingerprint(*parts: str) -> str:
    """Return a SHA-256 over `parts`, in hex; no two lists of parts look alike to it."""
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(framed.encode("utf-8", "surrogatepass")).hexdigest()


def request_id(delivery: str) -> RequestId:
    """Return the id of the request that `delivery` opens.

    The same delivery always opens the same request, so one delivered twice opens nothing twice.
    """
    number = int(fingerprint("request", delivery), 16)
    letters = [_ALPHABET[(number >> 5 * place) & 31] for place in range(_ID_CHARACTERS)]
    return RequestId("R-" + "".join(letters))


def is_request_id(text: str) -> bool:
    """Return whether `text` could be a request's id; what could not is never looked up."""
    return _ID.fullmatch(text) is not None


def grant_id(request: RequestId) -> GrantId:
    """Return the id of the one grant that `request` can lead to."""
    return GrantId("G-" + request.removeprefix("R-"))


def request_of_token(jti: str) -> RequestId:
    """Return the request whose grant the token `jti` is of; see `grant.token_spec`."""
    return request_of(jti.rpartition(".")[0])


def request_of(typed: str) -> RequestId:
    """Return the request that a person means who typed a request's or a grant's id."""
    bare = typed.strip().upper().removeprefix("R-").removeprefix("G-")
    return RequestId("R-" + bare)
