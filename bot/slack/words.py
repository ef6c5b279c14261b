"""The phrases that cards, thread lines, direct messages and answers share."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, assert_never

from bot.core import events as e
from bot.core.durations import spell
from bot.core.grant import Close, Grant
from bot.core.identity import BOT
from bot.core.known import OptionalStage
from bot.core.places import voters
from bot.core.policy import Group, groups_in
from bot.core.request import Request
from bot.core.scopes import Bundle, Risk, ScopeText
from bot.core.states import GrantState, RequestState
from bot.slack.elsewhere import named
from bot.slack.mrkdwn import (
    NAME_TEXT,
    SECTION_TEXT,
    code,
    counted,
    link,
    mention,
    mention_all,
    mention_user,
    moment,
    quoted,
)
from bot.usecases.ports import NOTHING_FOUND, Found

RISK_MARK: Final[Mapping[Risk, str]] = {
    Risk.LOW: "🟢",
    Risk.MEDIUM: "🟡",
    Risk.HIGH: "🟠",
    Risk.CRITICAL: "🔴",
}
GROUPS_NAMED: Final = 4
# Room for the mentions in one line of the thread.
CALLS_TEXT: Final = 600
VOTERS_NAMED: Final = 8
SCOPES_NAMED: Final = 3
_TICKET_TEXT: Final = 300
_WHY_TEXT: Final = 200


def risk(level: Risk) -> str:
    """Return the risk with its mark: "🟡 medium risk"."""
    return f"{RISK_MARK[level]} {level} risk"


def title(request: Request) -> str:
    """Return what was asked for, without format."""
    return quoted(request.asked.title, limit=NAME_TEXT) or code(request.asked.bundle)


def wanted(request: Request) -> str:
    """Return what was asked for, and for how long: "*Read billing* for *30m*"."""
    length = spell(request.asked.duration)
    if request.asked.extends is not None:
        return f"*{length} more* of *{title(request)}*"
    start = request.asked.start_at
    later = f", from *{moment(start)}*" if start is not None else ""
    return f"*{title(request)}* for *{length}*{later}"


def wish(request: Request) -> str:
    """Return who wants what: "@Anna asks for *Read billing* for *30m*"."""
    verb = "asks for" if request.state is RequestState.PENDING else "asked for"
    if request.asked.emergency is not None:
        is_denied = request.state is RequestState.DENIED
        verb = "wanted to break the glass for" if is_denied else "broke the glass for"
    return f"{asker(request)} {verb} {wanted(request)}{in_whose_name(request)}"


def asker(request: Request) -> str:
    """Return who asks: a person, or a client."""
    return mention(request.asked.asker)


def in_whose_name(request: Request) -> str:
    """Return in whose name a client asks: " in the name of @Anna"; "" where nobody is named."""
    asked = request.asked
    return f" in the name of {mention(asked.by)}" if asked.asker != asked.by else ""


def ticket(asked: e.Requested) -> str:
    """Return the ticket, with what its tracker said of it; "" if none was named."""
    named, seen = quoted(asked.ticket, limit=NAME_TEXT), asked.seen
    if seen is None or not named:
        return named
    name = link(seen.link, named) if seen.link else named
    if seen.unknown:
        return f"{name}  ⚠️ it could not be checked: {quoted(seen.unknown, limit=NAME_TEXT)}"
    told = [quoted(text, limit=_TICKET_TEXT) for text in (seen.title, seen.status)]
    return "  ·  ".join((name, *(text for text in told if text)))


def bare(text: str) -> str:
    """Return our own mrkdwn without its bold marks, for the fallback sentence."""
    return text.replace("*", "")


def groups(names: Iterable[str]) -> str:
    """Return whose yes is needed: "`leads` or `sre`"."""
    return _named([code(name, limit=60) for name in names], GROUPS_NAMED, " or ")


def groups_now(names: Iterable[str], known: Iterable[Group], found: Found = NOTHING_FOUND) -> str:
    """Return whose yes is needed, and who that is now: "`leads` or `sre-oncall` (@Dan)"."""
    by_name = {group.name: group for group in known}
    return _named(list(named(names, by_name, found)), GROUPS_NAMED, " or ")


def stage_needs(request: Request, number: int, found: Found = NOTHING_FOUND) -> str:
    """Return whose yes stage `number` (from 0) needs: "`leads` or `sre`, 1 of `sre` at least"."""
    stage = request.asked.stages[number]
    current = number == request.stage and stage is request.waits_for
    names = request.voters if current else voters(stage, escalated=0)
    shares = [
        f", {share.people} of {code(share.group, limit=60)} at least"
        for share in stage.at_least[:GROUPS_NAMED]
    ]
    who = groups_now(names, groups_in([stage]), found if current else NOTHING_FOUND)
    return f"{who}{''.join(shares)}"


def called(request: Request, found: Found = NOTHING_FOUND) -> str:
    """Return mentions of everybody whose yes is waited for now, "" if nobody's is."""
    wanted = dict.fromkeys(name for place in request.open_places for name in place)
    known = {group.name: group for group in groups_in(request.asked.stages)}
    waited_for = [known[name] for name in wanted if name in known]
    return everybody_in(waited_for, found, without=request.requester.id)


