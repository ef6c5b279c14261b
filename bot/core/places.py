"""The places of a stage: each is one yes that it needs, and says whose yes may fill it.

A stage is complete when distinct people fill all of its places. Who is in two groups fills one
place of either, never one of both: this is a matching of people to places, found by augmenting
paths (H. W. Kuhn, The Hungarian method for the assignment problem, 1955).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from bot.core.policy import Chain, Stage

# Names of the groups of which anybody may fill the place.
Place: TypeAlias = tuple[str, ...]


def places_of(stage: Stage, *, escalated: int) -> tuple[Place, ...]:
    """Return the places of `stage`, those of a single group first.

    Args:
        escalated: How many of its escalations apply.
    """
    steps = stage.escalate[:escalated]
    shares = [
        _names(
            share.group,
            *(
                group.name
                for step in steps
                if step.stand_in_for == share.group
                for group in step.add_approvers
            ),
        )
        for share in stage.at_least
        for _ in range(share.people)
    ]
    return (*shares, *[voters(stage, escalated=escalated)] * (stage.quorum - len(shares)))


def voters(stage: Stage, *, escalated: int) -> Place:
    """Return the names of the groups that may vote in `stage`."""
    added = (group for step in stage.escalate[:escalated] for group in step.add_approvers)
    return _names(*(group.name for group in (*stage.approvers, *added)))


def _names(*names: str) -> Place:
    return tuple(dict.fromkeys(names))


def unfilled(takers: Sequence[Collection[str]]) -> list[int]:
    """Return the numbers of the places that stay empty when as many as possible are filled.

    Args:
        takers: As for `filled`.
    """
    held = frozenset(filled(takers).values())
    return [place for place in range(len(takers)) if place not in held]


def filled(takers: Sequence[Collection[str]]) -> dict[str, int]:
    """Return who fills which place when as many as possible are filled.

    Args:
        takers: Of each place, everybody who could fill it. Earlier places are filled first, and
            none of them is left empty again for a later one.
    """
    holds: dict[str, int] = {}

    def fills(place: int, asked: set[str]) -> bool:
        for who in takers[place]:
            if who in asked:
                continue
            asked.add(who)
            if who not in holds or fills(holds[who], asked):
                holds[who] = place
                return True
        return False

    for place in range(len(takers)):
        fills(place, set())
    return holds


def open_places(places: Sequence[Place], votes: Sequence[Collection[str]]) -> tuple[Place, ...]:
    """Return the places that `votes` leave empty.

    Args:
        votes: Of each vote, the groups that whoever gave it is in.
    """
    takers = [
        [str(number) for number, groups in enumerate(votes) if not set(groups).isdisjoint(place)]
        for place in places
    ]
    return tuple(places[number] for number in unfilled(takers))


def why_incompletable(
    chain: Chain, members: Mapping[str, frozenset[str] | None], out: frozenset[str]
) -> str | None:
    """Return why nobody could complete `chain`, all escalations applied.

    Args:
        members: Slack user ids by group; None where they could not be read: unknown is not empty.
        out: Ids of those who may not approve: whoever asks, and who answers for a client.
    """
    takers: list[frozenset[str]] = []
    for stage in chain.stages:
        places = places_of(stage, escalated=len(stage.escalate))
        known = [found for place in places if (found := _takers(place, members, out)) is not None]
        empty = unfilled(known)
        if empty:
            return (
                f"stage {stage.name} needs {_counted(len(places))}, "
                f"and nobody besides you is there for {len(empty)} of them"
            )
        takers += known
    missing = len(unfilled(takers))
    if missing:
        return (
            f"its stages need {_counted(len(takers))} of different people, "
            f"and nobody besides you is left for {missing} of them"
        )
    return None


def _counted(approvals: int) -> str:
    return "1 approval" if approvals == 1 else f"{approvals} approvals"


def _takers(
    place: Place, members: Mapping[str, frozenset[str] | None], out: frozenset[str]
) -> frozenset[str] | None:
    """Return who could fill `place`; None when that is not known, and so may be anybody."""
    groups = [members.get(name) for name in place]
    if None in groups:
        return None
    return frozenset(who for users in groups for who in users or ()) - out
