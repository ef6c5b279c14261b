"""Requests: what each fact changes, and what the clock owes them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Final, TypeAlias, assert_never, get_args

from bot.core import events as e
from bot.core.grant import Close, Grant, evolve_grant, grant_timers
from bot.core.identity import Actor, RequestId, fingerprint
from bot.core.known import Members
from bot.core.places import Place, open_places, places_of, voters
from bot.core.policy import Stage
from bot.core.review import REVIEW_FACTS, Review, evolve_review, review_begun, review_timers
from bot.core.scopes import Delivery
from bot.core.states import (
    NOTES,
    REQUEST_NEXT,
    RequestState,
    Timer,
    is_terminal,
    request_after,
)
from bot.core.votes import Vote

_REQUEST_FACTS = frozenset(REQUEST_NEXT[RequestState.PENDING])


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to the requester, answered or not."""

    by: Actor
    text: str
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Somebody's ask for a bundle as it stands now, with the grant it led to.

    Attributes:
        asked: What is asked and decided on: as it was, or as an approver has narrowed it, or a
            changed policy put it on another way, since.
        stage: The stage that is voted on, from 0.
        stage_began: When it began; None for the first, which began with the request.
        reminded, escalated: How many of its reminders and escalations have happened.
        votes: Those that count in the chain that is voted on.
        spare: Those of before that do not; they may in a chain that comes after it.
        passed: Chains that are complete, where the request owed more than one.
        close: How the request was settled; None while it is pending.
        review: What is owed because the glass was broken; None where it was not.
        version: Facts applied so far (notes do not count): the store's compare-and-set token.
    """

    asked: e.Requested
    state: RequestState = RequestState.PENDING
    stage: int = 0
    stage_began: datetime | None = None
    reminded: int = 0
    escalated: int = 0
    votes: tuple[Vote, ...] = ()
    spare: tuple[Vote, ...] = ()
    passed: tuple[e.Owed, ...] = ()
    questions: tuple[Query, ...] = ()
    close: Close | None = None
    grant: Grant | None = None
    review: Review | None = None
    version: int = 1

    @property
    def id(self) -> RequestId:
        """The request's id."""
        return self.asked.request

    @property
    def requester(self) -> Actor:
        """Who asked, and whom the token is for."""
        return self.asked.by

    @property
    def waits_for(self) -> Stage | None:
        """The stage that people must vote on now."""
        pending = self.state is RequestState.PENDING and self.stage < len(self.asked.stages)
        return self.asked.stages[self.stage] if pending else None

    @property
    def places(self) -> tuple[Place, ...]:
        """The places of the stage that is voted on, filled or not."""
        stage = self.waits_for
        return places_of(stage, escalated=self.escalated) if stage is not None else ()

    @property
    def open_places(self) -> tuple[Place, ...]:
        """Those of them that still need somebody."""
        given = [vote.groups for vote in self.votes if vote.stage == self.stage]
        return open_places(self.places, given)

    @property
    def voters(self) -> Place:
        """The groups that may vote now."""
        stage = self.waits_for
        return voters(stage, escalated=self.escalated) if stage is not None else ()

    @property
    def working_grant(self) -> Grant | None:
        """The grant, if its tokens may be used now."""
        return self.grant if self.grant is not None and self.grant.works else None

    @property
    def waiting_grant(self) -> Grant | None:
        """The grant, if it has yet to start."""
        return self.grant if self.grant is not None and self.grant.waits else None

    @property
    def open_until(self) -> datetime | None:
        """Until when people may decide, or the requester may start the grant; None for neither."""
        if self.state is RequestState.PENDING:
            return self.asked.deadline
        return self.waiting_grant.claim_by if self.waiting_grant is not None else None

    @property
    def token_is_readable(self) -> bool:
        """Whether the token stands in the direct message now."""
        grant = self.working_grant
        by_message = self.asked.delivery is Delivery.MESSAGE and self.asked.machine is None
        return grant is not None and not grant.hidden and by_message

    @property
    def is_over(self) -> bool:
        """Whether nothing can follow but notes."""
        parts = [part.state for part in (self.grant, self.review) if part is not None]
        return is_terminal(self.state) and all(map(is_terminal, parts))

    def votes_in(self, stage: int) -> tuple[Actor, ...]:
        """Return who said yes in `stage`, first first."""
        return tuple(vote.by for vote in self.votes if vote.stage == stage)


