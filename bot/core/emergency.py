"""Break-glass: access at once in an emergency, reviewed afterwards.

What counts then is a policy of its own, made from the one in force: the bundle with what its
`break_glass` says in the place of its limits, one rule that grants to `who`, and the guardrails
that hold even then. The decision itself is made as always.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from bot.core.errors import NotAllowed
from bot.core.policy import Group, Guardrail, Policy, Rule, Selector, Verdict
from bot.core.scopes import Bundle, Glass, Limits

# No rule of a policy file can be called so: their names have small letters.
RULE: Final = "BREAK-GLASS"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A channel that cannot be told, "#name" or id, and why."""

    channel: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """What breaking the glass means for one request; kept with it.

    Attributes:
        skipped: The groups that would have been asked.
        notify: Channels that are told, "#name" or id.
        unreachable: Those, and the card's own, that were known to be unusable when it happened.
        review_by: The groups of which somebody else must sign it off.
        review_within: How soon.
        unreviewed: How many grants of one person may wait for that at once.
    """

    skipped: tuple[Group, ...]
    notify: tuple[str, ...]
    unreachable: tuple[Unreachable, ...]
    review_by: tuple[Group, ...]
    review_within: timedelta
    unreviewed: int

    @property
    def told(self) -> tuple[str, ...]:
        """The channels of `notify` that could be told, as far as was known."""
        deaf = {each.channel for each in self.unreachable}
        return tuple(channel for channel in self.notify if channel not in deaf)

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every group that has a say in it afterwards."""
        return (*self.skipped, *self.review_by)


def glass_of(bundle: Bundle) -> Glass:
    """Return what is broken to have `bundle` in an emergency.

    Raises:
        NotAllowed: There is nothing.
    """
    if bundle.glass is None:
        raise NotAllowed(
            f"{bundle.name} cannot be had by break-glass", hint=f"ask: /jit request {bundle.name}"
        )
    return bundle.glass


def in_emergency(policy: Policy, bundle: Bundle) -> Policy:
    """Return all of `policy` that counts for who breaks the glass of `bundle`.

    Of the bundle, scopes, ticket, resource and delivery do; the grant starts at once. Its limits
    across requests neither bar it nor count it: break-glass has a bar of its own, the review.

    Raises:
        NotAllowed: The bundle has no glass.
    """
    glass = glass_of(bundle)
    shorter = replace(
        bundle,
        max_duration=glass.max_duration,
        default_duration=min(bundle.default_duration, glass.max_duration),
        reason_min=max(bundle.reason_min, glass.reason_min),
        limits=Limits(),
        claim_within=None,
        start_within=None,
    )
    rule = Rule(
        id=RULE,
        bundles=Selector(names=frozenset({bundle.name})),
        verdict=Verdict.BREAK_GLASS,
        requesters=glass.who,
        where=f"break_glass of {bundle.name}",
    )
    rails = policy.guardrails_of[bundle.name]
    audited = [
        each
        for each in policy.audited_of.get(bundle.name, ())
        if isinstance(each.one, Guardrail) and each.one.even_break_glass
    ]
    return replace(
        policy,
        bundles={bundle.name: shorter},
        rules_of={bundle.name: (rule,)},
        guardrails_of={bundle.name: tuple(rail for rail in rails if rail.even_break_glass)},
        audited_of={bundle.name: tuple(audited)},
    )


def judged_by(policy: Policy, bundle: str, emergency: Emergency | None) -> Policy:
    """Return all of `policy` that counts for what was asked for `bundle`.

    Args:
        emergency: That of the ask; None where it is no break-glass.

    Raises:
        NotAllowed: It is break-glass, and the bundle has no glass.
    """
    if emergency is None or bundle not in policy.bundles:
        return policy
    return in_emergency(policy, policy.bundles[bundle])


def skipped_in(policy: Policy, bundle: str, groups: frozenset[str]) -> tuple[Group, ...]:
    """Return whom a request for `bundle` would have been put to.

    No condition is run for it: it is the chain of the first rule that is for one of `groups`, or
    else of the first one with a chain.
    """
    chained = [rule for rule in policy.rules_of[bundle] if rule.chain is not None]
    fitting = [rule for rule in chained if not groups.isdisjoint(rule.requesters)]
    for rule in (*fitting, *chained)[:1]:
        stages = rule.chain.stages if rule.chain is not None else ()
        asked = {group.name: group for stage in stages for group in stage.approvers}
        return tuple(asked.values())
    return ()
