"""Break-glass in Slack: what cards, threads and direct messages say of it and of its review."""

from collections.abc import Iterator
from typing import Final, TypeAlias, assert_never

from bot.core import events as e
from bot.core.durations import spell
from bot.core.emergency import Emergency
from bot.core.request import Request
from bot.core.review import Review
from bot.core.scopes import Bundle
from bot.core.states import ReviewState
from bot.slack import words
from bot.slack.buttons import Action, button_value
from bot.slack.mrkdwn import NAME_TEXT, Block, button, code, mention, moment, quotation, quoted
from bot.usecases.ports import Found

MARK: Final = "🚨 *BREAK-GLASS*"
CHANNELS_NAMED: Final = 6
CONCERNS_TOLD: Final = 3
_SAID_TEXT: Final = 500

OfReview: TypeAlias = e.ReviewReminded | e.ReviewOverdue | e.Concerned | e.Reviewed


def channels(names: tuple[str, ...]) -> str:
    """Return the channels that are told: "`#incidents`, `#general`"."""
    told = [code(name, limit=60) for name in names[:CHANNELS_NAMED]]
    more = [f"{len(names) - CHANNELS_NAMED} more"] if len(names) > CHANNELS_NAMED else []
    return ", ".join([*told, *more])


def reviewers(emergency: Emergency) -> str:
    """Return who may sign it off: "`security`"."""
    return words.groups(group.name for group in emergency.review_by)


def skipped(emergency: Emergency) -> str:
    """Return who would have been asked: "`leads` or `sre`", "nobody" where no rule asks people."""
    return words.groups(group.name for group in emergency.skipped) or "nobody"


def told(emergency: Emergency) -> str:
    """Return who is told: "`#incidents`, and `leads`, who would have been asked"."""
    others = f", and {skipped(emergency)}, who would have been asked" if emergency.skipped else ""
    return f"{channels(emergency.told) or 'no channel'}{others}"


def owed(emergency: Emergency) -> str:
    """Return what follows: who must sign it off, and what cannot be done before."""
    return (
        f"Somebody else of {reviewers(emergency)} must sign it off within "
        f"{spell(emergency.review_within)}; until then {_limit(emergency.unreviewed)}."
    )


def _limit(unreviewed: int) -> str:
    if unreviewed == 1:
        return "you cannot break glass again"
    return f"no more than {unreviewed} of yours may wait, and none once one is overdue"


def unreachable(emergency: Emergency) -> str:
    """Return what is told of channels that cannot be, "" if all can."""
    problems = [
        quoted(each.why, limit=NAME_TEXT) for each in emergency.unreachable[:CHANNELS_NAMED]
    ]
    return f"⚠️ *Cannot be told*: {'; '.join(problems)}" if problems else ""


def on_card(request: Request) -> Iterator[str]:
    """Yield what a card says of it, instead of who approved."""
    emergency, review = request.asked.emergency, request.review
    if emergency is None:
        return
    if review is None:
        yield f"{MARK}  denied{quotation('; '.join(request.asked.reasons), limit=_SAID_TEXT)}"
        return
    yield f"{MARK}  nobody approved this"
    yield f"📣 *Told*  {told(emergency)}"
    if emergency.unreachable:
        yield unreachable(emergency)
    yield from review_lines(request)


def review_lines(request: Request) -> Iterator[str]:
    """Yield where the review stands."""
    emergency, review = request.asked.emergency, request.review
    if emergency is None or review is None:
        return
    yield review_state(emergency, review)
    left_out = len(review.concerns) - CONCERNS_TOLD
    if left_out > 0:
        yield f"⚠️ {left_out} earlier concerns stand in the thread"
    for each in review.concerns[-CONCERNS_TOLD:]:
        said = quotation(each.text, limit=_SAID_TEXT)
        yield f"⚠️ {mention(each.by)} raised a concern{said}"
    if review.close is not None:
        said = quotation(review.close.reason, limit=_SAID_TEXT)
        yield f"✍️ {mention(review.close.by)} says{said}"


def review_state(emergency: Emergency, review: Review) -> str:
    """Return who must review it until when, or who did."""
    match review.state:
        case ReviewState.DUE:
            until = moment(review.until)
            return f"🔎 *Review*  waits for {reviewers(emergency)}, until {until}"
        case ReviewState.OVERDUE:
            since = moment(review.until)
            return f"🚨 *Review OVERDUE* since {since}  waits for {reviewers(emergency)}"
        case ReviewState.DONE:
            return f"✅ *Signed off* {words.closed_by(review.close)}"
        case _:
            assert_never(review.state)


