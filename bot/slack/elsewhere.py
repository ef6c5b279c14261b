"""Who is on call, and who a manager is, in words: so far as it is known now."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bot.core.policy import Group, groups_in
from bot.core.request import Request
from bot.slack.mrkdwn import code, mention, mention_user
from bot.usecases.ports import Found

PEOPLE_NAMED: Final = 4


def named(names: Iterable[str], groups: Mapping[str, Group], found: Found) -> Iterator[str]:
    """Yield each group by its name, with the people that it means now: "`sre-oncall` (@Dan)".

    Args:
        groups: What is known of them, by name.
    """
    for name in names:
        parts = groups[name].parts() if name in groups else ()
        told = [found[part.name] for part in parts if part.name in found]
        yield f"{code(name, limit=60)}{_meant(told) if told else ''}"


def _meant(told: Iterable[frozenset[str] | None]) -> str:
    known = [users for users in told if users is not None]
    people = sorted(frozenset().union(*known))
    if not people:
        return " (nobody now)" if known else ""
    shown = [mention_user(user) for user in people[:PEOPLE_NAMED]]
    more = [f"{len(people) - PEOPLE_NAMED} more"] if len(people) > PEOPLE_NAMED else []
    return f" ({', '.join([*shown, *more])})"


def unknown(request: Request, found: Found) -> Iterator[str]:
    """Yield a line for each group that `request` waits for and that cannot be read now."""
    waited_for = [each for each in groups_in(request.asked.stages) if each.name in request.voters]
    for group in waited_for:
        for part in group.parts():
            if found.get(part.name, frozenset()) is None:
                rota = part.on_call
                what = f"on-call of {code(rota.named, limit=60)}" if rota is not None else ""
                what = what or f"the manager of {mention(request.requester)}"
                name = code(group.name, limit=60)
                yield f"⚠️ {what} cannot be read now, so nobody can approve as one of {name}"
