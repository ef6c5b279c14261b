"""What a move causes.

`decide` here and `evolve` in `request.py` are the only ways anything about a request changes.
"""

from datetime import datetime, timedelta
from functools import reduce
from math import ceil
from typing import Final

from bot.core import events as e
from bot.core.disowning import disowning, is_disowned, still_disownable
from bot.core.durations import spell
from bot.core.errors import NotAllowed, TooLate, WrongState
from bot.core.grant import Grant, later_end, prolonged, renewable_from, started, token_spec
from bot.core.identity import BOT, Actor
from bot.core.moves import (
    BeginningMove,
    Claim,
    Deliver,
    Disown,
    End,
    EndUnused,
    EndWithTicket,
    Extend,
    Forfeit,
    GrantMove,
    Lapse,
    Move,
    PendingMove,
    Renew,
    Reveal,
    ReviewMove,
    Revoke,
    Scrub,
    Start,
    SumUp,
    TellMisuse,
    UseMove,
    Warn,
)
from bot.core.pending import closed_by, granting, is_settled, settling, still_open
from bot.core.permission import Circumstances, why_not
from bot.core.request import Request, evolve
from bot.core.reviewing import is_reviewed, reviewing, still_reviewable
from bot.core.states import GrantState
from bot.core.texts import reason_of

# Moves on a grant that also make sense at its end.
_CLOSING: Final = (End, EndWithTicket, EndUnused, Revoke, Scrub)


def opened(
    asked: e.Requested,
    *,
    settled: type[e.Approved | e.Denied | e.GlassBroken] | None,
    case: Circumstances,
) -> tuple[e.Event, ...]:
    """Return the facts of a new request.

    Args:
        settled: What was decided at once; None when people decide.
    """
    common: e.Common = {"request": asked.request, "at": asked.at, "by": BOT}
    if settled is e.Denied:
        return (asked, e.Denied(**common, reason="; ".join(asked.reasons)))
    if settled is e.Approved:
        return (asked, e.Approved(**common), *granting(asked, by=BOT, case=case))
    if settled is e.GlassBroken:
        broken = e.GlassBroken(request=asked.request, at=asked.at, by=asked.by)
        return (asked, broken, *granting(asked, by=asked.by, case=case))
    return (asked,)


