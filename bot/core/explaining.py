"""What policy would say to an ask, and why: how every rule and guardrail of its bundle fares."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from bot.core.decision import (
    Ask,
    Decision,
    Facts,
    Reject,
    decide_ask,
    duration_of,
    scene_of,
    why_unchecked,
)
from bot.core.identity import Actor
from bot.core.policy import Group, Guardrail, Policy, Rule
from bot.core.scopes import Bundle
from bot.core.weighing import Finding, Scene, weigh


class Fate(StrEnum):
    """What became of a rule or guardrail."""

    DECIDES = "decides"
    APPLIES = "applies"
    IS_NOT_ABOUT_IT = "is not about it"
    FAILS = "cannot be decided"
    IS_NOT_REACHED = "is not reached"
    WOULD_HAVE = "is in audit mode"
    """It would have done something, see `Tried.why`, and did not."""
    WOULD_NOT = "is in audit mode and would do nothing"


@dataclass(frozen=True, slots=True)
class Valued:
    """A condition and what it came to: true, false, or in words why neither."""

    text: str
    value: bool | str

    @property
    def words(self) -> str:
        """What it came to."""
        return self.value if isinstance(self.value, str) else str(self.value).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How one rule or guardrail fares.

    Attributes:
        where: "file:line" of it.
        why: Why it is not about the ask, what failed, or what it would have done; "" if it is.
        conditions: All of its conditions, also those behind the first that does not hold.
    """

    id: str
    is_guardrail: bool
    where: str
    fate: Fate
    why: str
    conditions: tuple[Valued, ...]

    @property
    def matched(self) -> bool:
        """Whether it had a part in the decision."""
        return self.fate in (Fate.DECIDES, Fate.APPLIES, Fate.FAILS, Fate.WOULD_HAVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The decision with everything that led to it.

    Attributes:
        tried: Guardrails first, then the rules in their order, then what is in audit mode.
        unseen: As in `Facts`.
    """

    ask: Ask
    decision: Decision
    tried: tuple[Tried, ...]
    unseen: str = ""


def supposed(
    bundle: Bundle, *, by: Actor, duration: timedelta | None, reason: str = "", ticket: str = ""
) -> Ask:
    """Return the ask that somebody thinks of; reason and ticket may be missing yet.

    Raises:
        Invalid: The bundle cannot be had for so long.
    """
    return Ask(
        by=by,
        bundle=bundle,
        scopes=bundle.scopes,
        duration=duration_of(bundle, duration),
        reason=reason,
        ticket=ticket,
    )


def explained(ask: Ask, policy: Policy, facts: Facts) -> Explanation:
    """Return what `policy` says to `ask` and how it comes to that."""
    decision = decide_ask(ask, policy, facts)
    scene = scene_of(ask, policy, facts)
    name = ask.bundle.name
    tried = [_tried(rail, scene, Fate.APPLIES) for rail in policy.guardrails_of[name]]
    is_barred = isinstance(decision, Reject) and bool(decision.guardrail) and not decision.rule
    is_over = is_barred or bool(why_unchecked(ask, facts))
    for rule in policy.rules_of[name]:
        reached = Fate.IS_NOT_REACHED if is_over else Fate.DECIDES
        tried.append(_tried(rule, scene, reached))
        is_over = is_over or rule.id == decision.rule
    tried += _audited(decision, policy, scene, name) if not facts.unseen else ()
    return Explanation(ask=ask, decision=decision, tried=tuple(tried), unseen=facts.unseen)


def _audited(decision: Decision, policy: Policy, scene: Scene, bundle: str) -> Iterator[Tried]:
    would = {(each.id, each.is_guardrail): each.would for each in decision.shadows}
    for audited in policy.audited_of.get(bundle, ()):
        one = audited.one
        did = would.get((one.id, isinstance(one, Guardrail)), "")
        fate = Fate.WOULD_HAVE if did else Fate.WOULD_NOT
        tried = _tried(one, scene, fate)
        yield replace(tried, fate=fate, why=f"it would have {did}" if did else tried.why)


def _tried(one: Rule | Guardrail, scene: Scene, if_so: Fate) -> Tried:
    finding = weigh(one, scene)
    return Tried(
        id=one.id,
        is_guardrail=isinstance(one, Guardrail),
        where=one.where,
        fate=_fate(finding, if_so),
        why=finding.why_not or finding.failed,
        conditions=tuple(Valued(each.text, scene.value(each)) for each in one.when),
    )


def _fate(finding: Finding, if_so: Fate) -> Fate:
    if if_so is Fate.IS_NOT_REACHED:
        return if_so
    if finding.failed:
        return Fate.FAILS
    return Fate.IS_NOT_ABOUT_IT if finding.why_not else if_so


def presumed_groups(policy: Policy, user: str, named: Iterable[str]) -> frozenset[str]:
    """Return the groups that `user` is in, as far as files can say.

    Args:
        named: Groups that they are said to be in, as Slack is not asked.
    """
    given = frozenset(named)

    def is_in(group: Group) -> bool:
        return group.name in given or user in group.users or any(map(is_in, group.any_of))

    return frozenset(name for name, group in policy.groups.items() if is_in(group))