def everybody_in(groups: Iterable[Group], found: Found, *, without: str) -> str:
    """Return mentions of all who are in `groups`.

    Args:
        found: Who is in those that stand elsewhere.
        without: The Slack user id of who is not mentioned by name.
    """
    return mentions(
        mention_text
        for group in groups
        for part in group.parts()
        for mention_text in _everybody_in(part, found, without=without)
    )


def _everybody_in(part: Group, found: Found, *, without: str) -> Iterator[str]:
    if part.usergroup:
        yield mention_all(part.usergroup)
    for user in sorted((part.users | (found.get(part.name) or frozenset())) - {without}):
        yield mention_user(user)


def mentions(each: Iterable[str]) -> str:
    """Return as many of these mentions as find room, each once."""
    waiting = list(dict.fromkeys(each))
    for number in range(len(waiting)):
        if len(" ".join(waiting[: number + 1])) > CALLS_TEXT:
            return f"{' '.join(waiting[:number])} and {len(waiting) - number} more"
    return " ".join(waiting)


def approved_by(request: Request, stage: int) -> str:
    """Return who said yes in `stage` (from 0): "@Ben, @Cleo"."""
    return _named([mention(who) for who in request.votes_in(stage)], VOTERS_NAMED, ", ")


def _named(names: list[str], most: int, joint: str) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return joint.join([*names[:most], *more])


def stage_name(request: Request, number: int) -> str:
    """Return what stage `number` (from 0) is called."""
    return code(request.asked.stages[number].name, limit=60)


def optional_stage(stage: OptionalStage) -> str:
    """Return what came of a stage that could be skipped, and why."""
    name, why = code(stage.name, limit=60), quoted(stage.why, limit=_WHY_TEXT)
    if not stage.is_asked:
        return f"⏭️ Stage {name} is skipped: {why}"
    if why:
        return f"⚠️ Stage {name} is asked all the same: {why}"
    return f"▫️ Stage {name} is asked, as its conditions hold"


def missing_votes(request: Request) -> str:
    """Return what the stage that is voted on still needs: "1 more approval from `leads`"."""
    places = Counter(request.open_places)
    more = "more approval" if request.votes_in(request.stage) else "approval"
    left = counted(places.total(), more)
    if len(places) == 1:
        return f"{left} from {groups(next(iter(places)))}"
    each = [f"{number} from {groups(place)}" for place, number in places.items()]
    return f"{left}: {_named(each, GROUPS_NAMED, ', ')}"


def narrowed(event: e.Narrowed) -> str:
    """Return what was taken away: "without `refunds:write`, for *15m* instead of 30m"."""
    dropped = [code(scope, limit=60) for scope in event.dropped]
    parts = [f"without {_named(dropped, SCOPES_NAMED, ', ')}"] if dropped else []
    if event.duration != event.was:
        parts.append(f"for *{spell(event.duration)}* instead of {spell(event.was)}")
    return ", ".join(parts)


