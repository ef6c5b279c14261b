"""Who may move what. The only place that says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from bot.core.grant import Signing
from bot.core.identity import BOT, Actor, Kind
from bot.core.known import InForce
from bot.core.moves import (
    Answer,
    Approve,
    Cancel,
    Claim,
    CloseByPolicy,
    Deliver,
    Deny,
    Disown,
    End,
    EndUnused,
    EndWithTicket,
    Escalate,
    Extend,
    Forfeit,
    Lapse,
    MarkOverdue,
    Move,
    Narrow,
    Question,
    RaiseConcern,
    Remind,
    RemindReview,
    Renew,
    Reroute,
    Reveal,
    Revoke,
    Scrub,
    SignOff,
    Start,
    SumUp,
    TellMisuse,
    Warn,
)
from bot.core.places import open_places
from bot.core.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a move may depend on besides the request.

    Attributes:
        groups: Names of the policy's groups that the actor is in now.
        resources: The resources that the actor, a machine, answers for.
        under: Today's policy, and what it says to the request; None where it was not looked at.
    """

    now: datetime
    signing: Signing
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    under: InForce | None = None


Guard: TypeAlias = Callable[[Request, Actor, Circumstances], bool]


def _is_somebody_else(request: Request, by: Actor, _: Circumstances) -> bool:
    # Whatever home was read from the click: one person under two names of a home stays one.
    return by.id != request.requester.id


def _is_requester(request: Request, by: Actor, _: Circumstances) -> bool:
    return by == request.requester


def _is_the_bot(_: Request, by: Actor, __: Circumstances) -> bool:
    return by == BOT


def _keeps_the_token(request: Request, by: Actor, _: Circumstances) -> bool:
    return request.asked.asker == by


def _is_named(request: Request, by: Actor, _: Circumstances) -> bool:
    return by == request.requester != request.asked.asker


def _can_answer(request: Request, _: Actor, __: Circumstances) -> bool:
    return request.requester.kind is Kind.PERSON


def _does_not_own_the_client(request: Request, by: Actor, case: Circumstances) -> bool:
    return not _owns_the_client(request, by, case)


def _owns_the_client(request: Request, by: Actor, case: Circumstances) -> bool:
    machine = request.asked.machine
    if machine is None:
        return False
    return by.id == machine.owner_user or machine.owner_group in case.groups


def _is_requester_or_bot(request: Request, by: Actor, _: Circumstances) -> bool:
    return by in (BOT, request.requester)


def _approves_this_stage(request: Request, _: Actor, case: Circumstances) -> bool:
    return not case.groups.isdisjoint(request.voters)


def _fills_a_place(request: Request, _: Actor, case: Circumstances) -> bool:
    given = [vote.groups for vote in request.votes if vote.stage == request.stage]
    left = open_places(request.places, [*given, case.groups])
    return len(left) < len(request.open_places)


def _may_end(request: Request, by: Actor, case: Circumstances) -> bool:
    asked = request.asked
    named = {group.name for group in asked.voices}
    if by.kind is Kind.MACHINE:
        return asked.resource in case.resources or by == asked.asker
    if by in (BOT, request.requester) or _owns_the_client(request, by, case):
        return True
    return bool(case.groups & {*named, asked.owner})


def _reviews(request: Request, _: Actor, case: Circumstances) -> bool:
    emergency = request.asked.emergency
    named = emergency.review_by if emergency is not None else ()
    return any(group.name in case.groups for group in named)


_ONLY_BOT: Final = (_is_the_bot, "only the bot does this")
_ONLY_REQUESTER: Final = (_is_requester, "only the person who asked can do this")
_ONLY_APPROVER: Final = (_approves_this_stage, "you are not an approver of this request now")


def _has_not_voted(request: Request, by: Actor, _: Circumstances) -> bool:
    return all(vote.by != by for vote in request.votes)


_ONCE: Final = (
    _has_not_voted,
    "you have approved this already; ask a colleague to leave something out, or deny it",
)
_APPROVING: Final = (
    (_is_somebody_else, "you cannot approve your own request"),
    (_does_not_own_the_client, "you answer for the client that asks; somebody else must decide"),
    _ONLY_APPROVER,
    (_fills_a_place, "there are enough approvals from your groups; others must approve now"),
)

_REVIEWING: Final = (
    (_is_somebody_else, "you cannot review your own break-glass"),
    (_reviews, "you are not one of those who review this"),
)

# Who may move what: every guard must hold; the text is what the person reads otherwise.
MAY: Final[Mapping[type[Move], tuple[tuple[Guard, str], ...]]] = {
    Approve: _APPROVING,
    Narrow: (_ONCE, *_APPROVING),
    Question: (
        (_is_somebody_else, "this is your own request"),
        (_can_answer, "a client cannot answer; ask whoever answers for it"),
        _ONLY_APPROVER,
    ),
    Answer: (_ONLY_REQUESTER,),
    Deny: ((_is_somebody_else, "cancel your own request instead"), _ONLY_APPROVER),
    Cancel: (_ONLY_REQUESTER,),
    Lapse: (_ONLY_BOT,),
    Remind: (_ONLY_BOT,),
    Escalate: (_ONLY_BOT,),
    Reroute: (_ONLY_BOT,),
    CloseByPolicy: (_ONLY_BOT,),
    Start: (_ONLY_BOT,),
    Claim: ((_keeps_the_token, "only the person who asked, or their client, can start this"),),
    Forfeit: (_ONLY_BOT,),
    Deliver: (_ONLY_BOT,),
    Scrub: ((_is_requester_or_bot, _ONLY_REQUESTER[1]),),
    Reveal: (
        _ONLY_REQUESTER,
        (_keeps_the_token, "the client has fetched this token; nobody can look at it here"),
    ),
    Renew: (
        _ONLY_REQUESTER,
        (_keeps_the_token, "a client has this access; it must ask for a further token itself"),
    ),
    Warn: (_ONLY_BOT,),
    Extend: (_ONLY_BOT,),
    End: (_ONLY_BOT,),
    EndWithTicket: (_ONLY_BOT,),
    EndUnused: (_ONLY_BOT,),
    TellMisuse: (_ONLY_BOT,),
    SumUp: (_ONLY_BOT,),
    Revoke: ((_may_end, "only the requester, an approver or the bundle's owner can end this"),),
    Disown: ((_is_named, "no client asks in your name here"),),
    SignOff: _REVIEWING,
    RaiseConcern: _REVIEWING,
    RemindReview: (_ONLY_BOT,),
    MarkOverdue: (_ONLY_BOT,),
}


def why_not(request: Request, move: Move, *, by: Actor, case: Circumstances) -> str | None:
    """Return why `by` may not do `move`, None if they may."""
    for holds, otherwise in MAY[type(move)]:
        if not holds(request, by, case):
            return otherwise
    return None
