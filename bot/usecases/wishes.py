"""What people ask of the use cases, and what they get back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.events import Event
from bot.core.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An ask as a person typed it, not yet checked.

    Attributes:
        scopes: None for all of the bundle's.
        duration: None for the bundle's default.
        start: None for as soon as it is approved.
    """

    bundle: str
    scopes: tuple[str, ...] | None = None
    duration: timedelta | None = None
    reason: str = ""
    ticket: str = ""
    start: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a move went.

    Attributes:
        request: As it stands now.
        events: What the move caused; empty when it had been done already.
    """

    request: Request
    events: Sequence[Event]
