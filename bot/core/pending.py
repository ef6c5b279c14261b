"""Moves on a request that is still to be decided: whether they are possible, and their facts."""

from datetime import datetime, timedelta
from functools import reduce
from typing import Final

from bot.core import events as e
from bot.core.durations import spell
from bot.core.errors import Invalid, TooLate, WrongState
from bot.core.grant import Close, granted
from bot.core.identity import Actor
from bot.core.moves import (
    Answer,
    Approve,
    Cancel,
    CloseByPolicy,
    Deny,
    Escalate,
    Lapse,
    Narrow,
    PendingMove,
    Question,
    Remind,
    Reroute,
)
from bot.core.permission import Circumstances
from bot.core.request import Request, evolve, others_in, shown_digest, timers
from bot.core.scopes import ScopeText
from bot.core.states import RequestState, Timer, is_terminal
from bot.core.texts import reason_of, tidy
from bot.core.votes import dealt

# Each of them is a message to the requester.
QUESTIONS_AT_MOST: Final = 20


def is_settled(request: Request, move: PendingMove, by: Actor) -> bool:
    """Return whether this actor's same move is in the history: a retry must read as done."""
    match move:
        case Approve():
            return any(vote.by == by for vote in request.votes)
        case Narrow(scopes=scopes, duration=duration):
            stands = {text.scope for text in request.asked.scopes}, request.asked.duration
            in_force = (set(scopes), duration) == stands
            return in_force and any(vote.by == by for vote in request.votes)
        case Question(text):
            return any((each.by, each.text) == (by, tidy(text)) for each in request.questions)
        case Answer(number):
            asked = request.questions[number : number + 1]
            return any(each.answered for each in asked) and by == request.requester
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
        case Reroute(version, way):
            is_on_it = (request.asked.digest, request.asked.stages) == (way.digest, way.stages)
            return request.version > version and is_on_it
        case CloseByPolicy():
            return request.state is RequestState.DENIED and closed_by(request.close, by)


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
    if isinstance(move, Reroute) and move.version != request.version:
        raise WrongState("this request has changed meanwhile")
    if isinstance(move, Question) and len(request.questions) >= QUESTIONS_AT_MOST:
        raise WrongState(f"{QUESTIONS_AT_MOST} questions were asked already")
    if isinstance(move, Answer) and not 0 <= move.number < len(request.questions):
        raise WrongState("nobody has asked that")
    if isinstance(move, Approve | Narrow) and move.seen not in ("", shown_digest(request.asked)):
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
        case Narrow():
            return _less(request, move, by=by, case=case)
        case Question(text):
            number = len(request.questions)
            return (e.Asked(**common, number=number, text=reason_of(text, least=1)),)
        case Answer(number, text):
            return (e.Answered(**common, number=number, text=reason_of(text, least=1)),)
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
        case Reroute(way=way):
            return (way, *_passing(evolve(request, way), common))
        case CloseByPolicy(reason, rule, digest):
            return (e.Denied(**common, reason=reason, rule=rule, digest=digest),)


def _less(request: Request, move: Narrow, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    """Return the facts of a yes to less; a yes to all of it is a plain one.

    Whoever said yes before said it to more than this, so their votes still count.
    """
    asked = request.asked
    scopes, dropped = _kept(asked, move.scopes)
    if move.duration <= timedelta(0) or move.duration % timedelta(seconds=1):
        raise Invalid("the duration must be a number of whole seconds", field="duration")
    if move.duration > asked.duration:
        most = spell(asked.duration)
        raise Invalid(f"no more than {most} was asked for", field="duration")
    if not dropped and move.duration == asked.duration:
        return _votes(request, by=by, case=case)
    common: e.Common = {"request": request.id, "at": case.now, "by": by}
    narrowed = e.Narrowed(
        **common, scopes=scopes, duration=move.duration, dropped=dropped, was=asked.duration
    )
    return (narrowed, *_votes(evolve(request, narrowed), by=by, case=case))


def _kept(
    asked: e.Requested, wanted: tuple[str, ...]
) -> tuple[tuple[ScopeText, ...], tuple[str, ...]]:
    """Return the scopes of `asked` that are in `wanted`, and the others.

    Raises:
        Invalid: `wanted` is empty, or asks for more, or would change an extension's token.
    """
    known = [text.scope for text in asked.scopes]
    if not wanted:
        raise Invalid("leave at least one scope", field="scopes")
    if not set(wanted) <= set(known):
        raise Invalid("only scopes that were asked for can be approved", field="scopes")
    dropped = tuple(scope for scope in known if scope not in wanted)
    if dropped and asked.extends is not None:
        raise Invalid("more time is for the same scopes; shorten it instead", field="scopes")
    return tuple(text for text in asked.scopes if text.scope in wanted), dropped


def _votes(request: Request, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    common: e.Common = {"request": request.id, "at": case.now, "by": by}
    stage, groups = request.stage, tuple(sorted(case.groups))
    voted = e.Voted(**common, stage=stage, groups=groups)
    after = evolve(request, voted)
    facts: tuple[e.Event, ...] = (voted, *_passing(after, common))
    if reduce(evolve, facts, request).waits_for is not None:
        return facts
    approved = e.Approved(**common, under=case.under)
    return (*facts, approved, *granting(request.asked, by=by, case=case))


def _passing(request: Request, common: e.Common) -> tuple[e.Event, ...]:
    """Return that stages pass, and chains, as far as the votes that there are fill them."""
    facts: list[e.Event] = []
    while request.waits_for is not None and not request.open_places:
        passed = e.StagePassed(**common, stage=request.stage)
        facts.append(passed)
        request = evolve(request, passed)
        if request.waits_for is None and request.asked.owed:
            stages, given = request.asked.owed[0].stages, (*request.votes, *request.spare)
            rest = dealt(given, stages, others_in(request.asked))
            going_on = e.ChainPassed(**common, votes=rest.counted, spare=rest.spare)
            facts.append(going_on)
            request = evolve(request, going_on)
    return tuple(facts)


def granting(asked: e.Requested, *, by: Actor, case: Circumstances) -> tuple[e.Event, ...]:
    """Return the facts that follow an approval; an extension grants nothing of its own."""
    if asked.extends is not None:
        return ()
    return granted(asked, now=case.now, by=by, signing=case.signing)
