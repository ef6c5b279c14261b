"""What differs between two policies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bot.core.policy import Audited, Guardrail, Policy, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Names of what is new, gone or other than before, sorted.

    Attributes:
        rules: Ids of rules and guardrails; a chain that changed is a change of its rules.
    """

    bundles: tuple[str, ...]
    rules: tuple[str, ...]
    groups: tuple[str, ...]


def differences(old: Policy, new: Policy) -> Differences:
    """Return what differs; where a rule stands in its file does not count."""
    return Differences(
        bundles=_other(old.bundles, new.bundles),
        rules=_other(dict(_rules(old)), dict(_rules(new))),
        groups=_other(old.groups, new.groups),
    )


def _rules(policy: Policy) -> Iterator[tuple[str, Rule | Guardrail | Audited]]:
    for tried in (policy.rules_of, policy.guardrails_of):
        for ones in tried.values():
            for one in ones:
                yield one.id, replace(one, where="")
    for audited in policy.audited_of.values():
        for each in audited:
            yield each.one.id, Audited(replace(each.one, where=""), after=0)


def _other(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[str, ...]:
    names = old.keys() | new.keys()
    return tuple(sorted(name for name in names if old.get(name) != new.get(name)))
