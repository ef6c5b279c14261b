"""When the person in whose name a client asks says that it does not act for them."""

from datetime import datetime
from typing import Final

from bot.core import events as e
from bot.core.errors import TooLate, WrongState
from bot.core.identity import Actor
from bot.core.pending import closed_by
from bot.core.request import Request
from bot.core.states import RequestState, is_terminal

_WHY: Final = "the person named says that the client does not act for them"


def is_disowned(request: Request, by: Actor) -> bool:
    """Return whether `by` has said so before: a retry must read as done."""
    closes = (request.close, request.grant.close if request.grant is not None else None)
    return any(closed_by(close, by) for close in closes)


def still_disownable(request: Request, now: datetime) -> None:
    """Return if there is something left to deny or to end.

    Raises:
        WrongState, TooLate: There is not.
    """
    grant = request.grant
    if request.state is RequestState.PENDING:
        if now >= request.asked.deadline:
            raise TooLate("the time to decide on this request is over")
    elif grant is None:
        raise WrongState(f"this request is {request.state} already")
    elif is_terminal(grant.state):
        raise WrongState(f"this grant is {grant.state} already")


def disowning(request: Request, *, by: Actor, now: datetime) -> tuple[e.Event, ...]:
    """Return the facts: what it led to, or could have led to, ends."""
    common: e.Common = {"request": request.id, "at": now, "by": by}
    if request.state is RequestState.PENDING:
        return (e.Disowned(**common), e.Denied(**common, reason=_WHY))
    return (e.Disowned(**common), e.Revoked(**common, reason=_WHY))
