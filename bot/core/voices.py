"""Whose word a move is: one's own, or that of somebody away for whom one stands in.

Each human counts once over the whole chain, whoever clicks for them: who has voted, and for whom
somebody has, are both spent. The requester is neither, whatever is lent; nor is, where a client
asks, who answers for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.identity import Actor
from bot.core.places import Place, open_places
from bot.core.request import Request


@dataclass(frozen=True, slots=True)
class Voice:
    """In whose name somebody can speak.

    Attributes:
        groups: Names of the policy's groups that whoever it is the word of is in now.
        on_behalf_of: Who is away, and has lent their place; None for oneself.
    """

    groups: frozenset[str]
    on_behalf_of: Actor | None = None


def counted_in(request: Request) -> frozenset[str]:
    """Return the Slack user ids of everybody whose one yes is spent."""
    acted = {vote.by.id for vote in request.votes}
    return frozenset(acted | {each.on_behalf_of.id for each in request.votes if each.on_behalf_of})


def with_a_say(request: Request, by: Actor, voices: Sequence[Voice]) -> tuple[Voice, ...]:
    """Return those of the `voices` of `by` that have a say in the stage that is voted on."""
    machine = request.asked.machine
    nobody = {request.requester.id, by.id, machine.owner_user if machine is not None else by.id}
    return tuple(
        voice
        for voice in voices
        if not voice.groups.isdisjoint(request.voters)
        and (voice.on_behalf_of is None or voice.on_behalf_of.id not in nobody)
    )


def uncounted(request: Request, by: Actor, voices: Sequence[Voice]) -> tuple[Voice, ...]:
    """Return those of the `voices` of `by` that can still say yes."""
    spent = counted_in(request)
    if by.id in spent:
        return ()
    return tuple(
        voice
        for voice in with_a_say(request, by, voices)
        if voice.on_behalf_of is None or voice.on_behalf_of.id not in spent
    )


def yes_of(request: Request, by: Actor, voices: Sequence[Voice]) -> Voice | None:
    """Return in whose name `by` says yes; None where none of it would fill a place.

    It is whoever can fill the first place that is open: those kept for a group come first, as
    fewest people can fill them. Where that is more than one it is the first of `voices`: oneself.
    """
    given = [vote.groups for vote in request.votes if vote.stage == request.stage]
    left = request.open_places
    fitting = [
        voice
        for voice in uncounted(request, by, voices)
        if len(open_places(request.places, [*given, voice.groups])) < len(left)
    ]
    return min(fitting, key=lambda voice: _first_of(left, voice), default=None)


def _first_of(places: Sequence[Place], voice: Voice) -> int:
    """Return the number of the first place that `voice` fits; a late one if others must move."""
    fits = (number for number, place in enumerate(places) if not voice.groups.isdisjoint(place))
    return next(fits, len(places))
