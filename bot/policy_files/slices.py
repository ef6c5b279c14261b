"""The slice of a policy that decides about one bundle, as a digest: it changes with that only."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.core.conditions import WINDOWS_VARIABLE, Condition
from bot.core.policy import Audited, Group, Guardrail, Policy, Rule, groups_in
from bot.core.scopes import Bundle
from bot.policy_files.declared import Declared, Entry
from bot.policy_files.documents import Model


def slices_of(declared: Declared, policy: Policy) -> dict[str, str]:
    """Return for each bundle the SHA-256, in hex, of all that decides about it.

    That is the bundle, what is known of its API, its rules and guardrails in their order, in audit
    mode or not, and the chains, windows and groups that any of these name. Like the digest of the
    policy it is over canonical JSON, so comments and layout do not count.
    """
    digests = _Digests(declared)
    return {name: digests.slice_of(bundle, policy) for name, bundle in policy.bundles.items()}


class _Digests:
    """The digest of each entry, made once however many bundles have it in their slice."""

    def __init__(self, declared: Declared) -> None:
        self._bundles = _each(declared.bundles)
        self._resources = _each(declared.resources)
        self._rules = _each(declared.rules)
        self._rails = _each(declared.guardrails)
        self._chains = _each(declared.chains)
        self._windows = _each(declared.windows)
        self._groups = _each(declared.groups)

    def slice_of(self, bundle: Bundle, policy: Policy) -> str:
        audited = policy.audited_of.get(bundle.name, ())
        rules, rails = policy.rules_of[bundle.name], policy.guardrails_of[bundle.name]
        tried = (*rules, *rails, *(each.one for each in audited))
        return _sha256(
            {
                "bundle": self._bundles[bundle.name],
                "resource": [bundle.resource, self._resources.get(bundle.resource)],
                "rules": [self._rules[rule.id] for rule in rules],
                "guardrails": [self._rails[rail.id] for rail in rails],
                "audited": [[each.after, self._of_audited(each)] for each in audited],
                "chains": {name: self._chains[name] for name in _chains(tried)},
                "windows": {name: self._windows[name] for name in _windows(tried, policy)},
                "groups": {name: self._groups[name] for name in _groups(tried, bundle, policy)},
            }
        )

    def _of_audited(self, audited: Audited) -> str:
        kind = self._rules if isinstance(audited.one, Rule) else self._rails
        return kind[audited.one.id]


def _each(entries: Iterable[Entry[Model]]) -> Mapping[str, str]:
    return {entry.name: _sha256(entry.model.model_dump(mode="json")) for entry in entries}


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _chains(tried: Iterable[Rule | Guardrail]) -> frozenset[str]:
    chains = (one.chain for one in tried if isinstance(one, Rule))
    return frozenset(chain.name for chain in chains if chain is not None)


def _conditions(tried: Iterable[Rule | Guardrail]) -> Iterator[Condition]:
    for one in tried:
        yield from one.when
        if isinstance(one, Rule) and one.chain is not None:
            for stage in one.chain.conditions.values():
                yield from stage


def _windows(tried: Iterable[Rule | Guardrail], policy: Policy) -> frozenset[str]:
    """Return the windows that are named; all of them where a condition reads them unnamed."""
    tried = tuple(tried)
    if any(WINDOWS_VARIABLE in condition.reads for condition in _conditions(tried)):
        return frozenset(policy.windows)
    return frozenset(one.during.name for one in tried if one.during is not None)


def _groups(tried: Iterable[Rule | Guardrail], bundle: Bundle, policy: Policy) -> frozenset[str]:
    """Return the groups that are named, and those that they are put together from."""
    named = [*policy.groups_read_for(bundle.name), *policy.groups_audited_for(bundle.name)]
    for one in tried:
        if isinstance(one, Rule) and one.chain is not None:
            named += groups_in(one.chain.stages)
    names = [bundle.owner]
    if bundle.glass is not None:
        names += [*bundle.glass.who, *bundle.glass.review_by]
    named += [policy.groups[name] for name in names if name in policy.groups]
    return frozenset(name for group in named for name in _with_parts(group))


def _with_parts(group: Group) -> Iterator[str]:
    yield group.name
    for part in group.any_of:
        yield from _with_parts(part)
