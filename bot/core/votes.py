"""Votes, and what of them counts in a chain that begins when they have been given already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bot.core.identity import Actor
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


def dealt(votes: Iterable[Vote], stages: Sequence[Stage]) -> Dealt:
    """Return what of `votes` counts in a chain of `stages` before any of them has escalated.

    As many places as possible are filled, those of earlier stages first.
    """
    given = tuple(votes)
    places = [
        (number, place)
        for number, stage in enumerate(stages)
        for place in places_of(stage, escalated=0)
    ]
    takers = [
        [str(which) for which, vote in enumerate(given) if not set(vote.groups).isdisjoint(place)]
        for _, place in places
    ]
    holds = filled(takers)
    return Dealt(
        counted=tuple(
            replace(vote, stage=places[holds[str(which)]][0])
            for which, vote in enumerate(given)
            if str(which) in holds
        ),
        spare=tuple(vote for which, vote in enumerate(given) if str(which) not in holds),
    )
