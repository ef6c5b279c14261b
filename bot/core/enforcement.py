"""What a call needs, and whether the scopes of a token cover it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.core.client import Resource
from bot.core.scopes import Bundle

# The APIs (their URIs) that have a scope, by scope.
Homes: TypeAlias = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What an enforcement point asks of a call's token.

    Attributes:
        scopes: At least one; none twice.
        any_of: One of them will do; else all of them are needed.
        resource: The audience that the token must have; "" where the point does not say.
    """

    scopes: tuple[str, ...]
    any_of: bool = False
    resource: str = ""

    def used_of(self, granted: Collection[str]) -> tuple[str, ...]:
        """Return which of the needed scopes a token with the scopes `granted` has."""
        return tuple(scope for scope in self.scopes if scope in granted)

    def is_covered_by(self, granted: Collection[str]) -> bool:
        """Return whether a token with the scopes `granted` will do."""
        used = self.used_of(granted)
        return bool(used) if self.any_of else len(used) == len(self.scopes)

    def audiences(self, homes: Homes) -> frozenset[str]:
        """Return the APIs that the call may be to: where nobody says, those with the scopes."""
        if self.resource:
            return frozenset({self.resource})
        each = [homes.get(scope, frozenset()) for scope in self.scopes]
        return frozenset.union(*each) if self.any_of else frozenset.intersection(*each)


def homes_of(resources: Iterable[Resource], bundles: Iterable[Bundle]) -> Homes:
    """Return which API has which scopes, by what is declared of it and by what is asked for."""
    found: dict[str, set[str]] = {}
    for resource in resources:
        for scope in resource.scopes:
            found.setdefault(scope, set()).add(resource.uri)
    for bundle in bundles:
        for scope in bundle.scope_names:
            found.setdefault(scope, set()).add(bundle.resource)
    return {scope: frozenset(uris) for scope, uris in found.items()}
