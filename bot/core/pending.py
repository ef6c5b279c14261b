"""Moves on a request that is still to be decided: whether they are possible, and their facts."""

from datetime import datetime

from bot.core import events as e
from bot.core.errors import TooLate, WrongState
from bot.core.grant import Close, started
from bot.core.identity import Actor
from bot.core.moves import Approve, Cancel, Deny, Escalate, Lapse, PendingMove, Remind
from bot.core.permission import Circumstances
from bot.core.request import Request, evolve, shown_digest, timers
from bot.core.states import RequestState, Timer, is_terminal
from bot.core.texts import reason_of


def is_settled(request: Request, move: PendingMove, by: Actor) -> bool:
    """Return whether this actor's same move is in the history: a retry must read as done."""
    match move:
        case Approve():
            return any(vote.by == by for vote in request.votes)
        case Deny():
            return request.state is RequestState.DENIED and closed_by(request.close, by)
        case Cancel():
            return request.state is RequestState.CANCELLED and closed_by(request.close, by)
        case Lapse():
            return request.state is RequestState.EXPIRED
        case Remind(stage, number):
            return (stage, number) < (request.stage, request.reminded)
        case Escalate(stage, number):
            return (stage, number) < (request.stage, request.escalated)


def closed_by(close: Close | None, by: Actor) -> bool:
    """Return whether `by` brought something to its end."""
    return close is not None and close.by == by


def still_open(request: Request, move: PendingMove, now: datetime) -> None:
    """Refuse what the state forbids whoever asks.

    Raises:
        WrongState, TooLate: See `lifecycle.decide`.
    """
    if is_terminal(request.state):
        raise WrongState(f"this request is {request.state} already")
    over = now >= request.asked.deadline
    if isinstance(move, Lapse):
        if not over:
            raise WrongState("this request has not reached its deadline yet")
    elif over:
        raise TooLate("the time to decide on this request is over")
    if isinstance(move, Remind | Escalate) and not _is_owed(request, move, now):
        raise WrongState("the time for this has not come")
    if isinstance(move, Approve) and move.seen not in ("", shown_digest(request.asked)):
        raise WrongState("the card you clicked shows something else than was asked")


def _is_owed(request: Request, move: Remind | Escalate, now: datetime) -> bool:
    reminds = isinstance(move, Remind)
    next_ = request.reminded if reminds else request.escalated
    due = timers(request).get(Timer.REMIND if reminds else Timer.ESCALATE)
    return (move.stage, move.number) == (request.stage, next_) and due is not None and due <= now


def settling(
    request: Request, move: PendingMove, *, by: Actor, case: Circumstances
) -> tuple[e.Event, ...]:
    """Return the facts that a possible and permitted `move` causes.

    Raises:
        Invalid: A text in it is missing or too long.
    """
    common: e.Common = {"request": request.id, "at": case.now, "by": by}
    match move:
        case Approve():
            return _votes(request, by=by, case=case)
        case Deny(reason):
            return (e.Denied(**common, reason=reason_of(reason, least=1)),)
        case Cancel():
            return (e.Cancelled(**common),)
        case Lapse():
            return (e.Lapsed(**common),)
        case Remind(stage, number, people):
            return (e.Reminded(**common, stage=stage, number=number, people=people),)
        case Escalate(stage, number):
            return (e.Escalated(**common, stage=stage, number=number),)


def _votes(request: Request, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    common: e.Common = {"request": request.id, "at": case.now, "by": by}
    stage, groups = request.stage, tuple(sorted(case.groups))
    voted = e.Voted(**common, stage=stage, groups=groups)
    facts: tuple[e.Event, ...] = (voted,)
    if evolve(request, voted).open_places:
        return facts
    facts = (*facts, e.StagePassed(**common, stage=stage))
    if stage + 1 < len(request.asked.stages):
        return facts
    return (*facts, e.Approved(**common), *granting(request.asked, by=by, case=case))


def granting(asked: e.Requested, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    """Return the facts that follow an approval; an extension grants nothing of its own."""
    if asked.extends is not None:
        return ()
    return started(asked, now=case.now, by=by, signing=case.signing)
