"""The thread under a card: one line for each thing that happened."""

from collections.abc import Mapping
from typing import Final, TypeAlias, assert_never

from bot.core import events as e
from bot.core.durations import spell
from bot.core.identity import BOT, Actor
from bot.core.policy import Escalation
from bot.core.request import Request
from bot.core.scopes import Delivery
from bot.core.states import SCRUB_AFTER
from bot.slack import beginnings, glass, use, ways, words
from bot.slack.mrkdwn import (
    Rendered,
    code,
    mention,
    mention_user,
    moment,
    quotation,
    quoted,
    section,
)
from bot.usecases.ports import NOTHING_FOUND, Found

# Ten lines may go out in one message: their texts together must stay below MESSAGE_TEXT.
LINE_TEXT: Final = 390
# The card tells of more.
OPTIONAL_TOLD: Final = 3
_SAID: Final = 700
_SAID_INLINE: Final = 130

_TRIED: Final[Mapping[str, str]] = {
    "approve": "approve this",
    "narrow": "approve this with changes",
    "question": "ask about this",
    "answer": "answer for the requester",
    "deny": "deny this",
    "cancel": "take this back",
    "revoke": "end this access",
    "extend": "extend this access",
    "claim": "start this access",
    "reveal": "see the token",
    "scrub": "remove the token",
    "signoff": "sign this break-glass off",
    "raiseconcern": "raise a concern about this break-glass",
    "disown": "say that this was not them",
}


def thread_line(
    event: e.Event, request: Request, found: Found = NOTHING_FOUND, *, calls: bool = True
) -> Rendered | None:
    """Return the line that tells `event`; None where it has none.

    Started may follow Granted at once, and misuse has a message that is kept up to date.

    Args:
        request: As it stands now, which may be later than the event; see `ways.views`.
        found: Who is on call, and who the manager is, now.
        calls: Whether those who must act because of it are mentioned.
    """
    told = _told(event, request)
    if told is None:
        return None
    text, said = told
    inline = quoted(said, limit=_SAID_INLINE)
    sentence = words.bare(text) + (f": {inline}" if inline else "")
    called = _called(event, request, found) if calls else ""
    details = use.sum_details(event) if isinstance(event, e.UsageSummed) else ""
    besides = details + glass.besides(event, request) + _optional(event) + _approved(event)
    below = besides + ways.besides(event) + (f"\n👉 {called}" if called else "")
    whole = text + quotation(said, limit=_SAID) + below
    return Rendered(sentence, [section(whole)])


def _approved(event: e.Event) -> str:
    """Return that the stricter of two policies was kept, where it was."""
    if isinstance(event, e.Approved) and event.under is not None and event.under.is_laxer:
        rule = code(event.under.rule, limit=60)
        return f"\nToday's policy asks for less (rule {rule}); what it was asked under was kept"
    return ""


def _optional(event: e.Event) -> str:
    """Return what came of the stages that could be skipped; like mentions, in the block alone."""
    if not isinstance(event, e.Requested):
        return ""
    told = [words.optional_stage(each) for each in event.optional[:OPTIONAL_TOLD]]
    left = len(event.optional) - len(told)
    more = [f"and {left} more that could be skipped"] if left else []
    return "".join(f"\n{line}" for line in (*told, *more))


def _called(event: e.Event, request: Request, found: Found) -> str:
    """Return mentions of those who must act because of `event`; "" when that time is over.

    They stand in the block alone: Slack notifies of mentions there, and the sentence stays short.
    """
    match event:
        case e.Requested() | e.Rerouted() | e.ChainPassed():
            stage = 0
        case e.StagePassed(stage=passed):
            stage = passed + 1
        case e.Reminded(stage=stage) | e.Escalated(stage=stage):
            pass
        case e.GlassBroken():
            return glass.called(request, found, skipped_too=True)
        case e.ReviewReminded() | e.ReviewOverdue():
            return glass.called(request, found)
        case _:
            return ""
    if request.waits_for is None or stage != request.stage:
        return ""
    if isinstance(event, e.Reminded) and event.people:
        return words.mentions(mention_user(user) for user in event.people)
    return words.called(request, found)


_OfStages: TypeAlias = e.Voted | e.StagePassed | e.Reminded | e.Escalated
_OfTalks: TypeAlias = e.Narrowed | e.Asked | e.Answered
_OfRequest: TypeAlias = (
    e.Requested
    | e.Approved
    | e.GlassBroken
    | e.Disowned
    | e.Denied
    | e.Cancelled
    | e.Lapsed
    | e.Refused
)


