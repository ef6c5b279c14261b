"""Who may come in at all, and what is known of them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Final

import structlog

from bot.core.decision import Ask, Decision, NeedApproval, Reject
from bot.core.emergency import Unreachable
from bot.core.errors import Invalid, NotAllowed, Unavailable
from bot.core.identity import Actor, Kind
from bot.core.machine import Machine
from bot.core.places import why_incompletable
from bot.core.policy import Chain, Group, Policy, Stage, channels_in, groups_in
from bot.core.request import Request
from bot.core.scopes import Bundle
from bot.usecases.ports import Directory, Found, Standing

log = structlog.get_logger()

_TURNED_AWAY: Final[Mapping[Standing, str]] = {
    Standing.GUEST: "guests cannot use this app",
    Standing.BOT: "apps cannot use this app; give the service an OAuth client instead",
    Standing.DEACTIVATED: "this account is deactivated",
    Standing.FOREIGN: "this app serves its own workspace only, and you are from another one",
    Standing.UNKNOWN: "Slack does not know this account",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Completable:
    """What is decided once it is known who could complete the chain.

    Attributes:
        members: Slack user ids by group with a say; None for a group that cannot be read.
    """

    decision: Decision
    members: Mapping[str, frozenset[str] | None]


class Gate:
    """Looks people up; a look-up that fails refuses."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def admit(self, who: Actor, *, fresh: bool = False) -> None:
        """Return if `who` may use the bot.

        Raises:
            NotAllowed: They are a guest, a bot, deactivated, or from another workspace.
            Unavailable: Slack did not answer.
        """
        standing = await self._directory.standing(who, fresh=fresh)
        if standing is not Standing.MEMBER:
            raise NotAllowed(_TURNED_AWAY[standing])

    async def admit_requester(self, request: Request) -> None:
        """Return if the requester may be granted something at this moment.

        Raises:
            NotAllowed: They may not (any more).
            Unavailable: Slack did not answer.
        """
        if request.requester.kind is Kind.MACHINE:
            return  # a client proves who it is by itself
        standing = await self._directory.standing(request.requester, fresh=True)
        if standing is not Standing.MEMBER:
            why = _TURNED_AWAY[standing]
            raise NotAllowed(f"nothing can be granted to whoever asked for this: {why}")

    async def groups_asking(
        self, who: Actor, bundle: str, policy: Policy, *, fresh: bool = False
    ) -> frozenset[str]:
        """Return which of the groups that decide who may ask for `bundle` `who` is in."""
        return await self._directory.groups_of(
            who, policy.groups_read_for(bundle), about=who, fresh=fresh
        )

    async def groups_audited(
        self, who: Actor, bundle: str, policy: Policy
    ) -> tuple[frozenset[str], str]:
        """Return which of the groups that only audit mode reads `who` is in; or why nobody knows.

        What is never applied holds nothing up.
        """
        audited = policy.groups_audited_for(bundle)
        if not audited:
            return frozenset(), ""
        try:
            return await self._directory.groups_of(who, audited, about=who), ""
        except Unavailable as problem:
            log.info("audit_mode.unseen", bundle=bundle, code=problem.code)
            return frozenset(), str(problem)

    async def groups_acting(
        self, who: Actor, request: Request, policy: Policy, *, fresh: bool = False
    ) -> frozenset[str]:
        """Return which of the groups with a say in `request` `who` is in now.

        While people decide, a group is what it was on the way that the request is on: where today's
        policy says otherwise, a recheck puts the request on another way first. Afterwards today's
        policy says who is in it, and one that it no longer has is empty. A group that cannot be
        read gives nobody a say, and takes it from nobody who has it by another.

        Args:
            fresh: Ask now who is on call, as somebody is about to act on it.

        Raises:
            Unavailable: A group cannot be read, and `who` is in none of the others.
        """
        if who == request.requester:
            return frozenset()  # the requester has no say, whatever the groups
        about = request.requester
        told = await asyncio.gather(
            *(
                self._directory.groups_of(who, [each], about=about, fresh=fresh)
                for each in _with_a_say(request, policy)
            ),
            return_exceptions=True,
        )
        known = frozenset[str]().union(*(each for each in told if isinstance(each, frozenset)))
        wrong = next((each for each in told if isinstance(each, BaseException)), None)
        if wrong is not None and not (known and isinstance(wrong, Unavailable)):
            raise wrong
        return known

    async def owners(self, machine: Machine | None, policy: Policy) -> frozenset[str]:
        """Return the Slack user ids of everybody who answers for `machine`.

        Raises:
            NotAllowed: Its owner is a group that is no more, so nobody knows who that is.
            Unavailable: That group could not be read.
        """
        if machine is None:
            return frozenset()
        if machine.owner_user:
            return frozenset({machine.owner_user})
        group = policy.groups.get(machine.owner_group)
        if group is None:
            raise NotAllowed(f"nobody knows who answers for the client {machine.client}")
        return await self._directory.members_of(group, about=machine.actor)

    async def completable(self, decision: NeedApproval, ask: Ask, policy: Policy) -> Completable:
        """Return `decision`, or a no where nobody could complete its chain for who asks.

        Raises:
            NotAllowed: A channel that the chain names cannot be used.
        """
        chain = decision.chain
        await self.channels_must_do(ask.bundle, chain.stages)
        members = await self._members(groups_in(chain.stages), about=ask.by)
        out = {ask.by.id} | await self.owners(ask.machine, policy)
        why = why_incompletable(chain, members, frozenset(out))
        if why is None:
            return Completable(decision=decision, members=members)
        reasons = (*decision.reasons, f"chain {chain.name} cannot be completed: {why}")
        no = Reject(
            rule=decision.rule, reasons=reasons, digest=decision.digest, shadows=decision.shadows
        )
        return Completable(decision=no, members=members)

    async def members(self, request: Request) -> Found:
        """Return who is in each group with a say in `request`; None where that cannot be read."""
        return await self._members(request.asked.voices, about=request.requester)

    async def why_incompletable(
        self, stages: tuple[Stage, ...], request: Request, policy: Policy
    ) -> str | None:
        """Return why nobody could complete a chain of `stages` for `request`; None if it can be."""
        asked = request.asked
        out = {asked.by.id} | await self.owners(asked.machine, policy)
        members = await self._members(groups_in(stages), about=asked.by)
        chain = Chain(name=asked.rule, stages=stages, expire_after=timedelta(0))
        return why_incompletable(chain, members, frozenset(out))

    async def who_can_act(self, request: Request, policy: Policy) -> tuple[str, ...]:
        """Return the ids of everybody whose yes `request` waits for; () where not all is known."""
        wanted = dict.fromkeys(name for place in request.open_places for name in place)
        groups = [each for each in _with_a_say(request, policy) if each.name in wanted]
        members = (await self._members(groups, about=request.requester)).values()
        out = {request.requester.id, *(vote.by.id for vote in request.votes)}
        if None in members:
            return ()
        out |= await self.owners(request.asked.machine, policy)
        return tuple(sorted({who for users in members for who in users or ()} - out))

    async def found(self, request: Request) -> Found:
        """Return who is in the groups that `request` waits for and that are from elsewhere."""
        groups = [each for each in groups_in(request.asked.stages) if each.name in request.voters]
        parts = {part.name: part for group in groups for part in group.parts()}
        elsewhere = [part for part in parts.values() if part.is_from_elsewhere]
        return await self._members(elsewhere, about=request.requester)

    async def found_in(self, groups: Sequence[Group], policy: Policy, *, about: Actor) -> Found:
        """Return who is in those parts of `groups` that are from elsewhere."""
        parts = {part.name for group in groups for part in group.parts() if part.is_from_elsewhere}
        today = [policy.groups[name] for name in sorted(parts) if name in policy.groups]
        return await self._members(today, about=about)

    async def _members(self, groups: Sequence[Group], *, about: Actor) -> Found:
        """Return who is in each of `groups`; None where that cannot be read."""
        if len(groups) == 1:  # most chains; a task for it would cost more than the look-up
            return {groups[0].name: await self._members_of(groups[0], about)}
        found = await asyncio.gather(*(self._members_of(group, about) for group in groups))
        return {group.name: users for group, users in zip(groups, found, strict=True)}

    async def _members_of(self, group: Group, about: Actor) -> frozenset[str] | None:
        try:
            return await self._directory.members_of(group, about=about)
        except Unavailable as problem:
            log.info("group.unknown", group=group.name, code=problem.code)
            return None

    async def channels_must_do(self, bundle: Bundle, stages: Sequence[Stage] = ()) -> None:
        """Return if cards can go to the bundle's channel, and notices to those of `stages`.

        Raises:
            NotAllowed: They cannot; the sentence says what an admin must do.
        """
        for channel in dict.fromkeys((bundle.channel, *channels_in(stages))):
            problem = await self._directory.channel_problem(channel)
            if problem:
                what = "card" if channel == bundle.channel else "notice"
                raise NotAllowed(f"the {what} of {bundle.name} cannot be posted: {problem}")

    async def unreachable(self, channels: Sequence[str]) -> tuple[Unreachable, ...]:
        """Return which of `channels` are known to be unusable; one that is unknown is not."""
        found = []
        for channel in dict.fromkeys(channels):
            try:
                found.append(Unreachable(channel, await self._directory.channel_problem(channel)))
            except Unavailable as problem:
                log.info("channel.unknown", channel=channel, code=problem.code)
        return tuple(each for each in found if each.why)


def _with_a_say(request: Request, policy: Policy) -> tuple[Group, ...]:
    known = {group.name: group for group in request.asked.voices}
    if request.waits_for is None:
        known = {name: policy.groups[name] for name in known if name in policy.groups}
    machine = request.asked.machine
    for name in (request.asked.owner, machine.owner_group if machine is not None else ""):
        if name in policy.groups:
            known.setdefault(name, policy.groups[name])
    return tuple(known[name] for name in sorted(known))


def bundle_named(policy: Policy, name: str) -> Bundle:
    """Return the bundle.

    Raises:
        Invalid: There is none; the sentence names the nearest, or all.
    """
    bundle = policy.bundles.get(name)
    if bundle is None:
        near = get_close_matches(name, policy.bundles, n=1)
        which = f"did you mean {near[0]}?" if near else f"there are {', '.join(policy.bundles)}"
        raise Invalid(f"no bundle is called {name!r}", field="bundle", hint=which)
    return bundle
