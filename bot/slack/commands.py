"""The grammar of `/jit`.

    /jit [help]
    /jit request [BUNDLE [DURATION] [from WHEN] [--ticket T] reason…]
    /jit why BUNDLE [DURATION] [from WHEN] [--ticket T] [reason…]
    /jit break-glass BUNDLE [DURATION] [--ticket T] [reason…]
    /jit usage BUNDLE
    /jit bundles | list | status [ID] | cancel ID | revoke ID [reason…]

Phones turn -- into a dash and quotes into curly ones; both are understood.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Final, TypeAlias

from bot.core.durations import read_duration
from bot.core.errors import Invalid
from bot.core.identity import RequestId
from bot.core.policy import Policy
from bot.slack.buttons import read_id
from bot.slack.forms import START
from bot.slack.mrkdwn import MESSAGE_TEXT, NAME_TEXT, REASON_TEXT, tidy
from bot.usecases.wishes import Wish


@dataclass(frozen=True, slots=True)
class Help:
    """What can be typed?"""


@dataclass(frozen=True, slots=True)
class Bundles:
    """What can be asked for?"""


@dataclass(frozen=True, slots=True)
class List:
    """What of mine is pending or live?"""


@dataclass(frozen=True, slots=True)
class Status:
    """How does it stand? None asks about all of mine."""

    request: RequestId | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take a request back."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Revoke:
    """End a grant before its time; the reason may be ""."""

    request: RequestId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for a bundle; `is_complete` says whether a form must ask for the rest.

    Attributes:
        start: When it is to start, as it was typed, in the zone of who typed; "" for at once.
    """

    wish: Wish
    start: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """What would policy say to this wish? Its reason and ticket may be missing.

    Attributes:
        start: As of `Ask`.
    """

    wish: Wish
    start: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What were the last grants of this bundle used for?"""

    bundle: str


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Take it at once; a form says what that means, and asks for the rest of the wish.

    Attributes:
        start: As of `Ask`, though it is never for later.
    """

    wish: Wish
    start: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What was typed is no command.

    Attributes:
        nearest: What may have been meant, "" when nothing is near.
    """

    text: str
    nearest: str = ""


Command: TypeAlias = (
    Help | Bundles | List | Status | Cancel | Revoke | Ask | Why | Usage | BreakGlass | Unknown
)

_VERBS: Final = (
    "help",
    "request",
    "why",
    "break-glass",
    "usage",
    "bundles",
    "status",
    "list",
    "cancel",
    "revoke",
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES: Final = "\"'\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb"
_FLAGS: Final = re.IGNORECASE
_TICKET: Final = re.compile(rf"(?:^|\s)(?:--|[{_DASHES}]-?)ticket(?:=|\s|$)(\S*)", _FLAGS)
_UNIT: Final = (
    r"(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|months?|years?)"
)
# What is meant as a duration by people, but is none here: "2hours", "1.5h", "-5m", "30 min".
_NEAR_DURATION: Final = re.compile(rf"[-+]?\d+(?:[.,]\d+)?\s?{_UNIT}(?=\s|$)", _FLAGS)


_CLOCK: Final = r"(?:at\s+)?\d{1,2}:\d\d"
_DAY: Final = (
    r"(?:today|tomorrow|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|\d{4}-\d\d-\d\d)"
)
# What else begins with "from" is a reason: "from the logs I need…".
_FROM: Final = re.compile(
    rf"from\s+(?P<when>(?:{_DAY}\s+)?{_CLOCK}|(?P<lone>{_DAY}))(?=\s|$)", _FLAGS
)


def read_command(text: str) -> Command:
    """Return what was typed after `/jit`.

    Raises:
        NotFound: An id was meant, but it has not the form of one.
        Invalid: A duration was meant, but it is none.
    """
    typed = tidy(text, MESSAGE_TEXT)
    verb, _, rest = typed.partition(" ")
    match verb.lower():
        case "" | "help":
            return Help()
        case "request":
            return Ask(*_wish(rest))
        case "why" | "break-glass" | "usage" if rest:
            return _about_bundle(verb.lower(), rest)
        case "bundles":
            return Bundles()
        case "list":
            return List()
        case "status":
            return Status(read_id(_bare(rest)) if rest else None)
        case "cancel" if rest:
            return Cancel(read_id(_bare(rest)))
        case "revoke" if rest:
            id_, _, reason = rest.partition(" ")
            return Revoke(read_id(_bare(id_)), tidy(_bare(reason), REASON_TEXT))
        case "cancel" | "revoke":
            return Unknown(tidy(typed, NAME_TEXT), f"{verb.lower()} ID")
        case "why" | "break-glass" | "usage":
            return Unknown(tidy(typed, NAME_TEXT), f"{verb.lower()} BUNDLE")
        case _:
            near = get_close_matches(verb.lower(), _VERBS, n=1)
            return Unknown(tidy(typed, NAME_TEXT), near[0] if near else "")


def _about_bundle(verb: str, rest: str) -> Why | BreakGlass | Usage:
    if verb == "usage":
        return Usage(tidy(_bare(rest), NAME_TEXT))
    return Why(*_wish(rest)) if verb == "why" else BreakGlass(*_wish(rest))


def is_complete(wish: Wish, policy: Policy) -> bool:
    """Return whether `wish` says all that its bundle asks for; what is wrong is not looked at."""
    bundle = policy.bundles.get(wish.bundle)
    if not wish.bundle or not wish.reason:
        return False
    if bundle is None:
        return True
    return len(wish.reason) >= bundle.reason_min and bool(wish.ticket or bundle.ticket is None)


def _wish(text: str) -> tuple[Wish, str]:
    """Return the wish in "BUNDLE [DURATION] [from WHEN] [--ticket T] reason…", and the WHEN.

    Raises:
        Invalid: The second word is meant as a duration, or "from …" as a start, but is none.
    """
    found = _TICKET.search(text)
    ticket = found[1] if found else ""
    without = f"{text[: found.start()]} {text[found.end() :]}" if found else text
    bundle, _, rest = without.strip().partition(" ")
    duration, rest = _duration(rest.strip())
    start, reason = _start(rest.strip())
    wish = Wish(
        bundle=tidy(_bare(bundle), NAME_TEXT),
        duration=duration,
        reason=tidy(_bare(reason), REASON_TEXT),
        ticket=tidy(_bare(ticket), NAME_TEXT),
    )
    return wish, start


def _start(text: str) -> tuple[str, str]:
    """Return the start that `text` begins with, "" if with none, and what follows it.

    Raises:
        Invalid: A day is named, but no time of it.
    """
    found = _FROM.match(text)
    if found is None:
        return "", text
    if found["lone"]:
        shown = tidy(found["lone"], NAME_TEXT)
        sentence = f"say at what time {shown} it is to start"
        raise Invalid(sentence, field=START, hint=f"write: from {shown} 09:00")
    return found["when"], text[found.end() :]


def _duration(text: str) -> tuple[timedelta | None, str]:
    """Return the duration that `text` begins with, if any, and what follows it.

    Raises:
        Invalid: It begins with something that is meant as a duration, but is none.
    """
    word, _, rest = text.partition(" ")
    try:
        return read_duration(word), rest
    except ValueError:
        meant = _NEAR_DURATION.match(text)
    if meant:
        shown = tidy(meant[0], NAME_TEXT)
        sentence = f"{shown!r} is not a duration; write 30m, 2h, 1h30m or 7d"
        raise Invalid(sentence, field="duration")
    return None, text


def _bare(text: str) -> str:
    """Return `text` without quotes around it."""
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] in _QUOTES and stripped[-1] in _QUOTES:
        return stripped[1:-1]
    return stripped
