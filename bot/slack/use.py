"""What is told in Slack of how tokens are used: misuse, the sum at the end, a bundle's report."""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from bot.core import events as e
from bot.core.identity import Actor
from bot.core.reporting import BundleReport, ScopeReport
from bot.core.request import Request
from bot.core.usage import Misdeed, Misuse, Usage
from bot.slack import words
from bot.slack.buttons import Action, ending_button
from bot.slack.mrkdwn import (
    BLOCK_WEIGHT,
    MESSAGE_BLOCKS,
    MESSAGE_WEIGHT,
    Block,
    Rendered,
    actions,
    code,
    context,
    counted,
    mention,
    moment,
    packed,
    section,
)

# Scopes named in the sentence that sums up, and below it.
SCOPES_SUMMED: Final = 2
SCOPES_DETAILED: Final = 6
SCOPES_PROPOSED: Final = 8
_SCOPE_TEXT: Final = 40
_AROUND: Final = 10 * BLOCK_WEIGHT


def alarm_of(kind: Misuse) -> str:
    """Return the receipt's name of the message that tells of misuse of this kind."""
    return f"misuse:{kind}"


def alarm(event: e.Misused, request: Request) -> Rendered:
    """Return what the thread is told of misuse: one message for each kind, brought up to date.

    Args:
        event: The newest of its kind.
    """
    what = event.what
    text = f"🚨 {_deed(what)}"
    seen = [*_seen_from(what), *_seen_by(what), f"last {moment(what.last)}"]
    calls = words.mentions(_concerned(request))
    if request.working_grant is None:
        after = "The access is over, and the token is dead."
        return Rendered(
            words.bare(text), [section(f"{text}\n{'  ·  '.join(seen)}"), context(after)]
        )
    after = "If that was not you, or should not be, end the access now."
    return Rendered(
        words.bare(text),
        [
            section(f"{text}\n{'  ·  '.join(seen)}\n👉 {calls} {after}"),
            *actions(ending_button(Action.END_NOW, "End now", request)),
        ],
    )


def _deed(what: Misdeed) -> str:
    scopes = _listed(what.scopes)
    times = f"*{counted(what.count, 'time')}*"
    match what.kind:
        case Misuse.BEYOND:
            tried = scopes or "something"
            return f"The token was *tried for {tried}*, which it does not allow, {times}"
        case Misuse.ENDED:
            tried = f" for {scopes}" if scopes else ""
            return f"A token of this access was *tried after its end*{tried}, {times}"
        case Misuse.ADDRESS:
            return f"The token was used from *{what.count} addresses*"
        case _:
            assert_never(what.kind)


def _seen_from(what: Misdeed) -> Iterator[str]:
    if what.addresses:
        more = what.count - len(what.addresses) if what.kind is Misuse.ADDRESS else 0
        named = ", ".join(code(address, limit=50) for address in what.addresses)
        yield f"from {named}" + (f" and {more} more" if more > 0 else "")


def _seen_by(what: Misdeed) -> Iterator[str]:
    if what.points:
        yield f"seen by {', '.join(code(point, limit=60) for point in what.points)}"


def _concerned(request: Request) -> Iterator[str]:
    """Yield mentions of who must know: whose token it is, and who agreed to it."""
    people: list[Actor] = [request.requester, *(vote.by for vote in request.votes)]
    for who in people:
        yield mention(who)


def _listed(scopes: Sequence[str]) -> str:
    return ", ".join(code(scope, limit=60) for scope in scopes)


def sum_line(event: e.UsageSummed) -> str:
    """Return the line of the thread that tells what the access was used for, as mrkdwn."""
    return f"📊 {told_use(event.usage)}"


def sum_details(event: e.UsageSummed) -> str:
    """Return what stands below that line: each scope, and why something is not known."""
    usage = event.usage
    used = [
        f"• {code(each.scope, limit=60)}  {counted(each.count, 'time')}"
        + (f", last {moment(each.last)}" if each.last is not None else "")
        for each in usage.used
    ]
    never = [f"• {code(scope, limit=60)}  never" for scope in usage.never]
    lines = [line for part in (used, never) for line in _some(part, SCOPES_DETAILED)]
    if usage.others:
        lines.append(f"What checks tokens at {_where(event)} did not always say for which scope.")
    elif not usage.watched:
        lines.append(f"Nothing that checks tokens at {_where(event)} was seen meanwhile.")
    return "".join(f"\n{line}" for line in lines)


def _where(event: e.UsageSummed) -> str:
    return code(event.resource, limit=200)


def told_use(usage: Usage) -> str:
    """Return in one sentence what a grant was used for, as mrkdwn."""
    if not usage.watched and not usage.others:
        return "*No data* on what it was used for"
    used = [
        f"{code(each.scope, limit=_SCOPE_TEXT)} {counted(each.count, 'time')}"
        for each in usage.used
    ]
    never = [code(scope, limit=_SCOPE_TEXT) for scope in usage.never]
    parts = [f"*used*: {', '.join(_some(used, SCOPES_SUMMED))}"] if used else []
    if usage.others:
        parts.append(f"{counted(usage.others, 'call')} for a scope that nobody named")
    if never:
        parts.append(f"*never used*: {', '.join(_some(never, SCOPES_SUMMED))}")
    elif len(used) < len(usage.scopes):
        parts.append("*no data* on the rest")
    told = "; ".join(parts)
    return told[:1] + told[1:2].upper() + told[2:] if told.startswith("*") else told


def _some(each: Sequence[str], most: int) -> list[str]:
    more = len(each) - most
    return [*each[:most], *([f"and {more} more"] if more > 0 else [])]


def report_text(report: BundleReport) -> Rendered:
    """Return the answer to `/jit usage BUNDLE`."""
    title = f"*{code(report.bundle)}*  over its last {counted(report.last, 'grant')}"
    if not report.grants:
        return _answer(f"{title}: none has ended yet, or is kept.")
    lines = [_scope_line(each) for each in report.scopes]
    entries, hidden = packed(lines, room=MESSAGE_WEIGHT - _AROUND, blocks=MESSAGE_BLOCKS - 4)
    looked = f"{counted(report.grants, 'grant')} looked at"
    without = f", {report.unwatched} of them without data" if report.unwatched else ""
    small = [f"{looked}{without}."] + ([f"{hidden} more scopes do not fit."] if hidden else [])
    return Rendered(
        words.bare(title),
        [section(title), *entries, context(" ".join(small)), *_proposed(report)],
    )


def _proposed(report: BundleReport) -> Iterator[Block]:
    if report.unused:
        command = code(f"jit report usage --bundle {report.bundle} --propose", limit=200)
        names = [code(scope, limit=60) for scope in report.unused]
        yield section(
            f"✂️ *Proposal*: take out {', '.join(_some(names, SCOPES_PROPOSED))}. {command} writes"
            " the change to the policy file."
        )


def _scope_line(each: ScopeReport) -> str:
    name = code(each.scope)
    if not each.grants:
        return f"❔ {name}  no data"
    of = f"of {counted(each.grants, 'grant')}"
    if not each.used:
        return f"▫️ {name}  never used, in none {of}"
    last = f", last {moment(each.last)}" if each.last is not None else ""
    return f"✅ {name}  used in {each.used} {of}{last}"


def _answer(text: str) -> Rendered:
    return Rendered(words.bare(text), [section(text)])
