"""Tickets: looked up at the ask and at the approval, and watched while a grant lives."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.core.decision import ticket_for
from bot.core.errors import Busy, Unavailable, WrongState
from bot.core.identity import Actor
from bot.core.moves import EndWithTicket
from bot.core.policy import Policy
from bot.core.request import Request
from bot.core.scopes import Bundle, TicketRule, Tracker
from bot.core.tickets import (
    LONGEST_TITLE,
    SeenTicket,
    Ticket,
    check_ticket,
    one_line,
    why_ended,
)
from bot.usecases.ports import Directory, Tickets

# Slack waits 3 s for an answer to a form, and there is more to do than this
# (https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response).
ASK_WITHIN_S: Final = 1.5
WATCH_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDesk:
    """Asks trackers; one that does not answer is told apart from one that says no.

    Attributes:
        trackers: Those that are configured.
        every: How often the ticket of a live grant is looked at.
    """

    trackers: Mapping[Tracker, Tickets]
    directory: Directory
    every: timedelta = WATCH_EVERY

    async def seen(self, bundle: Bundle, id_: str, *, by: Actor) -> SeenTicket | None:
        """Return what the tracker says of the ticket `id_`; None where `bundle` asks no tracker.

        Raises:
            Invalid: The ticket will not do for `by`.
            Unavailable: It could not be checked, and then `bundle` does not let people decide.
        """
        rule = bundle.ticket
        if rule is None or rule.tracker is None:
            return None
        id_ = ticket_for(bundle, id_)  # nothing that looks otherwise goes out
        tracker = self.trackers.get(rule.tracker)
        link = tracker.link(id_) if tracker is not None else ""
        watched = self.every if rule.ends_grant else None
        try:
            found = await self._checked(rule, tracker, id_, by)
        except Unavailable as problem:
            if not rule.people_if_down:
                raise Unavailable(f"{id_} cannot be checked: {problem}") from problem
            why = one_line(str(problem), limit=LONGEST_TITLE)
            return SeenTicket(tracker=rule.tracker, link=link, unknown=why, watched=watched)
        return SeenTicket(
            tracker=rule.tracker,
            link=link,
            title=one_line(found.title, limit=LONGEST_TITLE),
            status=one_line(found.status, limit=LONGEST_TITLE // 2),
            watched=watched,
        )

    async def _checked(
        self, rule: TicketRule, tracker: Tickets | None, id_: str, by: Actor
    ) -> Ticket:
        """Return the ticket, which will do.

        Raises:
            Invalid, Unavailable: See `seen`.
        """
        if tracker is None:
            raise Unavailable(f"no tracker {rule.tracker} is configured")
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                found = await tracker.find(id_, people=rule.assigned)
        except TimeoutError:
            raise Unavailable(f"the tracker did not answer within {ASK_WITHIN_S:g} s") from None
        email = await self.directory.email(by) if rule.assigned and found is not None else ""
        return check_ticket(rule, id_, found, email=email)

    async def watch(self, request: Request) -> EndWithTicket:
        """Return the move that ends the grant of `request`, as its ticket is not open any more.

        Raises:
            WrongState: There is no grant that ends with a ticket.
            Busy: The ticket is open; look again later.
            Unavailable: The tracker did not answer.
        """
        asked, seen = request.asked, request.asked.seen
        if request.working_grant is None or seen is None or seen.watched is None:
            raise WrongState("there is no grant that ends with its ticket")
        tracker = self.trackers.get(seen.tracker)
        if tracker is None:
            raise Unavailable(f"no tracker {seen.tracker} is configured")
        why = why_ended(asked.ticket, await tracker.find(asked.ticket, people=False))
        if not why:
            raise Busy(f"{asked.ticket} is open", wait_s=seen.watched.total_seconds())
        return EndWithTicket(why)


def unchecked(policy: Policy, configured: frozenset[Tracker]) -> dict[str, Tracker]:
    """Return the bundles whose tickets could never be checked, with the tracker of each."""
    asked = {
        bundle.name: bundle.ticket.tracker
        for bundle in policy.bundles.values()
        if bundle.ticket is not None and bundle.ticket.tracker is not None
    }
    return {name: tracker for name, tracker in asked.items() if tracker not in configured}
