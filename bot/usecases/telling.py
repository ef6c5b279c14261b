"""What was recorded, for the log: one line for all that one command, click or form recorded."""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from typing import Final

from structlog.typing import FilteringBoundLogger

from bot.core.events import WIRE, Event, Requested

_COLLECTED: Final[ContextVar[list[str] | None]] = ContextVar("collected", default=None)


def collect() -> tuple[list[str], Token[list[str] | None]]:
    """Return a list that what is told from now on, in this task, is put into; see `stop`."""
    facts: list[str] = []
    return facts, _COLLECTED.set(facts)


def stop(token: Token[list[str] | None]) -> None:
    """Collect no more; what is told has a line of its own again."""
    _COLLECTED.reset(token)


def tell(log: FilteringBoundLogger, events: Iterable[Event]) -> None:
    """Tell of `events`: in the line of whoever collects, else a line each."""
    collected = _COLLECTED.get()
    for event in events:
        if collected is None:
            log.info(WIRE[type(event)], request=event.request, by=str(event.by))
        else:
            collected.append(f"{WIRE[type(event)]} {event.request}")
        if isinstance(event, Requested):
            for shadow in event.shadows:
                log.info("audit_mode.would_have", request=event.request, what=shadow.words)
