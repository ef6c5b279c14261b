"""Votes, and what of them counts in a chain that begins when they have been given already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.core.identity import Actor
from bot.core.known import Members
from bot.core.places import filled, places_of
from bot.core.policy import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's yes in one stage (counted from 0).

    Attributes:
        groups: Names of the groups with a say that they were in when they said it.
    """

    by: Actor
    stage: int
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dealt:
    """Votes in a chain that begins.

    Attributes:
        counted: Those that count, each in its stage; everybody's once over the whole chain.
        spare: The others: whoever gave them may say yes again.
    """

    counted: tuple[Vote, ...]
    spare: tuple[Vote, ...]


def dealt(votes: Iterable[Vote], stages: Sequence[Stage], members: Iterable[Members] = ()) -> Dealt:
    """Return what of `votes` counts in a chain of `stages` before any of them has escalated.

    As many count as can. Where one could fill several places, it fills one that leaves the others
    to people who could fill them, as far as those are known.

    Args:
        members: Who else is in the groups with a say.
    """
    given = tuple(votes)
    voted = {vote.by.id for vote in given}
    others = [groups for who, groups in _groups_of(members).items() if who not in voted]
    places = [
        (number, place)
        for number, stage in enumerate(stages)
        for place in places_of(stage, escalated=0)
    ]
    fits = [
        [str(which) for which, (_, place) in enumerate(places) if not groups.isdisjoint(place)]
        for groups in (*(frozenset(vote.groups) for vote in given), *others)
    ]
    # Whoever is placed first stays placed, if elsewhere: so votes come before everybody else.
    placed = {who: places[int(which)][0] for which, who in filled(fits).items()}
    return Dealt(
        counted=tuple(
            replace(vote, stage=placed[which])
            for which, vote in enumerate(given)
            if which in placed
        ),
        spare=tuple(vote for which, vote in enumerate(given) if which not in placed),
    )


def _groups_of(members: Iterable[Members]) -> dict[str, frozenset[str]]:
    """Return the groups that each known person is in."""
    found: dict[str, frozenset[str]] = {}
    for each in members:
        for who in each.people:
            found[who] = found.get(who, frozenset()) | {each.group}
    return found
