"""Ask + policy + facts -> Allow, NeedApproval or Reject, each with its reasons.

The order: every guardrail first, then the first rule that holds; its answer must satisfy the
guardrails; where no rule holds the answer is no. A condition that fails counts against the
requester: in a guardrail it holds, in a rule it ends the search, so that nothing falls through to
a laxer rule. Form, deed and card use the same value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import re2

from bot.core.conditions import WINDOWS_VARIABLE
from bot.core.durations import spell
from bot.core.errors import Invalid
from bot.core.events import Requested
from bot.core.identity import Actor
from bot.core.known import Failure, OptionalStage, Shadow
from bot.core.machine import Machine
from bot.core.policy import Chain, Guardrail, Policy, Rule, Verdict
from bot.core.scopes import Bundle, ScopeText, narrowed
from bot.core.shadows import shadows_of
from bot.core.texts import reason_of, ticket_of
from bot.core.tickets import SeenTicket
from bot.core.weighing import Scene, asked_stages, weigh, why_barred

# The times in a token are whole seconds (NumericDate, as `bot.core.grant` makes them).
_SECOND: Final = timedelta(seconds=1)
# What is said of a rule of which a condition fails.
FAILED: Final = "cannot be decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody wants; checked against the bundle's own limits by `checked`.

    Attributes:
        by: Whom the token is for.
        machine: The client that asks; None where `by` does.
        patience: How long whoever asks waits for people; None for as long as the chain does.
        claim_within: How long after the approval whoever asks may start the grant; None for what
            the bundle says.
    """

    by: Actor
    bundle: Bundle
    scopes: tuple[ScopeText, ...]
    duration: timedelta
    reason: str
    ticket: str = ""
    machine: Machine | None = None
    patience: timedelta | None = None
    claim_within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision may know besides the ask; None where it was not looked up.

    Attributes:
        groups: Names of the policy's groups that the requester is in now.
        active_grants: Grants of the requester that work now, of all bundles.
        requests_today: Requests of the requester in the last 24 hours, of all bundles, without
            the one that is decided on.
        auto_today: How many of this bundle policy has approved for them by itself in that time.
        ticket: What the tracker said of the ask's ticket, which will do, or is unknown.
        unseen: Why groups that only audit mode reads could not be read; "" if they were. Then what
            is in audit mode is not weighed.
    """

    now: datetime
    groups: frozenset[str]
    active_grants: int | None = None
    requests_today: int | None = None
    auto_today: int | None = None
    ticket: SeenTicket | None = None
    unseen: str = ""

    @property
    def unknown_ticket(self) -> str:
        """Why the ticket could not be checked, "" if it was or need not be."""
        return self.ticket.unknown if self.ticket is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Policy grants it at once.

    Attributes:
        shadows: What rules and guardrails in audit mode would have done.
        failures: Conditions that could not be evaluated; each counted as the stricter answer.
    """

    rule: str
    reasons: tuple[str, ...]
    digest: str
    shadows: tuple[Shadow, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedApproval:
    """People decide.

    Attributes:
        chain: Without the stages that are skipped.
        optional: What came of those that could be.
        shadows, failures: As for `Allow`.
    """

    rule: str
    reasons: tuple[str, ...]
    digest: str
    chain: Chain
    optional: tuple[OptionalStage, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def approvals(self) -> int:
        """How many people must agree."""
        return sum(stage.quorum for stage in self.chain.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Policy says no.

    Attributes:
        rule: The rule that decided, "" when none did.
        guardrail: The guardrail that forbids it, "" when none does.
        shadows, failures: As for `Allow`.
    """

    rule: str
    reasons: tuple[str, ...]
    digest: str
    guardrail: str = ""
    shadows: tuple[Shadow, ...] = ()
    failures: tuple[Failure, ...] = ()


Decision: TypeAlias = Allow | NeedApproval | Reject


def checked(
    bundle: Bundle,
    *,
    by: Actor,
    scopes: Iterable[str] | None,
    duration: timedelta | None,
    reason: str,
    ticket: str,
    machine: Machine | None = None,
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
        duration=duration_of(bundle, duration),
        reason=reason_of(reason, least=max(bundle.reason_min, 1)),
        ticket=ticket_for(bundle, ticket),
        machine=machine,
    )


def duration_of(bundle: Bundle, wanted: timedelta | None) -> timedelta:
    """Return for how long `bundle` is asked; None asks for its default.

    Raises:
        Invalid: It cannot be had for so long.
    """
    if wanted is None:
        return bundle.default_duration
    if wanted <= timedelta(0) or wanted % _SECOND:
        raise Invalid("the duration must be a number of whole seconds", field="duration")
    if wanted > bundle.max_duration:
        most = spell(bundle.max_duration)
        raise Invalid(f"{bundle.name} can be had for {most} at most", field="duration")
    return wanted


def ticket_for(bundle: Bundle, text: str) -> str:
    """Return the ticket that somebody named in `text`.

    Raises:
        Invalid: It does not look like one of `bundle`.
    """
    ticket = ticket_of(text)
    rule = bundle.ticket
    is_asked_for = rule is not None and rule.tracker is not None
    if rule is None or (re2.fullmatch(rule.pattern, ticket) and (ticket or not is_asked_for)):
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
        machine=asked.machine,
    )


def decided_again(asked: Requested, policy: Policy, facts: Facts) -> Decision:
    """Return what today's `policy` says to `asked`; also no where its bundle is not what it was.

    Args:
        facts: Of the requester.
    """
    bundle = policy.bundles.get(asked.bundle)
    if bundle is None:
        return _no(policy, f"there is no {asked.bundle} any more")
    if (bundle.resource, bundle.delivery) != (asked.resource, asked.delivery):
        return _no(policy, f"{asked.bundle} is not what it was")
    try:
        ask = asked_anew(asked, bundle, duration=asked.duration)
    except Invalid as problem:
        return _no(policy, str(problem))
    return decide_ask(ask, policy, facts)


def _no(policy: Policy, why: str) -> Reject:
    return Reject(rule="", reasons=(why,), digest=policy.digest)


def decide_ask(ask: Ask, policy: Policy, facts: Facts) -> Decision:
    """Return what `policy` says to `ask`; the same arguments always give the same answer."""
    unchecked = why_unchecked(ask, facts)
    if unchecked:
        return Reject(rule="", reasons=(unchecked,), digest=policy.digest)
    scene = scene_of(ask, policy, facts)
    decision = _decided(ask, policy, scene)
    if scene.failures:  # here, as what is in audit mode does not count
        decision = replace(decision, failures=tuple(scene.failures))
    audited = policy.audited_of.get(ask.bundle.name, ())
    if not audited or facts.unseen:
        return decision
    reached, approvals = reach_of(decision, policy, ask.bundle.name), _approvals(decision)
    shadows = shadows_of(audited, scene, reached=reached, approvals=approvals)
    return replace(decision, shadows=tuple(shadows))


def reach_of(decision: Decision, policy: Policy, bundle: str) -> int:
    """Return how many rules of `bundle` were passed over before `decision`; -1 if none was tried.

    It was none where guardrails alone decided.
    """
    rules = [rule.id for rule in policy.rules_of[bundle]]
    if decision.rule:
        return rules.index(decision.rule)
    is_barred = isinstance(decision, Reject) and bool(decision.guardrail)
    return -1 if is_barred else len(rules)


def _approvals(decision: Decision) -> int | None:
    if isinstance(decision, NeedApproval):
        return decision.approvals
    return 0 if isinstance(decision, Allow) else None


def _decided(ask: Ask, policy: Policy, scene: Scene) -> Decision:
    weighed = [(rail, weigh(rail, scene)) for rail in policy.guardrails_of[ask.bundle.name]]
    bars = [_Bar(rail, finding.failed) for rail, finding in weighed if not finding.why_not]
    barred = [(bar, why) for bar in bars if (why := why_barred(bar.rail, ask.duration))]
    if barred:
        reasons = tuple(f"guardrail {bar.rail.id} {why}{bar.noted}" for bar, why in barred)
        first = barred[0][0].rail.id
        return Reject(rule="", reasons=reasons, digest=policy.digest, guardrail=first)
    missed: list[str] = []
    for rule in policy.rules_of[ask.bundle.name]:
        finding = weigh(rule, scene)
        if finding.failed:
            failed = (f"rule {rule.id} {FAILED}: {finding.failed}",)
            return Reject(rule=rule.id, reasons=failed, digest=policy.digest)
        if finding.holds:
            return _outcome(rule, bars, policy, scene)
        missed.append(f"{rule.id}: {finding.why_not}")
    reasons = (f"no rule lets you have {ask.bundle.name}", *missed)
    return Reject(rule="", reasons=reasons, digest=policy.digest)


def why_unchecked(ask: Ask, facts: Facts) -> str:
    """Return why nobody can have this while its ticket is unknown; "" if people may decide."""
    rule = ask.bundle.ticket
    if not facts.unknown_ticket or (rule is not None and rule.people_if_down):
        return ""
    return f"the ticket cannot be checked: {facts.unknown_ticket}"


def scene_of(ask: Ask, policy: Policy, facts: Facts) -> Scene:
    """Return what the rules about `ask` are weighed by."""
    cap = ask.bundle.limits.auto_per_day
    return Scene(
        now=facts.now,
        groups=facts.groups,
        duration=ask.duration,
        ticket_known=not facts.unknown_ticket,
        auto_left=cap is None or (facts.auto_today is not None and facts.auto_today < cap),
        values=lambda: _values(ask, policy, facts),
        client=ask.machine.client if ask.machine is not None else "",
    )


def _values(ask: Ask, policy: Policy, facts: Facts) -> Mapping[str, Any]:
    """Return what conditions may read; a fact that was not looked up is not there."""
    bundle = ask.bundle
    values: dict[str, Any] = {
        "user.id": ask.by.id,
        "user.groups": sorted(facts.groups),
        "request.duration": ask.duration,
        "request.reason": ask.reason,
        "request.ticket": ask.ticket,
        "bundle.name": bundle.name,
        "bundle.environment": bundle.environment,
        "bundle.access": bundle.access,
        "bundle.risk_level": int(bundle.risk),
        "bundle.labels": dict(bundle.labels),
        "bundle.scopes": list(bundle.scope_names),
        "now.time": facts.now,
    }
    if facts.active_grants is not None:
        values["user.active_grants"] = facts.active_grants
    if facts.requests_today is not None:
        values["user.requests_today"] = facts.requests_today
    if WINDOWS_VARIABLE in policy.facts_read_for(bundle.name):
        windows = policy.windows.values()
        values[WINDOWS_VARIABLE] = [each.name for each in windows if each.is_open(facts.now)]
    return values


@dataclass(frozen=True, slots=True)
class _Bar:
    """A guardrail that applies; also if it `failed`: then whether it does cannot be found out."""

    rail: Guardrail
    failed: str

    @property
    def noted(self) -> str:
        """What is said besides."""
        return _noted(self.rail.note) + _noted(self.failed)


def _noted(note: str) -> str:
    return f": {note}" if note else ""


def _outcome(rule: Rule, bars: Iterable[_Bar], policy: Policy, scene: Scene) -> Decision:
    said = (f"rule {rule.id} says {rule.verdict.replace('_', ' ')}" + _noted(rule.note),)
    if rule.verdict is Verdict.DENY:
        return Reject(rule=rule.id, reasons=said, digest=policy.digest)
    chain, optional = asked_stages(rule.chain, scene) if rule.chain is not None else (None, ())
    if chain is not None and not chain.stages:
        # Nobody would be asked, and only a rule that says so grants without people.
        empty = (
            f"every stage of chain {chain.name} is skipped, "
            f"and rule {rule.id} does not approve by itself"
        )
        each = (f"stage {stage.name} is skipped: {stage.why}" for stage in optional)
        return Reject(rule=rule.id, reasons=(empty, *each), digest=policy.digest)
    approvals = sum(stage.quorum for stage in chain.stages) if chain is not None else 0
    lax = [bar for bar in bars if bar.rail.min_approvals > approvals]
    if lax:
        short = tuple(
            f"guardrail {bar.rail.id} wants {bar.rail.min_approvals} approvals, "
            f"rule {rule.id} asks for {approvals}" + bar.noted
            for bar in lax
        )
        return Reject(rule=rule.id, reasons=short, digest=policy.digest, guardrail=lax[0].rail.id)
    if chain is None:
        return Allow(rule=rule.id, reasons=said, digest=policy.digest)
    return NeedApproval(
        rule=rule.id, reasons=said, digest=policy.digest, chain=chain, optional=optional
    )
