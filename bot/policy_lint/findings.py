"""What a lint of the policy files finds, each with its place and, where there is one, a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.core.durations import spell
from bot.core.replaying import Shift
from bot.policy_files import Place


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Check(StrEnum):
    """What was looked for; docs/policy-lint.md tells of each."""

    NO_HUMAN = "no-human"
    UNOBTAINABLE = "unobtainable"
    INCOMPLETABLE = "incompletable"
    DEAD_RULE = "dead-rule"
    NEVER_TRUE = "never-true"
    FAILS = "fails"
    MEMBERS = "members"
    OVERBROAD = "overbroad"
    UNUSED = "unused"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request that shows it.

    Attributes:
        groups: Of those that are read, whom somebody else keeps.
        active_grants, requests_today, auto_today: As in `decision.Facts`.
        client: The OAuth client that asks for `user`, "" where they do themselves.
    """

    user: str
    bundle: str
    groups: tuple[str, ...]
    duration: timedelta
    at: datetime
    reason: str
    ticket: str
    active_grants: int = 0
    requests_today: int = 0
    auto_today: int = 0
    ticket_unknown: bool = False
    client: str = ""

    def __str__(self) -> str:
        groups = ", ".join(self.groups) or "no group"
        who = f"client {self.client} for {self.user}" if self.client else self.user
        said = [f"{who} (in {groups}) asks for {self.bundle} for {spell(self.duration)}"]
        said.append(f"at {self.at:%a %Y-%m-%d %H:%M} UTC, reason {self.reason!r}")
        if self.ticket:
            said.append(f"ticket {self.ticket!r}" + " unknown" * self.ticket_unknown)
        counts = {
            "grants that work": self.active_grants,
            "requests in 24 hours": self.requests_today,
            "of this granted by policy itself": self.auto_today,
        }
        said += [f"{count} {what}" for what, count in counts.items() if count]
        return ", ".join(said)

    def told(self) -> Mapping[str, Any]:
        """Return it for programs."""
        return {
            "user": self.user,
            "bundle": self.bundle,
            "groups": list(self.groups),
            "duration": spell(self.duration),
            "at": self.at.isoformat(),
            "reason": self.reason,
            "ticket": self.ticket,
            "active_grants": self.active_grants,
            "requests_today": self.requests_today,
            "auto_today": self.auto_today,
            "ticket_unknown": self.ticket_unknown,
            "client": self.client,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A request, and what the engine says to it.

    Attributes:
        answers: In the words of policy files; of a comparison the old answer and the new one.
        confirmed: Whether the engine says what was expected.
    """

    example: Example
    answers: tuple[str, ...]
    confirmed: bool

    @property
    def mark(self) -> str:
        """Whether the engine bears it out, in words."""
        return "confirmed" if self.confirmed else "not confirmed"

    def __str__(self) -> str:
        return f"{self.example}: {' -> '.join(self.answers)} [{self.mark}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found."""

    level: Level
    check: Check
    place: Place
    sentence: str
    shown: Shown | None = None

    @property
    def order(self) -> tuple[Place, str]:
        """What findings are sorted by."""
        return (self.place, self.sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was found.

    Attributes:
        findings: In the order of files and lines.
        proved: Of how many bundles it was proved that nobody has them without another human.
        guarded: Of how many bundles that must be true.
    """

    findings: tuple[Finding, ...]
    bundles: int
    proved: int
    guarded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One way in which a bundle can be had otherwise.

    Attributes:
        shift: LOOSER also where it cannot be told which way it is.
        what: In words.
        shown: A request that is decided otherwise; None where the bundle itself says it.
    """

    bundle: str
    shift: Shift
    what: str
    shown: Shown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What differs.

    Attributes:
        added, removed: Bundles that only one of the policies has.
        same: Bundles that can be had just as before.
        undecided: Bundles of which the solver does not know.
    """

    changes: tuple[Change, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    same: tuple[str, ...]
    undecided: tuple[str, ...]