def review_buttons(request: Request) -> Iterator[Block]:
    """Yield the buttons of reviewers, while there is something to review."""
    if request.review is None or not request.review.is_open:
        return
    value, about = button_value(request), f"the break-glass {request.id}: {request.asked.title}"
    reads = f"Sign off {about}"
    yield button(Action.SIGN_OFF, "Sign off", value=value, style="primary", describes=reads)
    reads = f"Raise a concern about {about}"
    yield button(Action.CONCERN, "Raise concern", value=value, describes=reads)


def broken_line(request: Request) -> str:
    """Return the line of the thread that tells that the glass was broken."""
    who = mention(request.requester)
    return f"{MARK}: {who} took {words.wanted(request)}; nobody was asked"


def besides(event: e.Event, request: Request) -> str:
    """Return what the block of the thread's line says besides: whom it skipped, and who reviews."""
    emergency, review = request.asked.emergency, request.review
    if not isinstance(event, e.GlassBroken) or emergency is None or review is None:
        return ""
    until = moment(review.until)
    lines = [
        f"It skipped {skipped(emergency)}",
        f"Somebody else of {reviewers(emergency)} must sign it off before {until}",
        *([unreachable(emergency)] if emergency.unreachable else []),
    ]
    return "".join(f"\n{line}" for line in lines)


def review_line(event: OfReview) -> tuple[str, str]:
    """Return what happened in a review, as mrkdwn, and what somebody said."""
    who = mention(event.by)
    match event:
        case e.ReviewReminded():
            return "🔔 This break-glass still waits for its review; reviewers were reminded", ""
        case e.ReviewOverdue():
            return "🚨 *OVERDUE*: nobody has signed this break-glass off in time", ""
        case e.Concerned(comment=comment):
            return f"⚠️ {who} *raised a concern* about this break-glass", comment
        case e.Reviewed(comment=comment):
            return f"✅ {who} *signed this break-glass off*", comment
        case _:
            assert_never(event)


def called(request: Request, found: Found, *, skipped_too: bool = False) -> str:
    """Return mentions of those who can review it; "" where there is nothing to review.

    Args:
        skipped_too: Whether those are mentioned first who would have been asked.
    """
    emergency, review = request.asked.emergency, request.review
    if emergency is None or review is None or not review.is_open:
        return ""
    groups = emergency.groups if skipped_too else emergency.review_by
    return words.everybody_in(groups, found, without=request.requester.id)


def told_requester(
    event: e.GlassBroken | e.ReviewOverdue | e.Concerned | e.Reviewed, request: Request
) -> tuple[str, str]:
    """Return what the requester is told, as mrkdwn, and what somebody said."""
    what, who = f"*{words.title(request)}* ({request.id})", mention(event.by)
    match event:
        case e.GlassBroken():
            return (
                f"{MARK}: you have {words.wanted(request)} ({request.id}). {_told_of(request)}",
                "",
            )
        case e.ReviewOverdue():
            return (
                f"🚨 The review of your break-glass of {what} is *overdue*. "
                "Until it is signed off you cannot break glass again."
            ), ""
        case e.Concerned(comment=comment):
            return f"⚠️ {who} raised a concern about your break-glass of {what}.", comment
        case e.Reviewed(comment=comment):
            return f"✅ {who} signed off your break-glass of {what}.", comment
        case _:
            assert_never(event)


def _told_of(request: Request) -> str:
    emergency, review = request.asked.emergency, request.review
    if emergency is None or review is None:
        return ""
    text = f"The token is in a message of its own. Told: {told(emergency)}. {owed(emergency)}"
    problem = unreachable(emergency)
    return f"{text}\n{problem}" if problem else text


def what_happens(emergency: Emergency, *, longest: str) -> str:
    """Return what somebody reads before they break the glass.

    Args:
        longest: For how long they can have it.
    """
    lines = [
        f"{MARK}: you get access at once, and nobody is asked.",
        f"• It lasts {longest} at most, and cannot be extended.",
        f"• Told at once: {told(emergency)}.",
        f"• {owed(emergency)}",
    ]
    problem = unreachable(emergency)
    return "\n".join([*lines, *([f"• {problem}"] if problem else [])])


def in_short(bundle: Bundle) -> str:
    """Return who can break the glass of `bundle`, and what follows; "" where it has none."""
    glass = bundle.glass
    if glass is None:
        return ""
    return (
        f"🚨 In an emergency {words.groups(glass.who)} can break the glass: at once, for "
        f"{spell(glass.max_duration)} at most, told in {channels(glass.notify)}, to be signed off "
        f"by {words.groups(glass.review_by)} within {spell(glass.review_within)}. "
        f"{code(f'/jit break-glass {bundle.name}')}"
    )
