"""Answers to typed commands; only who typed sees them."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from bot.core.durations import spell
from bot.core.policy import Policy
from bot.core.request import Request
from bot.core.scopes import Bundle
from bot.core.states import RequestState
from bot.slack import words
from bot.slack.cards import record_card
from bot.slack.commands import Unknown
from bot.slack.mrkdwn import (
    BLOCK_WEIGHT,
    MESSAGE_BLOCKS,
    MESSAGE_WEIGHT,
    NAME_TEXT,
    Rendered,
    code,
    context,
    counted,
    packed,
    quoted,
    section,
)

# Room for what stands around a list.
_AROUND: Final = 10 * BLOCK_WEIGHT
_ENTRIES: Final = MESSAGE_BLOCKS - 3

_HELP: Final = (
    ("/jit request", "ask for access, in a form"),
    ("/jit request BUNDLE [30m] [--ticket T] why…", "ask in one line"),
    ("/jit request BUNDLE [30m] from tomorrow 09:00 why…", "ask for later, where it can be had so"),
    ("/jit why BUNDLE [30m]", "what the policy would say, and why, before you ask"),
    ("/jit break-glass BUNDLE", "in an emergency: access at once, told loudly, reviewed after"),
    ("/jit bundles", "what you can ask for"),
    ("/jit usage BUNDLE", "what its last grants were used for, scope by scope"),
    ("/jit list", "your requests and what you hold now"),
    ("/jit status ID", "how one request stands"),
    ("/jit cancel ID", "take a request back"),
    ("/jit revoke ID", "end access before its time"),
)


@cache
def help_text() -> Rendered:
    """Return what can be typed."""
    lines = "\n".join(f"{code(typed)}  {does}" for typed, does in _HELP)
    return Rendered(
        "Ask with /jit request; /jit why, bundles, list, status, cancel, revoke, usage do more.",
        [
            section("*Access for a while, for a reason.* You ask, somebody agrees, a token comes."),
            section(lines),
        ],
    )


def unknown_text(command: Unknown) -> Rendered:
    """Return the answer to what is no command."""
    typed = code(f"/jit {command.text}")
    meant = code(f"/jit {command.nearest}") if command.nearest else code("/jit help")
    ask = f"Did you mean {meant}?" if command.nearest else f"See {meant}."
    return message_text(f"I do not know {typed}. {ask}")


def message_text(text: str) -> Rendered:
    """Return an answer of our own words, as mrkdwn."""
    return Rendered(words.bare(text), [section(text)])


def bundles_text(policy: Policy) -> Rendered:
    """Return what can be asked for."""
    bundles = list(policy.bundles.values())
    if not bundles:
        return message_text("There is nothing to ask for yet: no bundle is declared.")
    entries, hidden = packed(
        (_bundle_line(bundle) for bundle in bundles),
        room=MESSAGE_WEIGHT - _AROUND,
        blocks=_ENTRIES,
    )
    more = f"{counted(hidden, 'more bundle')} in the menu of `/jit request`. " if hidden else ""
    names = ", ".join(bundle.name for bundle in bundles[:20])
    return Rendered(
        quoted(f"You can ask for {counted(len(bundles), 'bundle')}: {names}"),
        [*entries, context(f"{more}Ask with `/jit request BUNDLE why…`")],
    )


def _bundle_line(bundle: Bundle) -> str:
    about = quoted(bundle.description, limit=200)
    return (
        f"{words.RISK_MARK[bundle.risk]} {code(bundle.name)}  "
        f"*{quoted(bundle.title, limit=NAME_TEXT) or bundle.risk}*, "
        f"up to {spell(bundle.max_duration)}" + (f"\n{about}" if about else "")
    )


def status_text(request: Request) -> Rendered:
    """Return how a request stands: its card, without buttons."""
    return record_card(request)


def stands_text(request: Request) -> Rendered:
    """Return in one line how a request stands."""
    return message_text(f"{words.state(request)}  ·  {words.wanted(request)}  ·  {request.id}")


def list_text(requests: Sequence[Request]) -> Rendered:
    """Return which of `requests` wait for somebody, and which grants work or are to start."""
    waiting = [request for request in requests if request.state is RequestState.PENDING]
    working = [request for request in requests if request.working_grant is not None]
    ready = [request for request in requests if request.waiting_grant is not None]
    if not waiting and not working and not ready:
        return message_text("Nothing of yours is pending or live. Ask with `/jit request`.")
    entries, hidden = packed(
        [
            *_listed("You hold", working),
            *_listed("Approved, and not started", ready),
            *_listed("You wait for", waiting),
        ],
        room=MESSAGE_WEIGHT - _AROUND,
        blocks=_ENTRIES,
    )
    more = f"{hidden} more lines do not fit. " if hidden else ""
    return Rendered(
        f"{counted(len(working), 'live grant')}, {counted(len(ready), 'grant')} not started, "
        f"{counted(len(waiting), 'pending request')}.",
        [*entries, context(f"{more}`/jit status ID`, `/jit cancel ID`, `/jit revoke ID`")],
    )


def _listed(heading: str, requests: Sequence[Request]) -> Iterator[str]:
    if requests:
        yield f"*{heading}*"
    for request in requests:
        yield f"• {code(request.id)}  {words.wanted(request)}  {words.state(request)}"
