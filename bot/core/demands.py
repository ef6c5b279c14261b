"""Which of two chains asks for more: whether whoever completes one has completed the other, too.

A chain demands people, a place for each; see `places.py`. One covers another if each place of the
other has a place of its own in it that takes nobody else, and nobody earlier. Where neither covers
the other, only both together lose nothing. The order of stages is no demand, nor is how long people
have: no yes is worth less for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.core.places import places_of, unfilled
from bot.core.policy import Group, Stage, groups_in


@dataclass(frozen=True, slots=True)
class Demand:
    """One place of a stage.

    Attributes:
        since: Whose yes may fill it, and how long after the stage began it may.
    """

    since: tuple[tuple[Group, timedelta], ...]


def covers(stages: Sequence[Stage], others: Sequence[Stage]) -> bool:
    """Return whether whoever completes a chain of `stages` has completed one of `others`, too."""
    offered = [demand for stage in stages for demand in demands_of(stage)]
    wanted = [demand for stage in others for demand in demands_of(stage)]
    takers = [
        [str(number) for number, offer in enumerate(offered) if _is_within(offer, demand)]
        for demand in wanted
    ]
    return not unfilled(takers)


def demands_of(stage: Stage) -> tuple[Demand, ...]:
    """Return what the places of `stage` demand, over all its escalations."""
    known = {group.name: group for group in groups_in([stage])}
    times = (timedelta(0), *(step.after for step in stage.escalate))
    by_step = [places_of(stage, escalated=number) for number in range(len(times))]
    return tuple(
        _demand([step[place] for step in by_step], times, known) for place in range(stage.quorum)
    )


def _demand(
    takers: Sequence[Sequence[str]], times: Sequence[timedelta], known: Mapping[str, Group]
) -> Demand:
    since: dict[str, timedelta] = {}
    for names, time in zip(takers, times, strict=True):
        for name in names:
            since.setdefault(name, time)
    return Demand(tuple((known[name], time) for name, time in since.items()))


def _is_within(strict: Demand, lax: Demand) -> bool:
    """Return whether whoever fills `strict` could have filled `lax` by then."""
    return all(
        any(is_part(group, other) and begins <= time for other, begins in lax.since)
        for group, time in strict.since
    )


def is_part(group: Group, other: Group) -> bool:
    """Return whether everybody in `group` is in `other` for sure, as far as their policies say.

    Who is in a Slack user group, on call or somebody's manager is the same only where the same
    place says it.
    """
    if is_same(group, other):
        return True
    if group.min_members != other.min_members:
        return False
    if other.any_of and any(is_part(group, part) for part in other.any_of):
        return True
    if group.any_of:
        return all(is_part(part, other) for part in group.any_of)
    return (
        bool(group.users) and _is_listed(group) and _is_listed(other) and group.users <= other.users
    )


def is_same(group: Group, other: Group) -> bool:
    """Return whether the same place says who is in both."""
    return _plain(group) == _plain(other)


def _plain(group: Group) -> tuple[object, ...]:
    """Return all that says who is in it: not its name."""
    parts = frozenset(_plain(part) for part in group.any_of)
    of = tuple(sorted(group.manager.of.items())) if group.manager is not None else ()
    field = group.manager.profile_field if group.manager is not None else ""
    return (group.usergroup, group.users, parts, group.on_call, field, of, group.min_members)


def _is_listed(group: Group) -> bool:
    return not (group.usergroup or group.any_of or group.is_from_elsewhere)