def decide(request: Request, move: Move, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    """Return the facts that `move` causes; none when it is done already.

    Raises:
        NotAllowed: `by` may not move this.
        TooLate: The request's deadline has passed.
        WrongState: The state does not allow this (any more).
        Invalid: The reason is missing or too long.
    """
    if isinstance(move, PendingMove):
        if is_settled(request, move, by):
            return ()
        still_open(request, move, case.now)
    elif isinstance(move, Disown):
        if is_disowned(request, by):
            return ()
        still_disownable(request, case.now)
    elif isinstance(move, ReviewMove):
        if is_reviewed(request.review, move, by):
            return ()
        still_reviewable(request, move, case.now)
    elif isinstance(move, UseMove):
        _began(request, move)
    else:
        if _is_done(request, move, by):
            return ()
        _still_possible(request, move, case.now)
    forbidden = why_not(request, move, by=by, case=case)
    if forbidden is not None:
        raise NotAllowed(forbidden)
    facts = _facts(request, move, by=by, case=case)
    reduce(evolve, facts, request)
    return facts


def _facts(request: Request, move: Move, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    if isinstance(move, PendingMove):
        return settling(request, move, by=by, case=case)
    if isinstance(move, Disown):
        return disowning(request, by=by, now=case.now)
    if isinstance(move, ReviewMove):
        return reviewing(request, move, by=by, case=case)
    if isinstance(move, UseMove):
        return (_note(request, move, by=by, case=case),)
    return (_fact(request, move, by=by, case=case),)


def _is_done(request: Request, move: GrantMove, by: Actor) -> bool:
    """Return whether this actor's same move is in the history; see `is_settled`."""
    grant = request.grant
    if grant is None:
        return False
    match move:
        case Start():
            return bool(grant.tokens)
        case Claim():
            return bool(grant.tokens) and by == request.asked.asker
        case End() | Forfeit():
            return grant.state is GrantState.EXPIRED
        case Revoke() | EndWithTicket() | EndUnused():
            return grant.state is GrantState.REVOKED and closed_by(grant.close, by)
        case Warn():
            return grant.state is GrantState.EXPIRING
        case Deliver(jti):
            # Nothing is left to deliver either when a newer token took its place.
            newest = bool(grant.tokens) and grant.token.jti == jti
            return bool(grant.tokens) and (not newest or grant.delivered_at is not None)
        case Scrub(jti):
            return bool(grant.tokens) and (grant.hidden or grant.token.jti != jti)
        case Renew(jti):
            # Whoever pressed twice has the newer token already.
            return bool(grant.tokens) and grant.token.jti != jti and _had(grant, jti)
        case Extend(extension=extension):
            return extension.request in grant.extensions
        case Reveal():
            return False


def _still_possible(request: Request, move: GrantMove, now: datetime) -> None:
    """Refuse what the state forbids whoever asks.

    Raises:
        WrongState, TooLate: See `decide`.
    """
    grant = _grant_of(request)
    if isinstance(move, BeginningMove):
        _can_begin(grant, move, now)
        return
    if grant.waits:
        if isinstance(move, Revoke):
            return
        raise WrongState("this grant has not started yet")
    if not grant.works:
        raise WrongState(f"this grant is {grant.state} already")
    if isinstance(move, End) and now < grant.ends_at:
        raise WrongState("this grant has not reached its end yet")
    if not isinstance(move, _CLOSING) and now >= grant.ends_at:
        raise TooLate("this grant has reached its end")
    if isinstance(move, Renew):
        _can_be_renewed(grant, move, now)


def _had(grant: Grant, jti: str) -> bool:
    return any(token.jti == jti for token in grant.tokens)


def _can_be_renewed(grant: Grant, move: Renew, now: datetime) -> None:
    """Refuse a further token where there is none of this name, or no need of one yet.

    Raises:
        WrongState: See `decide`.
    """
    if not _had(grant, move.jti):
        raise WrongState("this grant has no such token")
    if not grant.needs_tokens:
        raise WrongState("this token works for as long as the access does")
    first = renewable_from(grant.token)
    if now < first:
        wait = timedelta(seconds=ceil((first - now).total_seconds()))
        raise WrongState(f"this token works still; a new one can be had in {spell(wait)}")


def _began(request: Request, move: UseMove) -> None:
    """Refuse what is told of a grant that there never was, or is not over yet.

    Raises:
        WrongState: See `decide`.
    """
    grant = _grant_of(request)
    if not grant.tokens:
        raise WrongState("this grant never began")
    if isinstance(move, SumUp) and grant.works:
        raise WrongState("this grant is not over yet")


def _note(
    request: Request, move: UseMove, *, by: Actor, case: Circumstances
) -> e.Misused | e.UsageSummed:
    common: e.Common = {"request": request.id, "at": case.now, "by": by}
    match move:
        case TellMisuse(what):
            return e.Misused(**common, what=what)
        case SumUp(usage):
            return e.UsageSummed(
                **common,
                bundle=request.asked.bundle,
                resource=request.asked.resource,
                begun=_grant_of(request).started_at,
                usage=usage,
            )


def _can_begin(grant: Grant, move: BeginningMove, now: datetime) -> None:
    """Refuse to begin, or to give up, what the state forbids whoever asks.

    Raises:
        WrongState, TooLate: See `decide`.
    """
    if not grant.waits:
        raise WrongState(f"this grant is {grant.state} already")
    due = grant.starts_at if isinstance(move, Start) else grant.claim_by
    if due is None:
        raise WrongState("this grant does not start so")
    if isinstance(move, Claim):
        if now >= due:
            raise TooLate("the time to start this is over")
    elif now < due:
        raise WrongState("the time for this has not come")


def lapsing(request: Request) -> Lapse | Forfeit:
    """Return the move that ends what nobody has decided, or started, in time."""
    return Forfeit() if request.waiting_grant is not None else Lapse()


def _fact(request: Request, move: GrantMove, *, by: Actor, case: Circumstances) -> e.Event:
    common: e.Common = {"request": request.id, "at": case.now, "by": by}
    match move:
        case Start() | Claim():
            return started(request.asked, now=case.now, by=by, signing=case.signing)
        case Forfeit():
            return e.Unclaimed(**common)
        case Deliver(jti):
            return e.Delivered(**common, jti=jti)
        case Scrub(jti):
            return e.Scrubbed(**common, jti=jti)
        case Reveal():
            return e.Revealed(**common, jti=_grant_of(request).token.jti)
        case Warn():
            return e.Warned(**common, ends_at=_grant_of(request).until)
        case Renew():
            return e.Renewed(**common, token=_next_token(request, case, _grant_of(request).ends_at))
        case Extend():
            return _extends(request, move, common, case)
        case End():
            return e.Ended(**common)
        case EndWithTicket(why) | EndUnused(why):
            return e.Revoked(**common, reason=why)
        case Revoke(reason):
            return e.Revoked(**common, reason=reason_of(reason))


def _extends(request: Request, move: Extend, common: e.Common, case: Circumstances) -> e.Extended:
    grant, asked = _grant_of(request), move.extension
    end = prolonged(grant, asked, now=case.now)
    if end.replace(microsecond=0) <= grant.ends_at:
        raise WrongState(f"this grant lasts as long as it may already: {_most(asked)}")
    token = _next_token(request, case, end)
    until = later_end(token, end)
    return e.Extended(**common, token=token, extension=asked.request, ends_at=until)


def _next_token(request: Request, case: Circumstances, end: datetime) -> e.TokenSpec:
    number = len(_grant_of(request).tokens) + 1
    return token_spec(request.asked, number=number, now=case.now, ends_at=end, signing=case.signing)


def _most(extension: e.Requested) -> str:
    in_all = extension.longest_in_all
    most = f"{spell(extension.longest)} from now"
    return f"{most}, {spell(in_all)} in all at most" if in_all is not None else f"{most} at most"


def _grant_of(request: Request) -> Grant:
    if request.grant is None:
        raise WrongState(f"this request is {request.state}; it has no grant")
    return request.grant
