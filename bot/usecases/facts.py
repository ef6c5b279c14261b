"""What a decision must know: looked up only so far as the policy reads it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from bot.core.account import DAY, account_of_person, auto_approved
from bot.core.decision import Facts
from bot.core.events import Requested
from bot.core.identity import Actor, RequestId
from bot.core.machine import Machine
from bot.core.policy import Policy
from bot.core.request import Request
from bot.core.scopes import Bundle
from bot.core.tickets import SeenTicket
from bot.usecases.gate import Gate
from bot.usecases.ports import Ledger, Listings
from bot.usecases.tickets import TicketDesk

# So many of a person's newest requests are looked at: first few, then all that the store lists.
# What cannot be counted among them is unknown, and what reads it is refused.
PAGES: Final = (50, 1000)


class FactFinder:
    """Gathers facts about who asks; a look-up that fails refuses."""

    def __init__(
        self, gate: Gate, *, ledger: Ledger, listings: Listings, tickets: TicketDesk
    ) -> None:
        self._gate = gate
        self._tickets = tickets
        self._ledger = ledger
        self._listings = listings

    async def about(
        self,
        who: Actor,
        bundle: str,
        policy: Policy,
        *,
        now: datetime,
        besides: Collection[RequestId | None] = (),
        ticket: str | None = None,
        fresh: bool = False,
        machine: Machine | None = None,
        decided_for: datetime | None = None,
    ) -> Facts:
        """Return what `policy` must know of `who` to decide about `bundle`.

        Args:
            now: Up to when things are counted.
            besides: What is not counted: the request that is decided on, and the one whose grant
                it would prolong.
            ticket: The ticket that is named; None where nobody has named one yet.
            fresh: Whether groups are read anew.
            machine: The client that asks in the name of `who`, or for itself.
            decided_for: The moment that is decided about; None for `now`.

        Raises:
            Invalid: The ticket will not do.
            Unavailable: Something could not be looked up.
        """
        read, declared = policy.facts_read_for(bundle), policy.bundles.get(bundle)
        wants_live, wants_today = "user.active_grants" in read, "user.requests_today" in read
        since = datetime.min.replace(tzinfo=UTC) if wants_live else now - DAY
        found = await self._requests(who, since) if wants_live or wants_today else ()
        requests = None if found is None else [each for each in found if each.id not in besides]
        groups = await self._gate.groups_asking(who, bundle, policy, fresh=fresh)
        audited, unseen = await self._gate.groups_audited(who, bundle, policy)
        return Facts(
            now=decided_for or now,
            groups=groups | audited,
            unseen=unseen,
            active_grants=_live(requests, now) if requests is not None and wants_live else None,
            requests_today=_today(requests, now) if requests is not None and wants_today else None,
            auto_today=await self._auto_today(
                machine.actor if machine is not None else who, declared, now
            ),
            ticket=await self._ticket(who, declared, ticket),
        )

    async def _ticket(
        self, who: Actor, bundle: Bundle | None, id_: str | None
    ) -> SeenTicket | None:
        if bundle is None or id_ is None:
            return None
        return await self._tickets.seen(bundle, id_, by=who)

    async def about_again(
        self, asked: Requested, policy: Policy, *, now: datetime, ticket: str | None = None
    ) -> Facts:
        """Return what `policy` must know to decide again about what is asked for, or was granted.

        It does not count against itself.

        Args:
            now, ticket: As for `about`.

        Raises:
            Invalid, Unavailable: See `about`.
        """
        facts = await self.about(
            asked.by,
            asked.bundle,
            policy,
            now=now,
            besides=(asked.request, asked.extends),
            ticket=ticket,
            machine=asked.machine,
            decided_for=asked.decided_for(now),
        )
        # What policy approved by itself was counted when it did.
        return facts if asked.stages else replace(facts, auto_today=0)

    async def _requests(self, who: Actor, since: datetime) -> Sequence[Request] | None:
        """Return the requests of `who` since then, None if there are too many to see them all."""
        for page in PAGES:
            found = await self._listings.of_person(who, limit=page)
            if len(found) < page or found[-1].asked.at < since:
                return found
        return None

    async def _auto_today(self, who: Actor, bundle: Bundle | None, now: datetime) -> int | None:
        if bundle is None or bundle.limits.auto_per_day is None:
            return None
        _, [account] = await self._ledger.load_all((), (account_of_person(who),))
        return auto_approved(account, bundle.name, at=now)


def _live(requests: Sequence[Request], now: datetime) -> int:
    grants = [request.working_grant for request in requests]
    return sum(grant is not None and grant.ends_at > now for grant in grants)


def _today(requests: Sequence[Request], now: datetime) -> int:
    return sum(request.asked.at > now - DAY for request in requests)