def scope_line(text: ScopeText) -> str:
    """Return one scope in words; the scope itself is never cut."""
    scope = code(text.scope, limit=SECTION_TEXT)
    meaning = quoted(text.words, limit=300)
    return f"• {meaning}  {scope}" if meaning else f"• {scope}"


def begins(bundle: Bundle) -> str:
    """Return when the time of what is had of `bundle` begins, "" where that is always at once."""
    if bundle.claim_within is not None:
        within = spell(bundle.claim_within)
        return f"Its time begins when you start it, within {within} of the approval."
    if bundle.start_within is not None:
        return f"It can be asked for {spell(bundle.start_within)} ahead."
    return ""


def allows(request: Request) -> str:
    """Return the line above the scopes: where they count, and what the requester did without."""
    asked = request.asked
    line = f"*Allows*  at {code(asked.resource, limit=300)}"
    if not asked.left_out:
        return line
    others = counted(asked.left_out, "other scope")
    return f"{line}  ({others} of {code(asked.bundle)} left out)"


def closed_by(close: Close | None) -> str:
    """Return who closed something and when: "by @Ben, Mar 1 at 10:00"."""
    if close is None:
        return ""
    who = "policy" if close.by == BOT else mention(close.by)
    return f"by {who}, {moment(close.at)}"


def when(close: Close | None) -> str:
    """Return when something was closed, as mrkdwn."""
    return moment(close.at) if close is not None else ""


def state(request: Request) -> str:
    """Return where a request or its grant stands now, with a mark."""
    close = request.close
    match request.state:
        case RequestState.PENDING:
            waits = request.waits_for is not None
            needs = f"for {missing_votes(request)}" if waits else "for policy"
            return f"⏳ *Waiting* {needs}"
        case RequestState.DENIED:
            return f"❌ *Denied* {closed_by(close)}"
        case RequestState.CANCELLED:
            return f"↩️ *Taken back* {closed_by(close)}"
        case RequestState.EXPIRED:
            return f"⌛ *Nobody decided in time*, {when(close)}"
        case RequestState.APPROVED:
            if request.grant is None:
                return f"✅ *Approved* {closed_by(close)}"
            return grant_state(request.grant)
        case _:
            assert_never(request.state)


def grant_state(grant: Grant) -> str:
    """Return where a grant stands now, with a mark."""
    match grant.state:
        case GrantState.READY if grant.claim_by is not None:
            return f"✅ *Approved*, not started; claim by {moment(grant.claim_by)}"
        case GrantState.READY if grant.starts_at is not None:
            return f"🗓️ *Approved*, not started; starts {moment(grant.starts_at)}"
        case GrantState.READY:
            return "✅ *Approved*, about to start"
        case GrantState.LIVE:
            return f"🔑 *Works* until {moment(grant.ends_at)}"
        case GrantState.EXPIRING:
            return f"⏰ *Ends soon*: {moment(grant.ends_at)}"
        case GrantState.EXPIRED if grant.never_started:
            return f"⌛ *Approved, but not started in time*, {when(grant.close)}"
        case GrantState.REVOKED if grant.never_started:
            return f"🛑 *Ended before it began* {closed_by(grant.close)}"
        case GrantState.EXPIRED:
            return f"🏁 *Ended*, {when(grant.close)}"
        case GrantState.REVOKED:
            return f"🛑 *Ended early* {closed_by(grant.close)}"
        case _:
            assert_never(grant.state)


def end_in(event: e.Started | e.Extended) -> datetime:
    """Return until when the access works by `event`."""
    return event.ends_at or event.token.expires_at


def token_at(grant: Grant, at: datetime) -> e.TokenSpec:
    """Return the token that was the newest one at that time."""
    # Issue times are cut to the second: what happened in that second happened before the issue.
    known = [token for token in grant.tokens if token.issued_at < at.replace(microsecond=0)]
    return known[-1] if known else grant.tokens[0]
