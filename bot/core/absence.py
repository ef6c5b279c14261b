"""Absences: who is away from when to when, and who stands in for them meanwhile.

A stand-in acts in the place of who is away, where that is one of those who approve. They are lent
that place, and nothing else; what is lent to somebody who is away is not passed on.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from bot.core.durations import spell
from bot.core.errors import Invalid, NotAllowed
from bot.core.identity import AbsenceId, Actor

# Whoever is away for longer says so again: a place that is lent for ever is a place given away.
LONGEST: Final = timedelta(days=30)
# So far ahead an absence may begin.
AHEAD: Final = timedelta(days=90)
# Absences of one person that are kept at once, one after another.
PLANNED_AT_MOST: Final = 10
# People for whom one stands in at once: each is looked up anew when one clicks.
STANDS_IN_AT_MOST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Somebody is away, from `since` until `until`.

    Attributes:
        stand_in: Who acts in their place; None where nobody does.
    """

    id: AbsenceId
    who: Actor
    stand_in: Actor | None
    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        """Return whether `who` is away at that time."""
        return self.since <= at < self.until

    def overlaps(self, other: "Absence") -> bool:
        """Return whether both hold at some time."""
        return self.since < other.until and other.since < self.until


Away: TypeAlias = tuple[Absence, ...]
NOBODY_AWAY: Final[Away] = ()


def at_hand(known: Away, at: datetime) -> Away:
    """Return those of `known` that hold at that time."""
    return tuple(each for each in known if each.holds(at))


def not_over(known: Away, at: datetime) -> Away:
    """Return those of `known` that hold at that time or will."""
    return tuple(each for each in known if at < each.until)


def declared(known: Away, absence: Absence, *, at: datetime) -> Away:
    """Return `known`, without what is over, with `absence`.

    Raises:
        Invalid: Its times will not do; `field` is "from" or "until".
        NotAllowed: Its people will not do, or too much is planned already.
    """
    _times_will_do(absence, at)
    left = not_over(known, at)
    mine = [each for each in left if each.who.id == absence.who.id]
    if absence.stand_in is not None and absence.stand_in.id == absence.who.id:
        raise NotAllowed("you cannot stand in for yourself", hint="name somebody else")
    if any(each.overlaps(absence) for each in mine):
        raise NotAllowed(
            "you are away at that time already, and only one person can stand in for you at a time",
            hint="see /jit away; take that back with /jit away off",
        )
    if len(mine) >= PLANNED_AT_MOST:
        raise NotAllowed(
            f"{PLANNED_AT_MOST} absences of yours are planned already",
            hint="take one back with /jit away off",
        )
    lent = [each for each in left if each.overlaps(absence) and _same_stand_in(each, absence)]
    if len(lent) >= STANDS_IN_AT_MOST:
        raise NotAllowed(
            f"they stand in for {STANDS_IN_AT_MOST} people at that time already",
            hint="name somebody else",
        )
    return (*left, absence)


def _same_stand_in(one: Absence, other: Absence) -> bool:
    lent = one.stand_in is not None and other.stand_in is not None
    return lent and one.stand_in == other.stand_in


def _times_will_do(absence: Absence, at: datetime) -> None:
    if absence.until <= at:
        raise Invalid("that time is over already", field="until", hint="name a later one")
    if absence.until <= absence.since:
        raise Invalid("it would end before it begins", field="until", hint="name a later end")
    if absence.since > at + AHEAD:
        raise Invalid(f"it can begin within {spell(AHEAD)} at most", field="from")
    if absence.until - absence.since > LONGEST:
        raise Invalid(
            f"{spell(LONGEST)} is the most at a time",
            field="until",
            hint="name an earlier end, and say it again then",
        )


def withdrawn(known: Away, who: Actor, *, at: datetime, stand_in: Actor | None = None) -> Away:
    """Return what `who` takes back: all that is not over, or only what is lent to `stand_in`."""
    return tuple(
        each
        for each in not_over(known, at)
        if each.who.id == who.id and stand_in in (None, each.stand_in)
    )


def present(
    users: Collection[str],
    away: Away,
    *,
    besides: Collection[str],
    lends: bool,
    back_before: datetime | None = None,
) -> frozenset[str]:
    """Return who of `users` can act, with whoever stands in for those of them who are away.

    Args:
        users: Slack user ids.
        away: Who is away now.
        besides: Who can neither act nor be acted for: the requester, and who has acted already.
        lends: Whether a stand-in may act here.
        back_before: Whoever is back by then counts as there.
    """
    gone = {each.who.id: each for each in away if back_before is None or each.until >= back_before}
    asked = frozenset(users) - frozenset(besides)
    lent = {gone[user].stand_in for user in asked if user in gone and lends}
    stand_ins = {each.id for each in lent if each is not None}
    return (asked | stand_ins) - gone.keys() - frozenset(besides)


def present_in(
    members: Mapping[str, frozenset[str] | None],
    away: Away,
    *,
    besides: Collection[str],
    lends: bool,
    back_before: datetime,
) -> Mapping[str, frozenset[str] | None]:
    """Return who of each group can complete a chain; see `present` for the rest.

    Args:
        members: Slack user ids by group; None where they could not be read.
    """
    return {
        name: users
        if users is None
        else present(users, away, besides=besides, lends=lends, back_before=back_before)
        for name, users in members.items()
    }


def concerning(
    away: Away, members: Mapping[str, frozenset[str] | None], *, besides: Collection[str]
) -> Away:
    """Return who of `away` is in one of the groups, as far as that is known.

    Args:
        besides: Slack user ids of people who do not matter, such as who asks.
    """
    known = frozenset[str]().union(*(users for users in members.values() if users is not None))
    return tuple(each for each in away if each.who.id in known - frozenset(besides))
