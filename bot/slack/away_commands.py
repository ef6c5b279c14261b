"""The grammar of `/jit away`.

/jit away [list]
/jit away [from TIME] until TIME [--to @WHO]
/jit away off [@WHO]
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from bot.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Absences:
    """When am I away, and for whom do I stand in?"""


@dataclass(frozen=True, slots=True)
class GoAway:
    """I am away, or will be.

    Attributes:
        since, until: Times as they were typed; "" for at once.
        to: Who stands in, as typed; "" for nobody.
    """

    since: str
    until: str
    to: str


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Take back what I said of being away: all of it, or only what is lent to one person."""

    to: str


AwayCommand: TypeAlias = Absences | GoAway | ComeBack

DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
# Who is meant, as Slack writes it: <@U0BEN|ben>; without `to` somebody may be named by it alone.
_MENTION: Final = re.compile(r"<@([UW][A-Z0-9]{1,30})(?:\|[^>]*)?>", re.ASCII)
_USER: Final = re.compile(r"@?([UW][A-Z0-9]{5,30})", re.ASCII)
_TO: Final = re.compile(
    rf"(?:^|\s)(?:(?:--|[{DASHES}]-?)to(?:=|\s+|$)|(?:to\s+)?(?=[<@]))(<[^>]*>|\S*)", re.IGNORECASE
)
_TIMES: Final = re.compile(r"(?:from\s+(.+?)\s+)?(?:until|till|for)\s+(.+)", re.IGNORECASE)
AWAY: Final = "away until FRIDAY --to @WHO"


def read_user(text: str) -> str | None:
    """Return the Slack user id that `text` means; None where it is a name, as that is nobody."""
    found = _MENTION.fullmatch(text) or _USER.fullmatch(text)
    return found[1] if found is not None else None


def read_away(text: str) -> AwayCommand | None:
    """Return what was typed after `/jit away`; None where it is no command.

    Raises:
        Invalid: Nobody is named after `--to`.
    """
    verb, _, rest = text.partition(" ")
    if verb.lower() in ("", "list"):
        return Absences()
    if verb.lower() == "off":
        found = _TO.match(rest)
        return ComeBack(found[1] if found and found[1] else rest)
    to, without = _to(text)
    times = _TIMES.fullmatch(without)
    if times is None:
        return None
    return GoAway(times[1] or "", times[2], to)


def _to(text: str) -> tuple[str, str]:
    """Return who is named, "" if nobody, and the text without it.

    Raises:
        Invalid: Somebody is to be named, and is not.
    """
    found = _TO.search(text)
    if found is None:
        return "", text.strip()
    if not found[1]:
        raise Invalid("say who stands in for you", field="stand_in", hint=f"/jit {AWAY}")
    return found[1], f"{text[: found.start()]} {text[found.end() :]}".strip()
