"""Ask + policy + facts -> Allow, NeedApproval or Reject, each with its reasons.

The order: every guardrail first, then the first rule that holds; its answer must satisfy the
guardrails; where no rule holds the answer is no. Form, deed and card use the same value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import re2

from bot.core.durations import spell
from bot.core.errors import Invalid
from bot.core.events import Requested
from bot.core.identity import Actor
from bot.core.policy import Chain, Guardrail, Policy, Rule, Verdict, voters_of
from bot.core.scopes import Bundle, ScopeText, narrowed
from bot.core.texts import reason_of, ticket_of

# The times in a token are whole seconds (NumericDate, as `bot.core.grant` makes them).
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody wants; checked against the bundle's own limits by `checked`."""

    by: Actor
    bundle: Bundle
    scopes: tuple[ScopeText, ...]
    duration: timedelta
    reason: str
    ticket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision may know besides the ask.

    Attributes:
        groups: Names of the policy's groups that the requester is in now.
    """

    now: datetime
    groups: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Policy grants it at once."""

    rule: str
    reasons: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedApproval:
    """People decide."""

    rule: str
    reasons: tuple[str, ...]
    digest: str
    chain: Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Policy says no; `rule` is "" when no rule applied."""

    rule: str
    reasons: tuple[str, ...]
    digest: str


Decision: TypeAlias = Allow | NeedApproval | Reject


def checked(
    bundle: Bundle,
    *,
    by: Actor,
    scopes: Iterable[str] | None,
    duration: timedelta | None,
    reason: str,
    ticket: str,
) -> Ask:
    """Return the ask if it keeps to the bundle's own limits.

    Args:
        scopes: None asks for all of them.
        duration: None asks for the bundle's default.

    Raises:
        Invalid: A part is wrong; its `field` says which.
    """
    wanted = bundle.scope_names if scopes is None else tuple(scopes)
    return Ask(
        by=by,
        bundle=bundle,
        scopes=narrowed(bundle, wanted),
        duration=_duration(bundle, duration),
        reason=reason_of(reason, least=max(bundle.reason_min, 1)),
        ticket=_ticket(bundle, ticket),
    )


def _duration(bundle: Bundle, wanted: timedelta | None) -> timedelta:
    if wanted is None:
        return bundle.default_duration
    if wanted <= timedelta(0) or wanted % _SECOND:
        raise Invalid("the duration must be a number of whole seconds", field="duration")
    if wanted > bundle.max_duration:
        most = spell(bundle.max_duration)
        raise Invalid(f"{bundle.name} can be had for {most} at most", field="duration")
    return wanted


def _ticket(bundle: Bundle, text: str) -> str:
    ticket = ticket_of(text)
    rule = bundle.ticket
    if rule is None or re2.fullmatch(rule.pattern, ticket):
        return ticket
    wrong = f"{ticket!r} is not a ticket of {bundle.name}" if ticket else "a ticket is needed"
    raise Invalid(f"{wrong}; one looks like {rule.example}", field="ticket")


def asked_anew(asked: Requested, bundle: Bundle, *, duration: timedelta) -> Ask:
    """Return the ask of `asked` if it keeps to the limits that `bundle` has now.

    Raises:
        Invalid: It does not.
    """
    return checked(
        bundle,
        by=asked.by,
        scopes=[text.scope for text in asked.scopes],
        duration=duration,
        reason=asked.reason,
        ticket=asked.ticket,
    )


def why_no_more(asked: Requested, policy: Policy, facts: Facts) -> str | None:
    """Return why today's `policy` would not have this granted; None if it would.

    Args:
        facts: Of the requester.
    """
    bundle = policy.bundles.get(asked.bundle)
    if bundle is None:
        return f"there is no {asked.bundle} any more"
    if (bundle.resource, bundle.delivery) != (asked.resource, asked.delivery):
        return f"{asked.bundle} is not what it was"
    try:
        ask = asked_anew(asked, bundle, duration=asked.duration)
    except Invalid as problem:
        return str(problem)
    decision = decide_ask(ask, policy, facts)
    if isinstance(decision, Reject):
        return "; ".join(decision.reasons)
    if isinstance(decision, NeedApproval) and not _same_voters(decision.chain, asked):
        return "others must approve it now"
    return None


def _same_voters(chain: Chain, asked: Requested) -> bool:
    return voters_of(chain.stages) == voters_of(asked.stages)


def decide_ask(ask: Ask, policy: Policy, facts: Facts) -> Decision:
    """Return what `policy` says to `ask`; the same arguments always give the same answer."""
    bars = [rail for rail in policy.guardrails_of[ask.bundle.name] if _concerns(rail, facts)]
    barred = _barred(bars, ask)
    if barred:
        return Reject(rule="", reasons=barred, digest=policy.digest)
    missed: list[str] = []
    for rule in policy.rules_of[ask.bundle.name]:
        why_not = _why_not(rule, ask, facts)
        if why_not is None:
            return _outcome(rule, bars, policy)
        missed.append(f"{rule.id}: {why_not}")
    reasons = (f"no rule lets you have {ask.bundle.name}", *missed)
    return Reject(rule="", reasons=reasons, digest=policy.digest)


def _concerns(rail: Guardrail, facts: Facts) -> bool:
    return not rail.requesters or bool(facts.groups & set(rail.requesters))


def _barred(bars: Iterable[Guardrail], ask: Ask) -> tuple[str, ...]:
    """Return why guardrails forbid `ask` whatever the rules say; empty if they do not."""
    reasons: list[str] = []
    for rail in bars:
        if rail.deny:
            reasons.append(f"guardrail {rail.id} forbids it" + _noted(rail.note))
        elif rail.max_duration is not None and ask.duration > rail.max_duration:
            most = spell(rail.max_duration)
            reasons.append(f"guardrail {rail.id} allows {most} at most" + _noted(rail.note))
    return tuple(reasons)


def _noted(note: str) -> str:
    return f": {note}" if note else ""


def _why_not(rule: Rule, ask: Ask, facts: Facts) -> str | None:
    """Return why `rule` does not apply to `ask`, or None if it does."""
    if rule.requesters and not facts.groups & set(rule.requesters):
        return f"it is for {', '.join(rule.requesters)}, and you are in none of them"
    if rule.max_duration is not None and ask.duration > rule.max_duration:
        return f"it is for {spell(rule.max_duration)} at most"
    return None


def _outcome(rule: Rule, bars: Iterable[Guardrail], policy: Policy) -> Decision:
    said = (f"rule {rule.id} says {rule.verdict.replace('_', ' ')}" + _noted(rule.note),)
    if rule.verdict is Verdict.DENY:
        return Reject(rule=rule.id, reasons=said, digest=policy.digest)
    approvals = sum(stage.quorum for stage in rule.chain.stages) if rule.chain else 0
    lax = [rail for rail in bars if rail.min_approvals > approvals]
    if lax:
        short = tuple(
            f"guardrail {rail.id} wants {rail.min_approvals} approvals, "
            f"rule {rule.id} asks for {approvals}" + _noted(rail.note)
            for rail in lax
        )
        return Reject(rule=rule.id, reasons=short, digest=policy.digest)
    if rule.chain is None:
        return Allow(rule=rule.id, reasons=said, digest=policy.digest)
    return NeedApproval(rule=rule.id, reasons=said, digest=policy.digest, chain=rule.chain)
