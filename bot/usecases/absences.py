"""Who is away: said, taken back, looked up, and whose place somebody can fill meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import structlog

from bot.core import events as e
from bot.core.absence import NOBODY_AWAY, Absence, Away, at_hand, declared, not_over, withdrawn
from bot.core.account import ACCOUNT_OF_ABSENCES, Account, with_absences
from bot.core.errors import Conflict, NotFound, Unavailable
from bot.core.identity import Actor, absence_id, fingerprint
from bot.core.policy import Policy, groups_in
from bot.core.request import Request
from bot.core.voices import Voice
from bot.usecases.desk import TRIES, Desk
from bot.usecases.gate import Gate
from bot.usecases.ports import CommitId, Ledger

log = structlog.get_logger()

_Kind: TypeAlias = type[e.AbsenceDeclared | e.AbsenceWithdrawn]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An absence that somebody wants to declare.

    Attributes:
        since: None for at once.
    """

    stand_in: Actor | None
    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is not over and concerns one person.

    Attributes:
        mine: When they are away.
        lent: When they stand in for others.
    """

    mine: Away
    lent: Away


class Absences:
    """The use cases of who is away."""

    def __init__(self, desk: Desk, gate: Gate, *, ledger: Ledger) -> None:
        self._desk = desk
        self._gate = gate
        self._ledger = ledger

    async def declare(self, plan: Plan, *, by: Actor, delivery: str) -> tuple[Absence, Away]:
        """Record that `by` is away; the same delivery does it only once.

        Returns the absence, and when whoever stands in is away during it: what is lent to them
        is not passed on.

        Raises:
            Invalid: Its times will not do.
            NotAllowed: `by` may not use the bot, or its people will not do.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        await self._gate.admit(by, fresh=True)
        if plan.stand_in is not None:
            await self._gate.may_stand_in(plan.stand_in)
        id_ = absence_id(delivery)
        for _ in range(TRIES):
            account, now = await self._account(), self._desk.circumstances().now
            known = next((each for each in account.away if each.id == id_), None)
            if known is not None and known.who != by:
                raise Conflict("another absence has this one's id", hint="try again")
            if known is not None:
                return known, _away_too(account.away, known)
            absence = Absence(
                id=id_,
                who=by,
                stand_in=plan.stand_in,
                since=now if plan.since is None else max(plan.since, now),
                until=plan.until,
            )
            changed = with_absences(account, declared(account.away, absence, at=now))
            try:
                await self._keep("declare", id_, changed, [_fact(e.AbsenceDeclared, absence, now)])
            except Conflict:
                continue
            return absence, _away_too(changed.away, absence)
        raise Conflict("too many people say that they are away", hint="try again")

    async def withdraw(
        self, *, by: Actor, delivery: str, stand_in: Actor | None = None, only: str = ""
    ) -> Away:
        """Take back what `by` has declared and is not over; return what that was.

        Args:
            stand_in: Only what is lent to them.
            only: Only the absence with this id.

        Raises:
            NotAllowed: `by` may not use the bot.
            NotFound: There is nothing to take back.
            Unavailable: As for `declare`.
        """
        await self._gate.admit(by)
        for _ in range(TRIES):
            account, now = await self._account(), self._desk.circumstances().now
            gone = withdrawn(account.away, by, at=now, stand_in=stand_in)
            gone = tuple(each for each in gone if only in ("", each.id))
            if not gone:
                raise NotFound("there is nothing of yours to take back", hint="see /jit away")
            left = tuple(each for each in not_over(account.away, now) if each not in gone)
            facts = [_fact(e.AbsenceWithdrawn, each, now) for each in gone]
            try:
                await self._keep("withdraw", delivery, with_absences(account, left), facts)
            except Conflict:
                continue
            return gone
        raise Conflict("too many people say that they are away", hint="try again")

    async def _keep(
        self, deed: str, delivery: str, account: Account, facts: Sequence[e.Event]
    ) -> None:
        await self._desk.keep(CommitId(fingerprint(deed, delivery)), account, facts)

    async def _account(self) -> Account:
        _, [account] = await self._ledger.load_all((), (ACCOUNT_OF_ABSENCES,))
        return account

    async def of(self, who: Actor) -> Overview:
        """Return when `who` is away or stands in for others, the earliest first.

        Raises:
            NotAllowed: `who` may not use the bot.
        """
        await self._gate.admit(who)
        known = not_over((await self._account()).away, self._desk.circumstances().now)
        ordered = sorted(known, key=lambda each: (each.since, each.id))
        return Overview(
            mine=tuple(each for each in ordered if each.who.id == who.id),
            lent=tuple(each for each in ordered if each.stand_in == who),
        )

    async def now(self) -> Away:
        """Return who is away at this moment."""
        away = (await self._account()).away
        return at_hand(away, self._desk.circumstances().now) if away else NOBODY_AWAY

    async def voices(self, by: Actor, request: Request, policy: Policy) -> tuple[Voice, ...]:
        """Return for whom `by` can speak in the chain of `request`, looked up anew.

        Both must still be members, and whoever is away still in a group with a say. Who cannot be
        looked up lends nothing. What an emergency owes, its review, is lent to nobody.
        """
        machine = request.asked.machine
        if not request.asked.stages or by == request.requester:
            return ()
        lent = [each.who for each in await self.now() if each.stand_in == by]
        if not lent:
            return ()
        await self._gate.admit(by, fresh=True)
        named = {group.name for group in groups_in(request.asked.stages)}
        found = await asyncio.gather(*(self._groups(who, request, policy) for who in lent))
        owners = {machine.owner_group} if machine is not None else set[str]()
        return tuple(
            Voice(groups & named, on_behalf_of=who)
            for who, groups in zip(lent, found, strict=True)
            if groups & named and groups.isdisjoint(owners)
        )

    async def _groups(self, who: Actor, request: Request, policy: Policy) -> frozenset[str]:
        try:
            if not await self._gate.is_member(who):
                return frozenset()
            return await self._gate.groups_acting(who, request, policy, fresh=True)
        except Unavailable as problem:
            log.info("stand_in.unknown", who=str(who), code=problem.code)
            return frozenset()


def _away_too(known: Away, absence: Absence) -> Away:
    """Return when whoever stands in is away themselves meanwhile."""
    stand_in = absence.stand_in
    if stand_in is None:
        return NOBODY_AWAY
    return tuple(each for each in known if each.who.id == stand_in.id and each.overlaps(absence))


def _fact(kind: _Kind, absence: Absence, at: datetime) -> e.AbsenceDeclared | e.AbsenceWithdrawn:
    return kind(
        request=absence.id,
        at=at,
        by=absence.who,
        stand_in=absence.stand_in,
        since=absence.since,
        until=absence.until,
    )