def _told(event: e.Event, request: Request) -> tuple[str, str] | None:
    """Return what happened, as mrkdwn, and what somebody said about it, as they said it."""
    if isinstance(event, _OfStages):
        return _of_stages(event, request), ""
    if isinstance(event, _OfTalks):
        return _of_talks(event, request)
    if isinstance(event, _OfRequest):
        return _of_request(event, request)
    if isinstance(event, e.UsageSummed):
        return use.sum_line(event), ""
    if isinstance(event, e.Misused):
        return None
    if isinstance(event, glass.OfReview):
        return glass.review_line(event)
    if isinstance(event, ways.OfWays):
        return ways.way_line(event), ""
    if isinstance(event, beginnings.OfBeginning):
        return beginnings.beginning_line(event, request)
    return _of_grant(event, request)


def _of_stages(event: _OfStages, request: Request) -> str:
    name = words.stage_name(request, event.stage)
    match event:
        case e.Voted(stage=stage, by=by):
            return f"👍 {mention(by)} approved{_counted_vote(request, stage, by)}"
        case e.StagePassed():
            return f"☑️ Stage {name} is complete"
        case e.Reminded():
            return f"🔔 Stage {name} still waits; who can act was reminded"
        case e.Escalated(stage=stage, number=number):
            return _escalated(request.asked.stages[stage].escalate[number], name)
        case _:
            assert_never(event)


def _of_talks(event: _OfTalks, request: Request) -> tuple[str, str]:
    who = mention(event.by)
    match event:
        case e.Narrowed():
            return f"✂️ {who} approves less than was asked: {words.narrowed(event)}", ""
        case e.Asked(text=text):
            return f"❓ {who} asks {mention(request.requester)}", text
        case e.Answered(number=number, text=text):
            return f"💬 {who} answers {mention(request.questions[number].by)}", text
        case _:
            assert_never(event)


def _escalated(step: Escalation, name: str) -> str:
    parts = [f"⏫ Stage {name} has waited for {spell(step.after)}"]
    if step.add_approvers:
        added = words.groups(group.name for group in step.add_approvers)
        stands_in = f" in place of {code(step.stand_in_for, limit=60)}" if step.stand_in_for else ""
        parts.append(f"{added} can approve it too{stands_in}")
    if step.notify:
        told = [code(channel, limit=40) for channel in step.notify[: words.GROUPS_NAMED]]
        parts.append(f"told in {', '.join(told)}")
    return "; ".join(parts)


def _of_request(event: _OfRequest, request: Request) -> tuple[str, str]:
    who = mention(event.by)
    match event:
        case e.Requested():
            whose = words.in_whose_name(request)
            return f"🙋 {words.asker(request)} asked for {words.wanted(request)}{whose}", ""
        case e.Disowned():
            return f"🚨 {who} says: *not me*. The client does not act for them", ""
        case e.GlassBroken():
            return glass.broken_line(request), ""
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


_OfGrant: TypeAlias = (
    e.Delivered | e.Scrubbed | e.Warned | e.Extended | e.Renewed | e.Ended | e.Revoked | e.Revealed
)


def _of_grant(event: _OfGrant, request: Request) -> tuple[str, str]:
    who, owner = mention(event.by), mention(request.requester)
    match event:
        case e.Delivered():
            if request.asked.machine is not None:
                return f"📬 Handed to the client {words.asker(request)}", ""
            waits = request.asked.delivery is Delivery.REVEAL
            how = "can open the token in a direct message" if waits else "has got the token"
            return f"📬 {owner} {how}", ""
        case e.Scrubbed(by=by):
            hand = f"after {spell(SCRUB_AFTER)}" if by == BOT else f"by {who}"
            return f"🧽 The token was taken out of the direct message {hand}", ""
        case e.Warned(at=at, ends_at=end):
            if end is None:
                end = words.token_at(request.grant, at).expires_at if request.grant else at
            return f"⏰ {owner} was reminded that the access ends {moment(end)}", ""
        case e.Extended(extension=extension):
            until = moment(words.end_in(event))
            return f"🔁 *Extended* until {until}, with a new token (see {code(extension)})", ""
        case e.Renewed(token=token):
            return f"🔑 {owner} has a further token, until {moment(token.expires_at)}", ""
        case e.Ended():
            return "🏁 *The access has ended* at its time", ""
        case e.Revoked():
            return _revoked(event, request)
        case e.Revealed():
            return f"👀 {who} looked at the token", ""
        case _:
            assert_never(event)


def _revoked(event: e.Revoked, request: Request) -> tuple[str, str]:
    if request.grant is not None and request.grant.never_started:
        return beginnings.never_begun_line(event)
    if event.by == BOT:
        return "🛑 *The access has ended* before its time", event.reason
    return f"🛑 *{mention(event.by)} ended the access* before its time", event.reason


def _counted_vote(request: Request, stage: int, by: Actor) -> str:
    """Return which yes of how many this was: " (1 of 2 for `peers`)"."""
    votes, quorum = request.votes_in(stage), request.asked.stages[stage].quorum
    number = votes.index(by) + 1 if by in votes else 1
    return f" ({number} of {quorum} for {words.stage_name(request, stage)})"
