"""Moves on the review of a break-glass grant: whether they are possible, and their facts."""

from datetime import datetime
from typing import Final

from bot.core import events as e
from bot.core.errors import WrongState
from bot.core.identity import Actor
from bot.core.moves import MarkOverdue, RaiseConcern, RemindReview, ReviewMove, SignOff
from bot.core.pending import closed_by
from bot.core.permission import Circumstances
from bot.core.request import Request
from bot.core.review import Review, review_timers
from bot.core.states import ReviewState, Timer
from bot.core.texts import reason_of, tidy

# Each of them is a message to the requester.
CONCERNS_AT_MOST: Final = 20


def is_reviewed(review: Review | None, move: ReviewMove, by: Actor) -> bool:
    """Return whether this actor's same move is in the history; see `pending.is_settled`."""
    if review is None:
        return False
    match move:
        case SignOff():
            return review.state is ReviewState.DONE and closed_by(review.close, by)
        case RaiseConcern(comment=comment):
            return any((each.by, each.text) == (by, tidy(comment)) for each in review.concerns)
        case RemindReview():
            return review.reminded
        case MarkOverdue():
            return review.state is ReviewState.OVERDUE


def still_reviewable(request: Request, move: ReviewMove, now: datetime) -> None:
    """Refuse what the state forbids whoever asks.

    Raises:
        WrongState: There is nothing to review (any more), or the time has not come.
    """
    review = request.review
    if review is None:
        raise WrongState("this was no break-glass; there is nothing to review")
    if not review.is_open:
        raise WrongState("this break-glass was signed off already")
    if isinstance(move, RemindReview | MarkOverdue):
        timer = Timer.REVIEW_REMIND if isinstance(move, RemindReview) else Timer.REVIEW_OVERDUE
        due = review_timers(review).get(timer)
        if due is None or now < due:
            raise WrongState("the time for this has not come")
    if isinstance(move, RaiseConcern) and len(review.concerns) >= CONCERNS_AT_MOST:
        raise WrongState(f"{CONCERNS_AT_MOST} concerns were raised already")


def reviewing(
    request: Request, move: ReviewMove, *, by: Actor, case: Circumstances
) -> tuple[e.Event, ...]:
    """Return the facts that a possible and permitted `move` causes.

    Raises:
        Invalid: A comment is missing or too long.
    """
    common: e.Common = {"request": request.id, "at": case.now, "by": by}
    match move:
        case SignOff(comment):
            return (e.Reviewed(**common, comment=reason_of(comment, least=1)),)
        case RaiseConcern(comment, ends):
            text = reason_of(comment, least=1)
            concerned = e.Concerned(**common, comment=text)
            grant = request.working_grant
            if not ends or grant is None or case.now >= grant.ends_at:
                return (concerned,)
            return (concerned, e.Revoked(**common, reason=text))
        case RemindReview():
            return (e.ReviewReminded(**common),)
        case MarkOverdue():
            return (e.ReviewOverdue(**common),)
