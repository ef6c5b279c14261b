"""Break-glass: somebody takes access at once, and somebody else must review it afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.core import events as e
from bot.core.account import account_of_person, not_barred
from bot.core.decision import Allow, checked, decide_ask
from bot.core.emergency import Emergency, glass_of, in_emergency, skipped_in
from bot.core.errors import Conflict, Invalid, NotAllowed, Unavailable
from bot.core.identity import Actor, request_id
from bot.core.lifecycle import opened
from bot.core.opening import known_of, requested
from bot.core.policy import Policy
from bot.core.scopes import Bundle, Limits
from bot.usecases.commits import Step
from bot.usecases.counts import Opening
from bot.usecases.desk import Desk
from bot.usecases.facts import FactFinder
from bot.usecases.gate import Gate, bundle_named
from bot.usecases.ports import Ledger
from bot.usecases.wishes import Outcome, Wish

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What would happen if somebody broke the glass now.

    Attributes:
        bundle: With the limits that it has in an emergency.
        emergency: As it would be kept.
    """

    bundle: Bundle
    emergency: Emergency


def not_for_later(bundle: str, start: datetime | str | None) -> None:
    """Return if break-glass of `bundle` is for now, as every one is.

    Args:
        start: When it is to start, if anybody said so.

    Raises:
        Invalid: Somebody did.
    """
    if start:
        hint = f"ask with /jit request {bundle}"
        raise Invalid("break-glass is never for later", field="start", hint=hint)


class Emergencies:
    """The use cases of who breaks the glass.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        *,
        ledger: Ledger,
        facts: FactFinder,
        policy: Callable[[], Policy],
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._ledger = ledger
        self._policy = policy
        self._facts = facts

    async def prospect(self, name: str, *, by: Actor) -> Prospect:
        """Return what would happen if `by` broke the glass of the bundle `name`.

        Raises:
            Invalid: There is no such bundle.
            NotAllowed: It has no glass, `by` is not one of those who may break it, or must wait
                for a review first.
            Unavailable: Slack or the store did not answer.
        """
        await self._gate.admit(by)
        policy = self._policy()
        bundle = bundle_named(policy, name)
        glass, strict = glass_of(bundle), in_emergency(policy, bundle)
        groups = await self._gate.groups_asking(by, name, strict, fresh=True)
        if groups.isdisjoint(glass.who):
            raise NotAllowed(
                f"the glass of {name} can be broken by {' or '.join(glass.who)} only,"
                " and you are in none of them",
                hint=f"ask: /jit request {name}",
            )
        _, [account] = await self._ledger.load_all((), (account_of_person(by),))
        not_barred(account, at=self._desk.circumstances().now, cap=glass.unreviewed)
        return Prospect(
            bundle=strict.bundles[name],
            emergency=await self._emergency(bundle, policy, by=by),
        )

    async def open(self, wish: Wish, *, by: Actor, delivery: str) -> Outcome:
        """Grant what `wish` asks for at once, or record that even so it is denied.

        The same delivery opens it only once; of two at once of one person no more are granted
        than may wait for their review.

        Raises:
            Invalid: A part of the wish is wrong.
            NotAllowed: There is no such glass, or `by` must wait for a review first.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        await self._gate.admit(by, fresh=True)
        not_for_later(wish.bundle, wish.start)
        policy = self._policy()
        bundle = bundle_named(policy, wish.bundle)
        strict = in_emergency(policy, bundle)
        ask = checked(
            strict.bundles[bundle.name],
            by=by,
            scopes=wish.scopes,
            duration=wish.duration,
            reason=wish.reason,
            ticket=wish.ticket,
        )
        case, id_ = self._desk.circumstances(), request_id(delivery)
        facts = await self._facts.about(by, bundle.name, strict, now=case.now, fresh=True)
        decision = decide_ask(ask, strict, facts)
        self._desk.note_failures(decision, bundle=bundle.name)
        audited = () if facts.unseen else strict.groups_audited_for(bundle.name)
        looked_up = [group.name for group in (*strict.groups_read_for(bundle.name), *audited)]
        known = known_of(facts, looked_up=looked_up)
        asked = replace(
            requested(
                id_,
                ask,
                decision,
                now=case.now,
                prolongs=None,
                known=known,
                slice_=policy.slice_of(bundle.name),
            ),
            emergency=await self._emergency(bundle, policy, by=by),
        )
        settled = e.GlassBroken if isinstance(decision, Allow) else e.Denied
        step = Step(None, opened(asked, settled=settled, case=case))
        outcome = await self._desk.open(Opening(step=step, limits=Limits()), case=case)
        if outcome.request.requester != by:
            raise Conflict("another request has this one's id", hint="try again")
        return outcome

    async def _emergency(self, bundle: Bundle, policy: Policy, *, by: Actor) -> Emergency:
        """Return what breaking the glass means; nothing that cannot be looked up holds it up."""
        glass = glass_of(bundle)
        return Emergency(
            skipped=skipped_in(policy, bundle.name, await self._groups(by, bundle.name, policy)),
            notify=glass.notify,
            unreachable=await self._gate.unreachable((bundle.channel, *glass.notify)),
            review_by=tuple(policy.groups[name] for name in glass.review_by),
            review_within=glass.review_within,
            unreviewed=glass.unreviewed,
        )

    async def _groups(self, who: Actor, bundle: str, policy: Policy) -> frozenset[str]:
        try:
            return await self._gate.groups_asking(who, bundle, policy)
        except Unavailable as problem:
            log.info("break_glass.groups_unknown", bundle=bundle, code=problem.code)
            return frozenset()
