"""What a grant was used for, as enforcement points saw it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Seen(StrEnum):
    """What a tally counts; its name says which one."""

    ALLOWED = "allowed"
    """Calls that a scope let through; "" where nobody said which scope."""
    BEYOND = "beyond"
    """Calls that needed a scope and were turned away."""
    ENDED = "ended"
    """Calls with a token that was over."""
    ADDRESS = "address"
    """Calls from an address."""
    POINT = "point"
    """Calls that an enforcement point saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often, and when, something was seen of one grant."""

    seen: Seen
    name: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Life:
    """A time through which an enforcement point was alive."""

    begun: datetime
    until: datetime
