"""What rules and guardrails in audit mode would have done, each as if it alone applied as well."""

from collections.abc import Iterable, Iterator

from bot.core.known import Shadow
from bot.core.policy import Audited, Guardrail, Rule
from bot.core.weighing import Finding, Scene, weigh, why_barred


def shadows_of(
    audited: Iterable[Audited], scene: Scene, *, reached: int, approvals: int | None
) -> Iterator[Shadow]:
    """Yield what each of `audited` would have done; nothing of those that would have done nothing.

    Args:
        reached: How many of the rules that apply were passed over before the decision; rules in
            audit mode behind the one that decided would not have been reached either. -1 where
            no rule was tried.
        approvals: How many people must agree; None where the answer is no anyway.
    """
    for each in audited:
        would = would_have(each, scene, reached=reached, approvals=approvals)
        if would:
            is_guardrail = isinstance(each.one, Guardrail)
            yield Shadow(id=each.one.id, is_guardrail=is_guardrail, would=would)


def would_have(audited: Audited, scene: Scene, *, reached: int, approvals: int | None) -> str:
    """Return what one of them would have done; see `shadows_of`; "" for nothing."""
    one = audited.one
    if isinstance(one, Rule) and audited.after > reached:
        return ""
    finding = weigh(one, scene)
    if finding.why_not:
        return ""
    did = _of_rule(one, finding) if isinstance(one, Rule) else _of_rail(one, scene, approvals)
    note = f": {one.note}" if did and one.note else ""
    failed = f": {finding.failed}" if did and finding.failed else ""
    return f"{did}{note}{failed}"


def _of_rule(rule: Rule, finding: Finding) -> str:
    if finding.failed:
        return "denied it, as it cannot be decided"
    chain = f" (chain {rule.chain.name})" if rule.chain is not None else ""
    return f"said {rule.verdict.replace('_', ' ')}{chain}"


def _of_rail(rail: Guardrail, scene: Scene, approvals: int | None) -> str:
    barred = why_barred(rail, scene.duration)
    if barred:
        return "denied it" if rail.deny else f"denied it, as it {barred}"
    if approvals is not None and rail.min_approvals > approvals:
        return f"denied it, as it wants {rail.min_approvals} approvals, not {approvals}"
    return ""
