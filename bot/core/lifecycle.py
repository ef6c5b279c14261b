"""What a move causes.

`decide` here and `evolve` in `request.py` are the only ways anything about a request changes.
"""

from datetime import datetime
from functools import reduce
from typing import Final, TypedDict

from bot.core import events as e
from bot.core.durations import spell
from bot.core.errors import NotAllowed, TooLate, WrongState
from bot.core.grant import Close, Grant, prolonged, started, token_spec
from bot.core.identity import BOT, Actor, RequestId
from bot.core.moves import (
    Approve,
    Cancel,
    Deliver,
    Deny,
    End,
    Extend,
    Lapse,
    Move,
    Reveal,
    Revoke,
    Scrub,
    Warn,
)
from bot.core.permission import Circumstances, why_not
from bot.core.request import Request, evolve, shown_digest
from bot.core.states import GrantState, RequestState, is_terminal
from bot.core.texts import reason_of

# Moves on a request that is still to be decided; all others are moves on its grant.
_SETTLING: Final = (Approve, Deny, Cancel, Lapse)

# Moves on a grant that also make sense at its end.
_CLOSING: Final = (End, Revoke, Scrub)


class _Common(TypedDict):
    request: RequestId
    at: datetime
    by: Actor


def opened(
    asked: e.Requested, *, settled: type[e.Approved | e.Denied] | None, case: Circumstances
) -> tuple[e.Event, ...]:
    """Return the facts of a new request.

    Args:
        settled: What policy decided at once; None when people decide.
    """
    common: _Common = {"request": asked.request, "at": asked.at, "by": BOT}
    if settled is e.Denied:
        return (asked, e.Denied(**common, reason="; ".join(asked.reasons)))
    if settled is e.Approved:
        return (asked, e.Approved(**common), *_granting(asked, by=BOT, case=case))
    return (asked,)


def _granting(asked: e.Requested, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    """Return the facts that follow an approval; an extension grants nothing of its own."""
    if asked.extends is not None:
        return ()
    return started(asked, now=case.now, by=by, signing=case.signing)


def decide(request: Request, move: Move, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    """Return the facts that `move` causes; none when it is done already.

    Raises:
        NotAllowed: `by` may not move this.
        TooLate: The request's deadline has passed.
        WrongState: The state does not allow this (any more).
        Invalid: The reason is missing or too long.
    """
    if _is_done(request, move, by):
        return ()
    _still_possible(request, move, case.now)
    forbidden = why_not(request, move, by=by, case=case)
    if forbidden is not None:
        raise NotAllowed(forbidden)
    facts = _facts(request, move, by=by, case=case)
    reduce(evolve, facts, request)
    return facts


def _is_done(request: Request, move: Move, by: Actor) -> bool:
    """Return whether this actor's same move is in the history: a retry must read as done."""
    grant = request.grant
    match move:
        case Approve():
            return any(vote.by == by for vote in request.votes)
        case Deny():
            return request.state is RequestState.DENIED and _closed_by(request.close, by)
        case Cancel():
            return request.state is RequestState.CANCELLED and _closed_by(request.close, by)
        case Lapse():
            return request.state is RequestState.EXPIRED
        case End():
            return grant is not None and grant.state is GrantState.EXPIRED
        case Revoke():
            revoked = grant is not None and grant.state is GrantState.REVOKED
            return revoked and grant is not None and _closed_by(grant.close, by)
        case Warn():
            return grant is not None and grant.state is GrantState.EXPIRING
        case Deliver(jti):
            return grant is not None and _delivered(grant, jti)
        case Scrub(jti):
            return grant is not None and (grant.hidden or grant.token.jti != jti)
        case Extend(extension=extension):
            return grant is not None and extension.request in grant.extensions
        case Reveal():
            return False


def _delivered(grant: Grant, jti: str) -> bool:
    """Return whether nothing is left to deliver: it was, or a newer token took its place."""
    return grant.token.jti != jti or grant.delivered_at is not None


def _closed_by(close: Close | None, by: Actor) -> bool:
    return close is not None and close.by == by


def _still_possible(request: Request, move: Move, now: datetime) -> None:
    """Refuse what the state forbids whoever asks.

    Raises:
        WrongState, TooLate: See `decide`.
    """
    if isinstance(move, _SETTLING):
        _still_open(request, move, now)
        return
    grant = _grant_of(request)
    if not grant.works:
        raise WrongState(f"this grant is {grant.state} already")
    if isinstance(move, End) and now < grant.ends_at:
        raise WrongState("this grant has not reached its end yet")
    if not isinstance(move, _CLOSING) and now >= grant.ends_at:
        raise TooLate("this grant has reached its end")


def _still_open(request: Request, move: Move, now: datetime) -> None:
    if is_terminal(request.state):
        raise WrongState(f"this request is {request.state} already")
    over = now >= request.asked.deadline
    if isinstance(move, Lapse):
        if not over:
            raise WrongState("this request has not reached its deadline yet")
    elif over:
        raise TooLate("the time to decide on this request is over")
    if isinstance(move, Approve) and move.seen not in ("", shown_digest(request.asked)):
        raise WrongState("the card you clicked shows something else than was asked")


def _facts(request: Request, move: Move, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    common: _Common = {"request": request.id, "at": case.now, "by": by}
    match move:
        case Approve():
            return _votes(request, by=by, case=case)
        case Deny(reason):
            return (e.Denied(**common, reason=reason_of(reason, least=1)),)
        case Cancel():
            return (e.Cancelled(**common),)
        case Lapse():
            return (e.Lapsed(**common),)
        case Deliver(jti):
            return (e.Delivered(**common, jti=jti),)
        case Scrub(jti):
            return (e.Scrubbed(**common, jti=jti),)
        case Reveal():
            return (e.Revealed(**common, jti=_grant_of(request).token.jti),)
        case Warn():
            return (e.Warned(**common),)
        case Extend():
            return (_extends(request, move, common, case),)
        case End():
            return (e.Ended(**common),)
        case Revoke(reason):
            return (e.Revoked(**common, reason=reason_of(reason)),)


def _votes(request: Request, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    common: _Common = {"request": request.id, "at": case.now, "by": by}
    stage = request.stage
    facts: tuple[e.Event, ...] = (e.Voted(**common, stage=stage),)
    if len(request.votes_in(stage)) + 1 < request.asked.stages[stage].quorum:
        return facts
    facts = (*facts, e.StagePassed(**common, stage=stage))
    if stage + 1 < len(request.asked.stages):
        return facts
    return (*facts, e.Approved(**common), *_granting(request.asked, by=by, case=case))


def _extends(request: Request, move: Extend, common: _Common, case: Circumstances) -> e.Extended:
    grant, asked = _grant_of(request), move.extension
    end = prolonged(grant, asked, now=case.now)
    token = token_spec(
        request.asked,
        number=len(grant.tokens) + 1,
        now=case.now,
        ends_at=end,
        signing=case.signing,
    )
    if token.expires_at <= grant.ends_at:
        raise WrongState(f"this grant lasts as long as it may already: {_most(asked)}")
    return e.Extended(**common, token=token, extension=asked.request)


def _most(extension: e.Requested) -> str:
    in_all = extension.longest_in_all
    most = f"{spell(extension.longest)} from now"
    return f"{most}, {spell(in_all)} in all at most" if in_all is not None else f"{most} at most"


def _grant_of(request: Request) -> Grant:
    if request.grant is None:
        raise WrongState(f"this request is {request.state}; it has no grant")
    return request.grant
