"""What Slack says of OAuth clients that ask: on the card, in the thread, and to whom they name."""

from collections.abc import Iterator

from bot.core import events as e
from bot.core.identity import BOT, Kind
from bot.core.machine import Machine
from bot.core.request import Request
from bot.core.states import RequestState
from bot.slack import words
from bot.slack.buttons import Action, button_value
from bot.slack.mrkdwn import (
    NAME_TEXT,
    Block,
    Rendered,
    actions,
    button,
    code,
    confirm,
    link,
    mention,
    mention_user,
    moment,
    quotation,
    quoted,
    section,
)
from bot.slack.notices import Notice
from bot.usecases.ports import Story


def on_card(request: Request) -> list[Block]:
    """Return what an approver must know of the client: who it is, who answers for it, from where.

    Nothing for what a person asks.
    """
    machine = request.asked.machine
    if machine is None:
        return []
    parts = [
        f"*Client*  {code(machine.client)}, for which {_owner(machine)} answers",
        f"*Called from*  {code(machine.address)}",
    ]
    if machine.code:
        parts.append(f"*Code*  {code(machine.code)}, and the caller must see the same one")
    return [section("\n".join(parts))]


def _owner(machine: Machine) -> str:
    return code(machine.owner) if machine.owner_group else mention_user(machine.owner_user)


def named_dm(event: e.Event, request: Request) -> Rendered | None:
    """Return what the person in whose name a client asks is told of `event`, None if nothing."""
    machine = request.asked.machine
    if machine is None or request.requester.kind is not Kind.PERSON:
        return None
    what = f"{words.wanted(request)} ({request.id})"
    client, who = code(machine.client), mention(event.by)
    match event:
        case e.Requested():
            return _asks(request, machine)
        case e.Asked():
            return None  # `direct` asks them as it asks anybody
        case e.Denied(by=by, reason=reason) if by != request.requester:
            how = "Policy denied" if by == BOT else f"{who} denied"
            return _told(f"❌ {how} {what}, which {client} asked for in your name.", said=reason)
        case e.Started():
            until = moment(words.end_in(event))
            return _told(f"🔑 {client} got {what} in your name, until {until}.")
        case e.Revoked(by=by, reason=reason) if by != request.requester:
            how = "The bot" if by == BOT else who
            return _told(f"🛑 {how} ended what {client} had in your name: {what}.", said=reason)
        case e.Unclaimed():
            return _told(f"⌛ {client} did not fetch {what} in time; nobody got anything.")
        case e.Ended():
            return _told(f"🏁 What {client} had in your name is over: {what}.")
        case _:
            return None


def _asks(request: Request, machine: Machine) -> Rendered:
    text = (
        f"🤖 The client {code(machine.client)} asks in your name for {words.wanted(request)} "
        f"({request.id}), called from {code(machine.address)}"
        + (f" with the code {code(machine.code)}" if machine.code else "")
        + f". {_owner(machine)} answers for it."
    )
    why = quotation(request.asked.reason)
    grant = request.waiting_grant or request.working_grant
    lasts = request.state is RequestState.PENDING or grant is not None
    not_me = button(
        Action.NOT_ME,
        "Not me",
        value=button_value(request),
        style="danger",
        describes=f"Say that {request.id} is not yours: {request.asked.title}",
        asks=confirm(
            "This was not you?",
            "It is denied, or ended, at once, and security is told.",
            yes="Not me",
            no="It was me",
        ),
    )
    return Rendered(
        words.bare(text) + f" {quoted(request.asked.reason, limit=NAME_TEXT)}",
        [section(text + why), *actions(*([not_me] if lasts else []))],
    )


def alarms(story: Story, card: str) -> Iterator[Notice]:
    """Yield what security is told when a person says that a client does not act for them.

    Args:
        card: The address of the card, "" where none stands.
    """
    request = story.request
    machine = request.asked.machine
    if machine is None or not machine.alarm:
        return
    for fact in story.history:
        if isinstance(fact, e.Disowned):
            text = (
                f"🚨 {mention(fact.by)} says: *not me*. The client {code(machine.client)} asked in "
                f"their name, called from {code(machine.address)}; {_owner(machine)} answers for it"
                f"\n{words.wish(request)}, {request.id}"
            )
            below = f"\n{link(card, 'Open the card')}" if card else ""
            shown = Rendered(words.bare(text).replace("\n", ": "), [section(text + below)])
            yield Notice(name="not_me", channel=machine.alarm, shown=shown, is_over=False)


def _told(text: str, *, said: str = "") -> Rendered:
    inline = quoted(said, limit=NAME_TEXT)
    sentence = words.bare(text) + (f" {inline}" if inline else "")
    return Rendered(sentence, [section(text + quotation(said))])
