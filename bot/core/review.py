"""The review of a break-glass grant: what each fact changes, and what the clock owes it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bot.core import events as e
from bot.core.emergency import Emergency
from bot.core.errors import WrongState
from bot.core.grant import Close
from bot.core.identity import Actor
from bot.core.states import (
    REVIEW_NEXT,
    REVIEW_REMIND_SHARE,
    TIMERS,
    ReviewState,
    Timer,
    is_terminal,
    review_after,
)

REVIEW_FACTS: Final = frozenset(fact for exits in REVIEW_NEXT.values() for fact in exits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What a reviewer does not like."""

    at: datetime
    by: Actor
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What somebody else must do after the glass was broken.

    Attributes:
        remind_at, until: When the reviewers are reminded, and when it is overdue.
        close: Who signed it off; None before.
    """

    remind_at: datetime
    until: datetime
    state: ReviewState = ReviewState.DUE
    reminded: bool = False
    concerns: tuple[Concern, ...] = ()
    close: Close | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody must still sign it off."""
        return not is_terminal(self.state)


def review_begun(emergency: Emergency, *, at: datetime) -> Review:
    """Return the review that breaking the glass at `at` calls for."""
    until = at + emergency.review_within
    return Review(remind_at=until - emergency.review_within / REVIEW_REMIND_SHARE, until=until)


def evolve_review(review: Review | None, event: e.Event) -> Review:
    """Apply one fact.

    Raises:
        WrongState: The fact cannot follow the current state.
    """
    if review is None:
        raise WrongState("there is nothing to review")
    moved = replace(review, state=review_after(review.state, type(event)))
    match event:
        case e.ReviewReminded():
            return replace(moved, reminded=True)
        case e.Concerned(at=at, by=by, comment=text):
            return replace(moved, concerns=(*review.concerns, Concern(at=at, by=by, text=text)))
        case e.Reviewed(at=at, by=by, comment=text):
            return replace(moved, close=Close(at=at, by=by, reason=text))
        case _:
            return moved


def review_timers(review: Review) -> dict[Timer, datetime]:
    """Return when the clock must act on `review` next, by timer."""
    due = {Timer.REVIEW_OVERDUE: review.until}
    if not review.reminded:
        due[Timer.REVIEW_REMIND] = review.remind_at
    return {timer: at for timer, at in due.items() if timer in TIMERS.get(review.state, ())}