def shown_digest(asked: e.Requested) -> str:
    """Return a short digest of what an approver reads on the card; buttons carry it."""
    scopes = [text.scope for text in asked.scopes]
    machine = asked.machine
    besides = [machine.client, machine.address, machine.code] if machine is not None else []
    return fingerprint(
        asked.request,
        str(asked.by),
        asked.bundle,
        str(asked.duration),
        *scopes,
        *besides,
    )[:16]


def evolve(request: Request, event: e.Event) -> Request:
    """Apply one fact.

    Raises:
        WrongState: The fact cannot follow the current state: the log is corrupt.
    """
    if type(event) in NOTES:
        return request
    version = request.version + 1
    if type(event) in REVIEW_FACTS:
        return replace(request, review=evolve_review(request.review, event), version=version)
    if type(event) not in _REQUEST_FACTS:
        return replace(request, grant=evolve_grant(request.grant, event), version=version)
    moved = replace(request, state=request_after(request.state, type(event)), version=version)
    if isinstance(event, _OF_CHAINS):
        return _in_chain(request, moved, event)
    match event:
        case e.Narrowed():
            return replace(moved, asked=_narrowed(request.asked, event))
        case e.Asked(by=by, text=text):
            return replace(moved, questions=(*request.questions, Query(by=by, text=text)))
        case e.Answered(number=number):
            return replace(moved, questions=_answered(request.questions, number))
        case e.Denied(at=at, by=by, reason=reason):
            return replace(moved, close=Close(at=at, by=by, reason=reason))
        case _:
            close = Close(at=event.at, by=event.by)
            return replace(moved, close=close, review=_review_of(request.asked, event))


_OfChains: TypeAlias = (
    e.Voted | e.StagePassed | e.Reminded | e.Escalated | e.Rerouted | e.ChainPassed
)
_OF_CHAINS: Final = get_args(_OfChains)


def _in_chain(request: Request, moved: Request, event: _OfChains) -> Request:
    """Apply a fact about the chain that is voted on; `moved` is `request` in its next state."""
    match event:
        case e.Voted(by=by, stage=stage, groups=groups):
            vote = Vote(by=by, stage=stage, groups=groups)
            spare = tuple(each for each in request.spare if each.by != by)
            return replace(moved, votes=(*request.votes, vote), spare=spare)
        case e.StagePassed(stage=stage, at=at):
            return replace(moved, stage=stage + 1, stage_began=at, reminded=0, escalated=0)
        case e.Reminded(number=number):
            return replace(moved, reminded=number + 1)
        case e.Escalated(number=number):
            return replace(moved, escalated=number + 1)
        case e.Rerouted():
            return _begun(moved, event, asked=_rerouted(request.asked, event))
        case e.ChainPassed():
            passed = (*request.passed, chain_of(request.asked))
            return replace(_begun(moved, event, asked=_going_on(request.asked)), passed=passed)
        case _:
            assert_never(event)


def _review_of(asked: e.Requested, event: e.Event) -> Review | None:
    if not isinstance(event, e.GlassBroken) or asked.emergency is None:
        return None
    return review_begun(asked.emergency, at=event.at)


def _begun(request: Request, event: e.Rerouted | e.ChainPassed, *, asked: e.Requested) -> Request:
    """Return `request` at the beginning of the chain that `asked` has now."""
    return replace(
        request,
        asked=asked,
        stage=0,
        stage_began=event.at,
        reminded=0,
        escalated=0,
        votes=event.votes,
        spare=event.spare,
    )


