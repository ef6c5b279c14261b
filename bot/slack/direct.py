"""Direct messages to the requester: what became of the request, the token, the reminder.

A token stands in the one message that is made for it, and only while it is to be read there.
"""

from typing import Final, assert_never

from bot.core import events as e
from bot.core.durations import spell
from bot.core.identity import BOT
from bot.core.request import Request
from bot.core.scopes import Delivery
from bot.core.states import SCRUB_AFTER, GrantState, RequestState
from bot.slack import glass, words
from bot.slack.beginnings import approval_led_to, never_begun
from bot.slack.buttons import (
    Action,
    ask_again_button,
    button_value,
    ending_button,
    glass_button,
    question_value,
    token_button_value,
)
from bot.slack.mrkdwn import (
    SECTION_TEXT,
    Block,
    Rendered,
    actions,
    button,
    code,
    confirm,
    context,
    mention,
    moment,
    packed,
    quotation,
    quoted,
    section,
)
from bot.slack.ways import rerouted_dm

# A token that is longer than one block is only shown in a modal, where it has room.
TOKEN_TEXT: Final = SECTION_TEXT - 10
_SAID: Final = 1000
_SCOPES_WEIGHT: Final = 5000


def outcome_dm(event: e.Event, request: Request) -> Rendered | None:
    """Return what the requester is told of `event`, None if nothing.

    Other messages tell of the token and of the coming end.
    """
    what, who = f"{words.wanted(request)} ({request.id})", mention(event.by)
    match event:
        case e.Requested():
            return _recorded(request) if request.asked.stages else None
        case e.GlassBroken() | e.ReviewOverdue() | e.Concerned() | e.Reviewed():
            text, said = glass.told_requester(event, request)
            return _told(text, said=said)
        case e.Narrowed() | e.Rerouted() | e.Asked():
            return _meanwhile(event, request)
        case e.Approved(by=by):
            how = "Policy approved" if by == BOT else f"{who} approved"
            then, buttons = approval_led_to(request)
            return _told(f"✅ {how} {what}.{then}", *buttons)
        case e.Denied(by=by, reason=reason):
            how = "Policy denied" if by == BOT else f"{who} denied"
            return _told(f"❌ {how} {what}.", ask_again_button(request), said=reason)
        case e.Cancelled():
            return _told(f"↩️ You took back {what}. Nothing was granted.", ask_again_button(request))
        case e.Lapsed():
            again = ask_again_button(request)
            return _told(f"⌛ Nobody decided on {what} in time. You can ask again.", again)
        case e.Extended():
            until = moment(words.end_in(event))
            return _told(
                f"🔁 *{words.title(request)}* goes on until {until} ({request.id}). "
                "There is a new token; the old one works to its own end."
            )
        case e.Ended() | e.Revoked() | e.Unclaimed():
            return _over(event, request, what)
        case _:
            return None


def _over(event: e.Ended | e.Revoked | e.Unclaimed, request: Request, what: str) -> Rendered:
    reason = event.reason if isinstance(event, e.Revoked) else ""
    if isinstance(event, e.Ended):
        over = f"🏁 Your time with *{words.title(request)}* is over ({request.id})."
        return _told(over, ask_again_button(request))
    if isinstance(event, e.Unclaimed) or (request.grant and request.grant.never_started):
        text, button_ = never_begun(event, request, what)
        return _told(text, button_, said=reason)
    access = f"our access to *{words.title(request)}*"
    how = "You" if event.by == request.requester else mention(event.by)
    ended = f"Y{access} has ended" if event.by == BOT else f"{how} ended y{access}"
    text = f"🛑 {ended} early ({request.id}). The token is dead."
    return _told(text, ask_again_button(request), said=reason)


def token_dm(request: Request, number: int, token: str | None) -> Rendered:
    """Return the message of the grant's token `number` (from 1).

    Args:
        token: The token, if it is to be read in this message now.
    """
    name, grant = words.title(request), request.working_grant
    if grant is None:
        return _told(f"🏁 Token {number} for *{name}* is dead: the access has ended.")
    if number < len(grant.tokens):
        end = moment(grant.tokens[number - 1].expires_at)
        return _told(f"🔁 A newer token for *{name}* replaces this one, which dies {end}.")
    until = f"🔑 Your token for *{name}* works until {moment(grant.token.expires_at)}"
    if grant.needs_tokens:
        until += f", your access until {moment(grant.ends_at)}"
    if token is not None and request.token_is_readable and len(token) <= TOKEN_TEXT:
        return _with_token(request, number, token, until)
    if request.asked.delivery is Delivery.REVEAL or token is not None:
        return _with_reveal(request, f"{until}. It is shown to you alone.", "Show token")
    if grant.hidden:
        return _with_reveal(request, f"{until}. It was taken out of this message.", "Show again")
    return _told(f"{until}. It will be here in a moment.")


