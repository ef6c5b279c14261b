"""What a bundle's grants were used for together, and what it could do without."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.core.usage import Usage

# Grants that a report looks at, and that a proposal needs.
LAST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeReport:
    """A scope over the last grants that had it, and of which it is known whether it was used.

    Attributes:
        grants: How many.
        used: In how many of them it was used.
        last: When last; None if never.
    """

    scope: str
    grants: int = 0
    used: int = 0
    last: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReport:
    """A bundle over its last grants.

    Attributes:
        last: How many grants with data were wanted, of each scope.
        grants: How many grants were looked at for that.
        unwatched: Of how many of them nothing is known.
    """

    bundle: str
    last: int
    scopes: tuple[ScopeReport, ...]
    grants: int
    unwatched: int

    @property
    def unused(self) -> tuple[str, ...]:
        """The scopes that could be taken out: none of as many grants as are wanted used them."""
        return tuple(
            each.scope for each in self.scopes if not each.used and each.grants >= self.last
        )


def report_of(
    bundle: str, usages: Iterable[Usage], *, scopes: Sequence[str] = (), last: int = LAST
) -> BundleReport:
    """Return the report of `bundle`.

    A grant counts for a scope that it had if that was used, or if it is known that it was not.

    Args:
        usages: Of its grants that are over, the newest first.
        scopes: Those of the bundle today, which come first; grants of the past may have had others.
        last: How many grants with data are looked at, of each scope.
    """
    found: defaultdict[str, list[tuple[bool, datetime | None]]] = defaultdict(list)
    looked, unwatched = 0, 0
    for usage in usages:
        wanted = [each for each in usage.scopes if len(found[each.scope]) < last]
        if not wanted:
            continue
        looked += 1
        unwatched += not usage.is_known and not usage.used
        for each in wanted:
            if each.count or usage.is_known:
                found[each.scope].append((bool(each.count), each.last))
    return BundleReport(
        bundle=bundle,
        last=last,
        scopes=tuple(_scope(scope, found[scope]) for scope in dict.fromkeys((*scopes, *found))),
        grants=looked,
        unwatched=unwatched,
    )


def _scope(scope: str, grants: Sequence[tuple[bool, datetime | None]]) -> ScopeReport:
    return ScopeReport(
        scope=scope,
        grants=len(grants),
        used=sum(used for used, _ in grants),
        last=max((at for _, at in grants if at is not None), default=None),
    )
