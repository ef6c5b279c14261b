"""Scopes, and the bundles of them that people ask for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Final

from bot.core.errors import Invalid

# RFC 6749, section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
# So much of a wrong scope is said back, in characters.
_QUOTED: Final = 60


class Risk(IntEnum):
    """How much harm a bundle can do; comparable."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


class Delivery(StrEnum):
    """How a person gets the token: in the direct message itself, or only in a modal."""

    MESSAGE = "message"
    REVEAL = "reveal"


@dataclass(frozen=True, slots=True)
class ScopeText:
    """A scope with what it means in words ("" where nobody wrote it down)."""

    scope: str
    words: str = ""


class Starts(StrEnum):
    """When the time of a grant begins: as it is approved, or when the person first takes it."""

    APPROVAL = "approval"
    REVEAL = "reveal"


class Tracker(StrEnum):
    """What keeps tickets."""

    JIRA = "jira"
    GITHUB = "github"
    URL = "url"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRule:
    """What a ticket must look like, and be.

    Attributes:
        pattern: An RE2 pattern that must match the ticket in full.
        example: A ticket that matches, shown to people.
        tracker: What is asked for it; None where only its looks count, and then the rest is not
            looked at.
        projects: It must be in one of these; any will do where there are none.
        assigned: It must be assigned to who asks.
        people_if_down: While the tracker does not answer people decide; else nobody can ask.
        ends_grant: A grant ends when its ticket is closed.
    """

    pattern: str
    example: str
    tracker: Tracker | None = None
    projects: tuple[str, ...] = ()
    assigned: bool = False
    people_if_down: bool = False
    ends_grant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps across requests; None is no cap.

    Attributes:
        per_user_per_day: Requests of one person in any 24 hours.
        active_total: Grants live at once, of all people together.
        active_per_user: Grants live at once, of one person.
        auto_per_day: Requests of one person that policy approves by itself in any 24 hours.
        cool_down: How long one person cannot ask again after people have said no.
    """

    per_user_per_day: int | None = None
    active_total: int | None = None
    active_per_user: int | None = None
    auto_per_day: int | None = None
    cool_down: timedelta | None = None

    @property
    def counts_asks(self) -> bool:
        """Whether what one person asks for must be counted."""
        return (self.per_user_per_day, self.auto_per_day, self.cool_down) != (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prolonging:
    """How a grant may be prolonged; None is no limit.

    Attributes:
        times: How often.
        total: How long it may last in all, from its start.
    """

    times: int | None = None
    total: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Glass:
    """How a bundle can be had in an emergency: at once, and reviewed afterwards.

    Attributes:
        who: Names of the groups whose members may break it.
        max_duration: The most that they get.
        reason_min: Characters that their reason must have.
        notify: Channels that are told at once, "#name" or id.
        review_by: Names of the groups of which somebody else must sign it off.
        review_within: How soon.
        unreviewed: How many such grants of one person may wait for that at once.
    """

    who: tuple[str, ...]
    max_duration: timedelta
    reason_min: int
    notify: tuple[str, ...]
    review_by: tuple[str, ...]
    review_within: timedelta
    unreviewed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A fixed set of scopes, with limits that no rule can widen.

    Attributes:
        resource: The token's audience, a URI (RFC 8707).
        owner: The group that answers for this bundle, and may revoke its grants.
        reason_min: Characters that a reason must have.
        channel: "#name" or id of the channel that its cards go to.
        glass: What is broken in an emergency; None where nothing can be.
        idle_end: A grant that was not used for so long ends; None for no such end.
        claim_within: How long after the approval the requester may start the grant; None where it
            starts by itself.
        start_within: How far ahead a start may be asked for; None where it may not.
        token_max: How long one token may live; None for as long as the grant.
    """

    name: str
    title: str
    scopes: tuple[ScopeText, ...]
    resource: str
    channel: str
    max_duration: timedelta
    default_duration: timedelta
    description: str = ""
    environment: str = ""
    access: str = ""
    risk: Risk = Risk.MEDIUM
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    reason_min: int = 10
    ticket: TicketRule | None = None
    limits: Limits = field(default_factory=Limits)
    prolonging: Prolonging = field(default_factory=Prolonging)
    delivery: Delivery = Delivery.MESSAGE
    glass: Glass | None = None
    idle_end: timedelta | None = None
    claim_within: timedelta | None = None
    start_within: timedelta | None = None
    token_max: timedelta | None = None

    @property
    def scope_names(self) -> tuple[str, ...]:
        """The scopes alone, in the order of the policy file."""
        return tuple(text.scope for text in self.scopes)


def is_scope(text: str) -> bool:
    """Return whether `text` is one scope token of RFC 6749."""
    return _SCOPE_TOKEN.fullmatch(text) is not None


def narrowed(bundle: Bundle, wanted: Sequence[str]) -> tuple[ScopeText, ...]:
    """Return the scopes of `bundle` that are in `wanted`, in the bundle's order.

    Raises:
        Invalid: `wanted` is empty or names a scope that the bundle does not have.
    """
    foreign = [scope for scope in wanted if scope not in bundle.scope_names]
    if foreign:
        raise Invalid(
            f"{bundle.name} has no scope {foreign[0][:_QUOTED]!r}; "
            f"it has {', '.join(bundle.scope_names)}",
            field="scopes",
        )
    chosen = tuple(text for text in bundle.scopes if text.scope in wanted)
    if not chosen:
        raise Invalid("choose at least one scope", field="scopes")
    return chosen
