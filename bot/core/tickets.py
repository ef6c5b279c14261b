"""Tickets: what a tracker says of the one that a request names, and whether that will do."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.core.errors import Invalid
from bot.core.scopes import TicketRule, Tracker
from bot.core.texts import tidy

# A title is kept and shown with this many characters at most, a status with half as many.
LONGEST_TITLE: Final = 200

_ASSIGN: Final = (
    "it must be assigned to whoever asks, under the e-mail address of their Slack profile"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An entry of a tracker as it stands now.

    Attributes:
        id: As the tracker writes it.
        status: In the tracker's own words, "" where it has none.
        project: What it belongs to, "" where the tracker has no such thing.
        assignees: E-mail addresses; "" for somebody whose address the tracker does not show.
    """

    id: str
    title: str
    status: str
    open: bool
    project: str = ""
    assignees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTicket:
    """What was seen of a request's ticket when it was asked for.

    Attributes:
        link: Where people read it, "" where nobody knows.
        title, status: "" where the tracker did not say.
        unknown: Why it could not be checked; "" when it was.
        watched: The grant ends with the ticket, which is looked at so often; None if it does not.
    """

    tracker: Tracker
    link: str = ""
    title: str = ""
    status: str = ""
    unknown: str = ""
    watched: timedelta | None = None


def check_ticket(rule: TicketRule, id_: str, found: Ticket | None, *, email: str) -> Ticket:
    """Return what the tracker `found` under `id_` if it will do.

    Args:
        email: Of who asks; "" where Slack does not say. Read only where the rule needs it.

    Raises:
        Invalid: It does not exist, is closed, another one, of another project or not theirs.
    """
    if found is None:
        raise Invalid(f"there is no ticket {id_}", field="ticket", hint="check what it is called")
    if found.id.casefold() != id_.casefold():
        raise Invalid(f"{id_} is {found.id} now", field="ticket", hint="name it so")
    if not found.open:
        how = f"{id_} is closed{_in_brackets(found.status)}"
        raise Invalid(how, field="ticket", hint="name one that is open, or have it opened again")
    projects = {project.casefold() for project in rule.projects}
    if projects and found.project.casefold() not in projects:
        wrong = f"{id_} is not in {' or '.join(rule.projects)}"
        raise Invalid(wrong, field="ticket", hint="name a ticket of the right project")
    if rule.assigned:
        _check_assignee(id_, found, email)
    return found


def _check_assignee(id_: str, found: Ticket, email: str) -> None:
    if not email:
        hint = "an admin must give the app the scope users:read.email"
        raise Invalid(f"Slack does not say who {id_} may belong to", field="ticket", hint=hint)
    if email.casefold() in (each.casefold() for each in found.assignees):
        return
    if not found.assignees:
        raise Invalid(f"{id_} is assigned to nobody", field="ticket", hint=_ASSIGN)
    if "" in found.assignees:
        hint = "they must let their e-mail address be seen there"
        wrong = f"the tracker does not show whom {id_} is assigned to"
        raise Invalid(wrong, field="ticket", hint=hint)
    raise Invalid(f"{id_} is assigned to somebody else", field="ticket", hint=_ASSIGN)


def why_ended(id_: str, found: Ticket | None) -> str:
    """Return why a grant must end with its ticket, "" while that is open."""
    if found is None:
        return f"there is no ticket {id_} any more"
    return "" if found.open else f"{id_} is closed{_in_brackets(found.status)}"


def one_line(text: str, *, limit: int) -> str:
    """Return what a tracker says, on one line of `limit` characters at most."""
    return " ".join(tidy(text).split())[:limit].strip()


def _in_brackets(status: str) -> str:
    said = one_line(status, limit=LONGEST_TITLE // 2)
    return f" ({said})" if said else ""
