"""Bundles that give more than they should: checks without a solver, few and sharp."""

from collections.abc import Iterator

from bot.core.policy import Policy
from bot.core.scopes import Bundle, Risk
from bot.policy_files import Places
from bot.policy_lint.evidence import Usage
from bot.policy_lint.findings import Check, Finding, Level
from bot.policy_lint.proofs import PRODUCTION


def overbroad(policy: Policy, resources: frozenset[str], places: Places) -> Iterator[Finding]:
    """Yield a finding for every bundle that gives more than its labels say.

    Args:
        resources: The URIs that are declared.
    """
    for bundle in policy.bundles.values():
        for part, what in _mislabelled(bundle):
            yield _broad(bundle, what, places, part)
        for other in policy.bundles.values():
            if _undercuts(bundle, other):
                what = (
                    f"it gives all that {other.name} gives, which is of {other.risk} risk,"
                    f" and is said to be of {bundle.risk} risk"
                )
                yield _broad(bundle, what, places, "scopes")
        if resources and bundle.resource not in resources:
            what = "no resource declares its scopes, so a misspelt one is not found"
            yield _broad(bundle, what, places, "scopes", level=Level.INFO)


def _broad(
    bundle: Bundle, what: str, places: Places, part: str, *, level: Level = Level.WARNING
) -> Finding:
    return Finding(
        level=level,
        check=Check.OVERBROAD,
        place=places.of("bundles", bundle.name, part),
        sentence=f"{bundle.name}: {what}",
    )


def _mislabelled(bundle: Bundle) -> Iterator[tuple[str, str]]:
    if bundle.access == "admin" and bundle.risk < Risk.HIGH:
        yield "risk", f"admin access is said to be of {bundle.risk} risk only"
    elif bundle.access == "write" and bundle.environment == PRODUCTION and bundle.risk is Risk.LOW:
        yield "risk", "writing in production is said to be of low risk"


def _undercuts(bundle: Bundle, other: Bundle) -> bool:
    """Return whether `bundle` gives all of `other` and counts as less."""
    return (
        bundle.resource == other.resource
        and other.risk >= Risk.HIGH
        and bundle.risk < other.risk
        and set(other.scope_names) <= set(bundle.scope_names)
    )


def unused(policy: Policy, usage: Usage | None, places: Places) -> Iterator[Finding]:
    """Yield a finding for every scope that was granted and never used.

    Args:
        usage: None where nobody said.
    """
    if usage is None:
        first = next(iter(policy.bundles))
        what = "no data on which scopes are used (--usage FILE, from `jit report usage --json`)"
        place = places.of("bundles", first)
        yield Finding(level=Level.INFO, check=Check.UNUSED, place=place, sentence=what)
        return
    for name, bundle in policy.bundles.items():
        found = usage.get(name, {})
        unknown = [each for each in bundle.scope_names if each not in found or not found[each].data]
        if unknown:
            what = f"{name}: no data on the use of {', '.join(unknown)}"
            yield _used(name, what, places, level=Level.INFO)
        for scope in bundle.scope_names:
            use = found.get(scope)
            if use is not None and use.data and use.grants and not use.used:
                what = f"{name}: scope {scope} was in {use.grants} grants and never used"
                yield _used(name, what, places, level=Level.WARNING)


def _used(name: str, what: str, places: Places, *, level: Level) -> Finding:
    place = places.of("bundles", name, "scopes")
    return Finding(level=level, check=Check.UNUSED, place=place, sentence=what)