def warning_dm(request: Request) -> Rendered:
    """Return the reminder that the end is near, with buttons while there is something to end."""
    name, grant = words.title(request), request.working_grant
    if grant is None:
        return _told(f"🏁 Your time with *{name}* is over ({request.id}).")
    if grant.state is not GrantState.EXPIRING:
        return _told(f"🔁 *{name}* goes on until {moment(grant.ends_at)} ({request.id}).")
    if request.asked.emergency is not None:
        return _told(
            f"⏰ Your break-glass of *{name}* ends {moment(grant.ends_at)} ({request.id}). "
            "It cannot be extended.",
            ask_again_button(request),
            ending_button(Action.END_NOW, "End now", request),
        )
    length = spell(request.asked.duration)
    extend = button(
        Action.EXTEND,
        f"Ask for {length} more",
        value=token_button_value(request, len(grant.tokens)),
        style="primary",
        describes=f"Ask for {length} more of {request.id}: {request.asked.title}",
    )
    return _told(
        f"⏰ Your time with *{name}* ends {moment(grant.ends_at)} ({request.id}).",
        extend,
        ending_button(Action.END_NOW, "End now", request),
    )


def _told(text: str, *buttons: Block, said: str = "") -> Rendered:
    inline = quoted(said, limit=_SAID)
    sentence = words.bare(text) + (f" {inline}" if inline else "")
    return Rendered(sentence, [section(text + quotation(said, limit=_SAID)), *actions(*buttons)])


def _meanwhile(event: e.Narrowed | e.Rerouted | e.Asked, request: Request) -> Rendered:
    """Return what the requester is told while people decide."""
    who = mention(event.by)
    match event:
        case e.Narrowed():
            less = words.narrowed(event)
            return _told(
                f"✂️ {who} agrees to less of *{words.title(request)}* ({request.id}): {less}."
            )
        case e.Rerouted():
            return _told(rerouted_dm(event, request))
        case e.Asked(number=number, text=text):
            return _question(request, number, who, text)
        case _:
            assert_never(event)


def _question(request: Request, number: int, who: str, text: str) -> Rendered:
    """Return a question to the requester, with a button while it can be answered."""
    what = f"❓ {who} asks about {words.wanted(request)} ({request.id})."
    if request.questions[number].answered:
        return _told(f"{what} You answered.", said=text)
    if request.waits_for is None:
        return _told(what, said=text)
    answer = button(
        Action.ANSWER,
        "Answer",
        value=question_value(request, number),
        style="primary",
        describes=f"Answer the question about {request.id}: {request.asked.title}",
    )
    return _told(what, answer, said=text)


def _recorded(request: Request) -> Rendered:
    what = f"📨 Recorded as {request.id}: you asked for {words.wanted(request)}."
    if request.waits_for is None:
        after = (
            "You took it back."
            if request.state is RequestState.CANCELLED
            else "It has been decided."
        )
        return _told(f"{what} {after}")
    cancel = button(
        Action.CANCEL,
        "Take it back",
        value=button_value(request),
        describes=f"Take back {request.id}: {request.asked.title}",
        asks=confirm(
            "Take this request back?",
            "Nobody can approve it any more.",
            yes="Take it back",
            no="Let it stand",
        ),
    )
    needs = words.missing_votes(request)
    until = moment(request.asked.deadline)
    besides = [glass_button(request)] if request.asked.has_glass else []
    return _told(f"{what} It waits for {needs}, until {until} at the latest.", cancel, *besides)


def _with_token(request: Request, number: int, token: str, until: str) -> Rendered:
    """Return the one message that a token stands in; its notification does not repeat it."""
    got_it = button(
        Action.GOT_IT,
        "Got it",
        value=token_button_value(request, number),
        style="primary",
        describes=f"Remove the token of {request.id} from this message",
    )
    return Rendered(
        words.bare(until),
        [
            section(until),
            section(f"```{token}```"),
            *_uses(request),
            context(
                "Whoever has this token can do all that. Copy it, then press _Got it_ to take it "
                f"out of here; it goes by itself after {spell(SCRUB_AFTER)}."
            ),
            *actions(
                got_it, *_renewing(request), ending_button(Action.END_NOW, "End now", request)
            ),
        ],
    )


def _renewing(request: Request) -> list[Block]:
    """Return the button for a further token, where tokens die before the access ends."""
    grant = request.working_grant
    if grant is None or not grant.needs_tokens:
        return []
    further = button(
        Action.RENEW,
        "New token",
        value=token_button_value(request, len(grant.tokens)),
        describes=f"Get a further token of {request.id}: {request.asked.title}",
    )
    return [further]


def _with_reveal(request: Request, text: str, label: str) -> Rendered:
    reveal = button(
        Action.REVEAL,
        label,
        value=button_value(request),
        style="primary",
        describes=f"{label} of {request.id}: {request.asked.title}",
    )
    ending = ending_button(Action.END_NOW, "End now", request)
    return Rendered(
        words.bare(text),
        [section(text), *_uses(request), *actions(reveal, *_renewing(request), ending)],
    )


def _uses(request: Request) -> list[Block]:
    """Return what the token is good for, and how to use it."""
    asked = request.asked
    lines = [words.scope_line(text) for text in asked.scopes]
    found, hidden = packed(["*Allows*", *lines], room=_SCOPES_WEIGHT, blocks=3)
    more = [f"and {hidden} more, see the card"] if hidden else []
    curl = code(f'curl -H "Authorization: Bearer $TOKEN" {asked.resource}', limit=400)
    idle = asked.idle_end
    early = [f"*Ends sooner*  when it is not used for {spell(idle)}"] if idle is not None else []
    return [*found, section("\n".join([*more, f"*Use*  {curl}", *early]))]
