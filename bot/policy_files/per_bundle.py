"""What is tried for each bundle, in its order: what applies, and what is in audit mode."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, TypedDict, TypeVar

from bot.core.policy import Audited, Guardrail, Rule
from bot.core.scopes import Bundle

RuleOrRail = TypeVar("RuleOrRail", Rule, Guardrail)
# A rule and a guardrail may have the same name.
Id: TypeAlias = tuple[type[Rule | Guardrail], str]


class Tried(TypedDict):
    """See the attributes of `bot.core.policy.Policy`."""

    rules_of: Mapping[str, tuple[Rule, ...]]
    guardrails_of: Mapping[str, tuple[Guardrail, ...]]
    audited_of: Mapping[str, tuple[Audited, ...]]


def tried_for(
    bundles: Mapping[str, Bundle],
    rules: Iterable[Rule],
    guardrails: Iterable[Guardrail],
    *,
    modes: Mapping[Id, str],
) -> Tried:
    """Return by bundle what is tried for it, in the order of `rules` and `guardrails`.

    Args:
        modes: Of each, "enforce" or "audit".
    """
    audited = frozenset(id_ for id_, mode in modes.items() if mode == "audit")
    every_rule, every_rail = _by_bundle(rules, bundles), _by_bundle(guardrails, bundles)
    return Tried(
        rules_of=_without(every_rule, audited),
        guardrails_of=_without(every_rail, audited),
        audited_of={
            name: tuple(_audited((*every_rail[name], *every_rule[name]), audited))
            for name in (bundles if audited else ())
        },
    )


def _by_bundle(
    tried: Iterable[RuleOrRail], bundles: Mapping[str, Bundle]
) -> dict[str, tuple[RuleOrRail, ...]]:
    found: dict[str, list[RuleOrRail]] = {name: [] for name in bundles}
    for one in tried:
        # Most rules name their bundles; then the many others need not be looked at.
        for name in one.bundles.names or bundles:
            if one.bundles.covers(bundles[name]):
                found[name].append(one)
    return {name: tuple(ones) for name, ones in found.items()}


def _without(
    tried: Mapping[str, tuple[RuleOrRail, ...]], audited: frozenset[Id]
) -> Mapping[str, tuple[RuleOrRail, ...]]:
    if not audited:
        return tried
    return {
        name: tuple(one for one in ones if (type(one), one.id) not in audited)
        for name, ones in tried.items()
    }


def _audited(tried: Iterable[Rule | Guardrail], audited: frozenset[Id]) -> Iterator[Audited]:
    before = 0
    for one in tried:
        if (type(one), one.id) in audited:
            yield Audited(one, before)
        elif isinstance(one, Rule):
            before += 1
