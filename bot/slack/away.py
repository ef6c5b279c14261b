"""Who is away and who stands in, in words: on cards, in threads and before one asks."""

from collections.abc import Iterator
from typing import Final

from bot.core.absence import Absence
from bot.core.identity import Actor
from bot.core.request import Request
from bot.core.voices import counted_in
from bot.slack.mrkdwn import mention, moment
from bot.usecases.ports import Missing

PEOPLE_TOLD: Final = 4


def missing_lines(
    missing: Missing, *, requester: Actor, counted: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield who is away until when, and who stands in: a line each.

    Args:
        counted: Slack user ids of everybody whose yes is spent.
    """
    cannot = counted | missing.cannot | {each.who.id for each in missing.away}
    for each in missing.away[:PEOPLE_TOLD]:
        who, until = mention(each.who), moment(each.until)
        instead = _instead(each, missing, requester, cannot)
        yield f"🌴 {who} is away until {until}; {instead}"
    if len(missing.away) > PEOPLE_TOLD:
        yield f"🌴 {len(missing.away) - PEOPLE_TOLD} more are away"


def missing_on(request: Request, missing: Missing) -> Iterator[str]:
    """Yield the lines of whom `request` waits for."""
    yield from missing_lines(missing, requester=request.requester, counted=counted_in(request))


def _instead(absence: Absence, missing: Missing, requester: Actor, cannot: frozenset[str]) -> str:
    if absence.stand_in is None:
        return "nobody stands in"
    who = mention(absence.stand_in)
    if not missing.lends:
        return "nobody can stand in here"
    if absence.stand_in.id == requester.id:
        return f"{who} cannot stand in here, as it is their own request"
    return f"{who} {'would stand in, and cannot' if absence.stand_in.id in cannot else 'stands in'}"


def stand_ins(missing: Missing, *, without: frozenset[str]) -> Iterator[Actor]:
    """Yield who can act for those who are away.

    Args:
        without: Slack user ids of who cannot.
    """
    cannot = without | missing.cannot | {each.who.id for each in missing.away}
    for each in missing.away if missing.lends else ():
        if each.stand_in is not None and each.stand_in.id not in cannot:
            yield each.stand_in


def in_words(who: Actor, on_behalf_of: Actor | None) -> str:
    """Return who acted, and for whom: "@Ben for @Anna"."""
    return mention(who) if on_behalf_of is None else f"{mention(who)} for {mention(on_behalf_of)}"