def _rerouted(asked: e.Requested, event: e.Rerouted) -> e.Requested:
    return replace(
        asked,
        rule=event.rule,
        reasons=event.reasons,
        digest=event.digest,
        slice=event.slice,
        stages=event.stages,
        deadline=event.deadline,
        owed=event.owed,
        optional=event.optional,
        shadows=event.shadows,
        members=event.members,
    )


def _going_on(asked: e.Requested) -> e.Requested:
    """Return `asked` on the first chain that it still owes."""
    next_, *others = asked.owed
    return replace(
        asked,
        stages=next_.stages,
        rule=next_.rule,
        digest=next_.digest,
        owed=tuple(others),
        optional=(),
    )


def chain_of(asked: e.Requested) -> e.Owed:
    """Return the chain that `asked` is on."""
    return e.Owed(digest=asked.digest, rule=asked.rule, stages=asked.stages)


def others_in(asked: e.Requested) -> tuple[Members, ...]:
    """Return who was known to be in the groups with a say, besides the requester."""
    me = asked.by.id
    return tuple(
        replace(each, people=tuple(who for who in each.people if who != me))
        for each in asked.members
    )


def _narrowed(asked: e.Requested, event: e.Narrowed) -> e.Requested:
    left_out = asked.left_out + len(event.dropped)
    return replace(asked, scopes=event.scopes, duration=event.duration, left_out=left_out)


def _answered(questions: tuple[Query, ...], number: int) -> tuple[Query, ...]:
    return tuple(
        replace(each, answered=True) if place == number else each
        for place, each in enumerate(questions)
    )


def replay(history: Iterable[e.Event]) -> Request:
    """Rebuild a request from its facts, `Requested` first; equals the stored snapshot."""
    first, *rest = history
    if not isinstance(first, e.Requested):
        raise TypeError(f"a history begins with Requested, not {type(first).__name__}")
    return reduce(evolve, rest, Request(asked=first))


def timers(request: Request) -> dict[Timer, datetime]:
    """Return when the clock must act on `request`, its grant or its review next, by timer.

    WATCH is when the ticket is looked at for the first time, and IDLE when it is looked at whether
    the grant is used; after that whoever looks puts the next look off, as nothing has happened.
    SUM stays, though it was done, as summing up changes nothing.
    """
    if request.state is RequestState.PENDING:
        return {Timer.LAPSE: request.asked.deadline, **_stage_timers(request)}
    due = grant_timers(request.grant) if request.grant is not None else {}
    if request.asked.delivery is Delivery.REVEAL or request.asked.machine is not None:
        due.pop(Timer.SCRUB, None)  # no message ever shows the token
    if request.asked.machine is not None:
        due.pop(Timer.WARN, None)  # whoever could be told has no more time to give it
    grant, seen = request.working_grant, request.asked.seen
    if grant is not None and seen is not None and seen.watched is not None:
        due[Timer.WATCH] = grant.since + seen.watched
    idle = request.asked.idle_end
    if grant is not None and idle is not None and grant.since + idle < grant.ends_at:
        due[Timer.IDLE] = grant.since + idle
    return {**due, **review_timers(request.review)} if request.review is not None else due


def _stage_timers(request: Request) -> dict[Timer, datetime]:
    """Return the timers of the stage that is voted on; they stop when it passes."""
    stage, began = request.waits_for, request.stage_began or request.asked.at
    if stage is None:
        return {}
    due = {}
    if request.reminded < len(stage.remind):
        due[Timer.REMIND] = began + stage.remind[request.reminded]
    if request.escalated < len(stage.escalate):
        due[Timer.ESCALATE] = began + stage.escalate[request.escalated].after
    return {timer: at for timer, at in due.items() if at < request.asked.deadline}
