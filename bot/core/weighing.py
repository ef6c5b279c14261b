"""Whether a rule or a guardrail is about an ask, and if not, why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from bot.core.conditions import Condition, activation_of
from bot.core.durations import spell
from bot.core.known import Failure, OptionalStage
from bot.core.policy import Chain, Guardrail, Rule, Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out.

    Attributes:
        why_not: Why it is not about the ask; "" if it is.
        failed: Which condition could not be evaluated, and why; "" for none. Then whether it is
            about the ask is not known, and the stricter answer counts.
    """

    why_not: str = ""
    failed: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is about the ask, so far as that could be found out."""
        return not self.why_not and not self.failed


_HOLDS: Final = Finding()


class Scene:
    """Everything that rules are weighed by.

    Args:
        groups: The policy's groups that the requester is in.
        values: Returns the values of the variables that conditions may read; called once, and
            only if a condition is reached.
        auto_left: Whether policy may approve one more of these requests by itself.
        ticket_known: Whether the ticket was checked, where that is needed; else people decide.
        client: The OAuth client that asks, "" where a person does.

    Attributes:
        failures: Whatever was weighed and could not be evaluated, in that order.
    """

    __slots__ = (
        "_activation",
        "_values",
        "auto_left",
        "client",
        "duration",
        "failures",
        "groups",
        "now",
        "ticket_known",
    )

    def __init__(
        self,
        *,
        now: datetime,
        groups: frozenset[str],
        duration: timedelta,
        auto_left: bool,
        values: Callable[[], Mapping[str, Any]],
        ticket_known: bool = True,
        client: str = "",
    ) -> None:
        self.now = now
        self.groups = groups
        self.duration = duration
        self.auto_left = auto_left
        self.ticket_known = ticket_known
        self.failures: list[Failure] = []
        self.client = client
        self._values = values
        self._activation: Any = None

    def value(self, condition: Condition) -> bool | str:
        """Return whether `condition` holds, or why that cannot be said."""
        if self._activation is None:
            self._activation = activation_of(self._values())
        return condition.value(self._activation)


def weigh(one: Rule | Guardrail, scene: Scene) -> Finding:
    """Return whether `one` is about what is asked."""
    why_not = _for_others(one, scene.client)
    if why_not:
        return Finding(why_not)
    if one.requesters and scene.groups.isdisjoint(one.requesters):
        return Finding(f"it is for {', '.join(one.requesters)}, and you are in none of them")
    if one.during is not None and not one.during.is_open(scene.now):
        return Finding(f"it is for {one.during.name} only")
    if isinstance(one, Rule):
        why_not = _beyond(one, scene)
        if why_not:
            return Finding(why_not)
    found = _all_hold(one.when, scene)
    if found.failed:
        kind = "rule" if isinstance(one, Rule) else "guardrail"
        scene.failures.append(Failure(one=f"{kind} {one.id}", where=one.where, why=found.failed))
    return found


def _all_hold(conditions: Iterable[Condition], scene: Scene) -> Finding:
    for condition in conditions:
        value = scene.value(condition)
        if value is not True:
            return _not_true(condition, value)
    return _HOLDS


def _for_others(one: Rule | Guardrail, client: str) -> str:
    """Return why `one` is not about what `client` asks, or a person where that is "".

    A rule that names no clients is about people: no machine gets anything by it.
    """
    if one.clients and client not in one.clients:
        named = ", ".join(one.clients)
        return f"it is for {'clients' if len(one.clients) > 1 else 'the client'} {named} alone"
    if client and not one.clients and isinstance(one, Rule):
        return "it is for people, and a client asks"
    return ""


def asked_stages(chain: Chain, scene: Scene) -> tuple[Chain, tuple[OptionalStage, ...]]:
    """Return `chain` with the stages that are asked, none optional; and what came of those.

    A condition that cannot be evaluated skips nothing. There may be no stage left.
    """
    if not chain.conditions:
        return chain, ()
    stages, optional = [], []
    for place, stage in enumerate(chain.stages):
        finding = _all_hold(chain.conditions.get(place, ()), scene)
        if finding.failed:
            one = f"stage {stage.name} of chain {chain.name}"
            scene.failures.append(Failure(one=one, where="", why=finding.failed))
        if not finding.why_not:
            stages.append(stage)
        if place in chain.conditions:
            why = finding.why_not or finding.failed
            kept = OptionalStage(name=stage.name, is_asked=not finding.why_not, why=why)
            optional.append(kept)
    return replace(chain, stages=tuple(stages), conditions={}), tuple(optional)


def why_barred(rail: Guardrail, duration: timedelta) -> str:
    """Return why `rail`, which applies, forbids so long an ask whatever the rules say; or ""."""
    if rail.deny:
        return "forbids it"
    if rail.max_duration is not None and duration > rail.max_duration:
        return f"allows {spell(rail.max_duration)} at most"
    return ""


def _beyond(rule: Rule, scene: Scene) -> str:
    if rule.max_duration is not None and scene.duration > rule.max_duration:
        return f"it is for {spell(rule.max_duration)} at most"
    if rule.verdict is Verdict.AUTO_APPROVE and not scene.auto_left:
        return "it has approved as many of your requests in 24 hours as it may"
    if rule.verdict is Verdict.AUTO_APPROVE and not scene.ticket_known:
        return "it asks nobody, and the ticket cannot be checked now"
    return ""


def _not_true(condition: Condition, value: bool | str) -> Finding:  # noqa: FBT001 - CEL's answer
    if value is False:
        return Finding(f"`{condition.text}` is not so")
    return Finding(failed=f"`{condition.text}`: {value}")
