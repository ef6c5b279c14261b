"""The life of a request and of its grant, as data.

Everything that decides which state follows which is in this file, and nowhere else.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from bot.core import events as e
from bot.core.errors import WrongState


class RequestState(StrEnum):
    """Where a request is in its life."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class GrantState(StrEnum):
    """Where a grant is in its life."""

    READY = "ready"
    LIVE = "live"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ReviewState(StrEnum):
    """Where the review of a break-glass grant is in its life."""

    DUE = "due"
    OVERDUE = "overdue"
    DONE = "done"


class Timer(StrEnum):
    """What the clock does to a request, its grant or its review."""

    LAPSE = "lapse"
    REMIND = "remind"
    ESCALATE = "escalate"
    START = "start"
    CLAIM = "claim"
    WARN = "warn"
    SCRUB = "scrub"
    END = "end"
    WATCH = "watch"
    IDLE = "idle"
    SUM = "sum"
    REVIEW_REMIND = "review_remind"
    REVIEW_OVERDUE = "review_overdue"


REQUEST_NEXT: Final[Mapping[RequestState, Mapping[type[e.Event], RequestState]]] = {
    RequestState.PENDING: {
        e.Narrowed: RequestState.PENDING,
        e.Voted: RequestState.PENDING,
        e.Rerouted: RequestState.PENDING,
        e.ChainPassed: RequestState.PENDING,
        e.Asked: RequestState.PENDING,
        e.Answered: RequestState.PENDING,
        e.StagePassed: RequestState.PENDING,
        e.Reminded: RequestState.PENDING,
        e.Escalated: RequestState.PENDING,
        e.Approved: RequestState.APPROVED,
        e.GlassBroken: RequestState.APPROVED,
        e.Denied: RequestState.DENIED,
        e.Cancelled: RequestState.CANCELLED,
        e.Lapsed: RequestState.EXPIRED,
    },
    RequestState.APPROVED: {},
    RequestState.DENIED: {},
    RequestState.CANCELLED: {},
    RequestState.EXPIRED: {},
}

GRANT_NEXT: Final[Mapping[GrantState, Mapping[type[e.Event], GrantState]]] = {
    GrantState.READY: {
        e.Started: GrantState.LIVE,
        e.Unclaimed: GrantState.EXPIRED,
        e.Revoked: GrantState.REVOKED,
    },
    GrantState.LIVE: {
        e.Delivered: GrantState.LIVE,
        e.Scrubbed: GrantState.LIVE,
        e.Warned: GrantState.EXPIRING,
        e.Extended: GrantState.LIVE,
        e.Renewed: GrantState.LIVE,
        e.Ended: GrantState.EXPIRED,
        e.Revoked: GrantState.REVOKED,
    },
    GrantState.EXPIRING: {
        e.Delivered: GrantState.EXPIRING,
        e.Scrubbed: GrantState.EXPIRING,
        e.Extended: GrantState.LIVE,
        e.Renewed: GrantState.EXPIRING,
        e.Ended: GrantState.EXPIRED,
        e.Revoked: GrantState.REVOKED,
    },
    GrantState.EXPIRED: {},
    GrantState.REVOKED: {},
}

# A concern leaves the review open: what lifts the bar is that somebody signs it off.
REVIEW_NEXT: Final[Mapping[ReviewState, Mapping[type[e.Event], ReviewState]]] = {
    ReviewState.DUE: {
        e.Concerned: ReviewState.DUE,
        e.ReviewReminded: ReviewState.DUE,
        e.ReviewOverdue: ReviewState.OVERDUE,
        e.Reviewed: ReviewState.DONE,
    },
    ReviewState.OVERDUE: {
        e.Concerned: ReviewState.OVERDUE,
        e.Reviewed: ReviewState.DONE,
    },
    ReviewState.DONE: {},
}

# Facts that change no state and are allowed in every one.
NOTES: Final[frozenset[type[e.Event]]] = frozenset(
    {e.Refused, e.Revealed, e.Disowned, e.Misused, e.UsageSummed}
)

# Which timers a state owns; entering a state without one of them stops it.
TIMERS: Final[Mapping[RequestState | GrantState | ReviewState, frozenset[Timer]]] = {
    RequestState.PENDING: frozenset({Timer.LAPSE, Timer.REMIND, Timer.ESCALATE}),
    GrantState.READY: frozenset({Timer.START, Timer.CLAIM}),
    GrantState.LIVE: frozenset({Timer.WARN, Timer.SCRUB, Timer.END, Timer.WATCH, Timer.IDLE}),
    GrantState.EXPIRING: frozenset({Timer.SCRUB, Timer.END, Timer.WATCH, Timer.IDLE}),
    GrantState.EXPIRED: frozenset({Timer.SUM}),
    GrantState.REVOKED: frozenset({Timer.SUM}),
    ReviewState.DUE: frozenset({Timer.REVIEW_REMIND, Timer.REVIEW_OVERDUE}),
}

# The grants that a token may be used under.
WORKING: Final = frozenset({GrantState.LIVE, GrantState.EXPIRING})

# Enforcement points tell what they saw within so long; then it is summed up.
SUM_AFTER: Final = timedelta(seconds=10)

# How long a token stays readable in its message.
SCRUB_AFTER: Final = timedelta(minutes=10)

# A reminder comes when a fifth of the time is left, and never earlier than this before the end.
WARN_AT_MOST: Final = timedelta(minutes=10)
WARN_SHARE: Final = 5


# Reviewers are reminded when so small a part of their time is left.
REVIEW_REMIND_SHARE: Final = 4


def is_terminal(state: RequestState | GrantState | ReviewState) -> bool:
    """Return whether nothing can follow `state`."""
    if isinstance(state, RequestState):
        return not REQUEST_NEXT[state]
    if isinstance(state, ReviewState):
        return not REVIEW_NEXT[state]
    return not GRANT_NEXT[state]


def request_after(state: RequestState, event: type[e.Event]) -> RequestState:
    """Return the state that follows.

    Raises:
        WrongState: The table has no such move.
    """
    following = REQUEST_NEXT[state].get(event)
    if following is None:
        raise WrongState(f"this request is {state}; it cannot be {event.__name__.lower()} now")
    return following


def grant_after(state: GrantState, event: type[e.Event]) -> GrantState:
    """Return the state that follows.

    Raises:
        WrongState: The table has no such move.
    """
    following = GRANT_NEXT[state].get(event)
    if following is None:
        raise WrongState(f"this grant is {state}; it cannot be {event.__name__.lower()} now")
    return following


def review_after(state: ReviewState, event: type[e.Event]) -> ReviewState:
    """Return the state that follows.

    Raises:
        WrongState: The table has no such move.
    """
    following = REVIEW_NEXT[state].get(event)
    if following is None:
        raise WrongState(f"this review is {state}; it cannot be {event.__name__.lower()} now")
    return following


def warn_lead(length: timedelta) -> timedelta:
    """Return how long before its end a grant of `length` is warned of."""
    return min(WARN_AT_MOST, length / WARN_SHARE)
