"""What is said of how a grant begins: at once, when its holder starts it, later, or not at all."""

from typing import Final, TypeAlias, assert_never

from bot.core import events as e
from bot.core.durations import spell
from bot.core.identity import BOT
from bot.core.request import Request
from bot.slack import words
from bot.slack.buttons import Action, ask_again_button, button_value
from bot.slack.mrkdwn import Block, button, confirm, mention, moment

OfBeginning: TypeAlias = e.Granted | e.Started | e.Unclaimed

_IF_STILL: Final = "if policy still agrees then"


def giving_up_button(action: Action, label: str, request: Request) -> Block:
    """Return a button that ends the grant before it begins, once that was confirmed."""
    return button(
        action,
        label,
        value=button_value(request),
        style="danger",
        describes=f"Give up {request.id} before it begins: {request.asked.title}",
        asks=confirm(
            "Give this up?",
            "It was approved and has not begun. Who needs it after all must ask again.",
            yes="Give it up",
            no="Keep it",
        ),
    )


def beginning_line(event: OfBeginning, request: Request) -> tuple[str, str] | None:
    """Return the line of the thread; None for Granted where Started follows at once."""
    owner = mention(request.asked.asker)
    match event:
        case e.Granted(claim_by=until) if until is not None:
            return f"⏳ {owner} can start it until {moment(until)}; its time runs from then", ""
        case e.Granted(starts_at=start) if start is not None:
            return f"🗓️ It starts {moment(start)}, {_IF_STILL}", ""
        case e.Granted():
            return None
        case e.Started():
            claimed = request.asked.claim_within is not None
            who = f"▶️ {owner} started it: the" if claimed else "🔑 The"
            return f"{who} access works until {moment(words.end_in(event))}", ""
        case e.Unclaimed():
            return f"⌛ {owner} did not start it in time; the approval has lapsed", ""
        case _:
            assert_never(event)


def never_begun_line(event: e.Revoked) -> tuple[str, str]:
    """Return the line of the thread that tells of the end of what had not begun."""
    by = "" if event.by == BOT else f" by {mention(event.by)}"
    return f"🛑 *The access was ended{by}* before it began", event.reason


def approval_led_to(request: Request) -> tuple[str, list[Block]]:
    """Return what the requester is told after "… approved …", with the buttons that work now."""
    asked, grant = request.asked, request.grant
    if asked.extends is not None or grant is None:
        return "", []
    if grant.claim_by is None and grant.starts_at is None:
        return " Your token is in a message of its own.", []
    if not grant.waits:
        return " It did not begin." if grant.never_started else " It has begun.", []
    give_up = giving_up_button(Action.END_NOW, "Give it up", request)
    if grant.claim_by is None:
        at = f" {moment(grant.starts_at)}" if grant.starts_at is not None else ""
        return f" It starts{at} by itself, {_IF_STILL}.", [give_up]
    until = moment(grant.claim_by)
    runs = f"its {spell(asked.duration)} run from when you start it, until {until} at the latest"
    return f" It has not started: {runs}.", [_start_button(request), give_up]


def _start_button(request: Request) -> Block:
    return button(
        Action.START,
        "Start now",
        value=button_value(request),
        style="primary",
        describes=f"Start {request.id} now: {request.asked.title}",
    )


def never_begun(event: e.Revoked | e.Unclaimed, request: Request, what: str) -> tuple[str, Block]:
    """Return what the requester is told of the end of what had not begun, and the button.

    Args:
        what: What was asked for, as mrkdwn.
    """
    again = ask_again_button(request)
    if isinstance(event, e.Unclaimed):
        return f"⌛ You did not start {what} in time, and the approval has lapsed.", again
    if event.by == BOT:
        return f"🛑 This was ended before it began: {what}.", again
    who = "You gave up" if event.by == request.requester else f"{mention(event.by)} ended"
    return f"🛑 {who} {what} before it began.", again
