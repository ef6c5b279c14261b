"""What a grant was used for, as enforcement points saw it, and what it was misused for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Seen(StrEnum):
    """What a tally counts; its name says which one."""

    ALLOWED = "allowed"
    """Calls that needed this scope and were let through; "" where nobody said which."""
    BEYOND = "beyond"
    """Calls that were turned away; the name is all scopes that the call needed."""
    ENDED = "ended"
    """Calls with a token that was over; the name as above."""
    ADDRESS = "address"
    """Calls from an address."""
    POINT = "point"
    """Calls that an enforcement point saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often, and when, something was seen of one grant."""

    seen: Seen
    name: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Life:
    """A time through which an enforcement point was alive."""

    begun: datetime
    until: datetime


# Of a misuse so many scopes and points are told.
NAMES_TOLD: Final = 5
ADDRESSES_TOLD: Final = 5
# The first misuse of a kind is told at once; then its count, after pauses that double.
TOLD_AGAIN_AFTER: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeUse:
    """How often a scope was used in one grant, and when last; None if never."""

    scope: str
    count: int = 0
    last: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one grant was used for.

    Attributes:
        scopes: All that were granted.
        others: Calls of which nobody said what scope they needed.
        watched: Whether an enforcement point was alive during the grant.
    """

    scopes: tuple[ScopeUse, ...]
    others: int = 0
    watched: bool = False

    @property
    def is_known(self) -> bool:
        """Whether a scope of which no use was seen was not used."""
        return self.watched and not self.others

    @property
    def used(self) -> tuple[ScopeUse, ...]:
        """The scopes that were used, the most used first."""
        found = [each for each in self.scopes if each.count]
        return tuple(sorted(found, key=lambda each: -each.count))

    @property
    def never(self) -> tuple[str, ...]:
        """The scopes that were not used, so far as that is known."""
        return tuple(each.scope for each in self.scopes if self.is_known and not each.count)


def usage_of(scopes: Sequence[str], tallies: Iterable[Tally], *, watched: bool) -> Usage:
    """Return what a grant of `scopes` was used for.

    Args:
        watched: Whether a point was alive; one that told of a use was.
    """
    allowed = {each.name: each for each in tallies if each.seen is Seen.ALLOWED}
    others = allowed.pop("", None)
    return Usage(
        scopes=tuple(
            ScopeUse(scope=scope, count=allowed[scope].count, last=allowed[scope].last)
            if scope in allowed
            else ScopeUse(scope=scope)
            for scope in scopes
        ),
        others=others.count if others is not None else 0,
        watched=watched or bool(allowed),
    )


def last_use(tallies: Iterable[Tally]) -> datetime | None:
    """Return when a call was let through last, None if none was."""
    return max((each.last for each in tallies if each.seen is Seen.ALLOWED), default=None)


def lived_during(lives: Iterable[Life], since: datetime, until: datetime) -> bool:
    """Return whether an enforcement point was alive at any moment in between."""
    return any(life.begun <= until and life.until >= since for life in lives)


def lived_through(
    lives: Iterable[Life], since: datetime, until: datetime, *, slack: timedelta
) -> bool:
    """Return whether one enforcement point was alive all the time in between.

    Args:
        slack: How long it may have been silent at the beginning and at the end.
    """
    return any(life.begun <= since + slack and life.until >= until - slack for life in lives)


class Misuse(StrEnum):
    """How a token can be misused."""

    BEYOND = "beyond"
    """For a scope that was not granted."""
    ENDED = "ended"
    """After the end of its grant."""
    ADDRESS = "address"
    """From more than one address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misdeed:
    """All misuse of one kind of one grant.

    Attributes:
        count: Attempts; of ADDRESS how many addresses.
        scopes: What was tried that was not granted, or was when it was over.
        addresses: From where; of ADDRESS each, the first first, else the latest of the grant.
        points: Who saw the grant's tokens.
        last: When it was seen last.
    """

    kind: Misuse
    count: int
    scopes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    last: datetime


def misdeeds(
    scopes: Sequence[str], tallies: Sequence[Tally], *, over_since: datetime | None
) -> Iterator[Misdeed]:
    """Yield what a grant of `scopes` was misused for.

    Args:
        over_since: When the grant ended; None while it works. Before that a token that is over is
            one that a newer one took the place of, and whoever still has it means no harm.
    """
    addresses = sorted(_of(Seen.ADDRESS, tallies), key=lambda each: (each.first, each.name))
    points = tuple(each.name for each in _of(Seen.POINT, tallies))[:NAMES_TOLD]
    latest = max(addresses, key=lambda each: each.last, default=None)
    for kind, seen in ((Misuse.BEYOND, Seen.BEYOND), (Misuse.ENDED, Seen.ENDED)):
        found = _of(seen, tallies)
        tried = dict.fromkeys(scope for each in found for scope in each.name.split(" ") if scope)
        told = kind is Misuse.BEYOND or (over_since is not None and _since(over_since, found))
        if found and told:
            yield Misdeed(
                kind=kind,
                count=sum(each.count for each in found),
                scopes=tuple(
                    scope for scope in tried if kind is Misuse.ENDED or scope not in scopes
                )[:NAMES_TOLD],
                addresses=(latest.name,) if latest is not None else (),
                points=points,
                last=max(each.last for each in found),
            )
    if len(addresses) > 1:
        yield Misdeed(
            kind=Misuse.ADDRESS,
            count=len(addresses),
            addresses=tuple(each.name for each in addresses)[:ADDRESSES_TOLD],
            points=points,
            last=max(each.first for each in addresses),
        )


def _since(at: datetime, tallies: Iterable[Tally]) -> bool:
    # Stores keep whole milliseconds, rounded down.
    return any(each.last >= at - timedelta(milliseconds=1) for each in tallies)


def _of(seen: Seen, tallies: Iterable[Tally]) -> list[Tally]:
    return [each for each in tallies if each.seen is seen]


def told_again_after(times: int) -> timedelta:
    """Return how long after it was told for the `times`-th time (from 1) it may be told again."""
    return TOLD_AGAIN_AFTER * (1 << (times - 1))
