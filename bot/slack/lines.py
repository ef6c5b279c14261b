"""The thread under a card: one line for each thing that happened."""

from collections.abc import Mapping
from typing import Final, assert_never

from bot.core import events as e
from bot.core.durations import spell
from bot.core.identity import BOT, Actor
from bot.core.request import Request
from bot.core.scopes import Delivery
from bot.core.states import SCRUB_AFTER
from bot.slack import words
from bot.slack.mrkdwn import (
    Rendered,
    code,
    mention,
    moment,
    quotation,
    quoted,
    section,
)

# Ten lines may go out in one message: their texts together must stay below MESSAGE_TEXT.
LINE_TEXT: Final = 390
_SAID: Final = 700
_SAID_INLINE: Final = 130

_TRIED: Final[Mapping[str, str]] = {
    "approve": "approve this",
    "deny": "deny this",
    "cancel": "take this back",
    "revoke": "end this access",
    "extend": "extend this access",
    "reveal": "see the token",
    "scrub": "remove the token",
}


def thread_line(event: e.Event, request: Request) -> Rendered | None:
    """Return the line that tells `event`; None for Granted, which Started always follows at once.

    Args:
        request: As it stands now, which may be later than the event.
    """
    told = _told(event, request)
    if told is None:
        return None
    text, said = told
    inline = quoted(said, limit=_SAID_INLINE)
    sentence = words.bare(text) + (f": {inline}" if inline else "")
    return Rendered(sentence, [section(text + quotation(said, limit=_SAID))])


def _told(event: e.Event, request: Request) -> tuple[str, str] | None:
    """Return what happened, as mrkdwn, and what somebody said about it, as they said it."""
    if isinstance(
        event,
        e.Requested
        | e.Voted
        | e.StagePassed
        | e.Approved
        | e.Denied
        | e.Cancelled
        | e.Lapsed
        | e.Refused,
    ):
        return _of_request(event, request)
    return _of_grant(event, request)


def _of_request(
    event: e.Requested
    | e.Voted
    | e.StagePassed
    | e.Approved
    | e.Denied
    | e.Cancelled
    | e.Lapsed
    | e.Refused,
    request: Request,
) -> tuple[str, str]:
    who = mention(event.by)
    match event:
        case e.Requested():
            return f"🙋 {who} asked for {words.wanted(request)}", ""
        case e.Voted(stage=stage, by=by):
            return f"👍 {who} approved{_counted_vote(request, stage, by)}", ""
        case e.StagePassed(stage=stage):
            return f"☑️ Stage {words.stage_name(request, stage)} is complete", ""
        case e.Approved(by=by):
            if by == BOT:
                return "✅ *Approved by policy*", "; ".join(request.asked.reasons)
            return "✅ *Approved* by everybody it needed", ""
        case e.Denied(by=by, reason=reason):
            return f"❌ *Denied by {'policy' if by == BOT else who}*", reason
        case e.Cancelled():
            return f"↩️ {who} took the request back", ""
        case e.Lapsed():
            return "⌛ Nobody decided in time; the request is closed", ""
        case e.Refused(move=move, why=why):
            tried = _TRIED.get(move) or quoted(move, limit=40)
            return f"🚫 {who} tried to {tried} and may not", why
        case _:
            assert_never(event)


def _of_grant(
    event: e.Granted
    | e.Started
    | e.Delivered
    | e.Scrubbed
    | e.Warned
    | e.Extended
    | e.Ended
    | e.Revoked
    | e.Revealed,
    request: Request,
) -> tuple[str, str] | None:
    who, owner = mention(event.by), mention(request.requester)
    match event:
        case e.Granted():
            return None
        case e.Started(token=token):
            return f"🔑 The access works until {moment(token.expires_at)}", ""
        case e.Delivered():
            waits = request.asked.delivery is Delivery.REVEAL
            how = "can open the token in a direct message" if waits else "has got the token"
            return f"📬 {owner} {how}", ""
        case e.Scrubbed(by=by):
            hand = f"after {spell(SCRUB_AFTER)}" if by == BOT else f"by {who}"
            return f"🧽 The token was taken out of the direct message {hand}", ""
        case e.Warned(at=at):
            end = words.token_at(request.grant, at).expires_at if request.grant else at
            return f"⏰ {owner} was reminded that the access ends {moment(end)}", ""
        case e.Extended(token=token, extension=extension):
            until = moment(token.expires_at)
            return f"🔁 *Extended* until {until}, with a new token (see {code(extension)})", ""
        case e.Ended():
            return "🏁 *The access has ended* at its time", ""
        case e.Revoked(reason=reason):
            return f"🛑 *{who} ended the access* before its time", reason
        case e.Revealed():
            return f"👀 {who} looked at the token", ""
        case _:
            assert_never(event)


def _counted_vote(request: Request, stage: int, by: Actor) -> str:
    """Return which yes of how many this was: " (1 of 2 for `peers`)"."""
    votes, quorum = request.votes_in(stage), request.asked.stages[stage].quorum
    number = votes.index(by) + 1 if by in votes else 1
    return f" ({number} of {quorum} for {words.stage_name(request, stage)})"
