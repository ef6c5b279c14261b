"""Accounts: what limits across requests are counted in.

A person's account counts asks, a bundle's account holds the requests whose grants are live. Both
are stored with a version in the same commit as what they count, so two simultaneous asks cannot
both pass a limit.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.core.errors import NotAllowed
from bot.core.identity import Actor, RequestId

DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AskMark:
    """One ask that counts."""

    bundle: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """What is counted under one name."""

    id: str
    asks: tuple[AskMark, ...] = ()
    live: frozenset[RequestId] = frozenset()
    version: int = 0


def account_of_person(who: Actor) -> str:
    """Return the id of a requester's account."""
    return str(who)


def account_of_bundle(bundle: str) -> str:
    """Return the id of a bundle's account."""
    return f"bundle:{bundle}"


def with_ask(account: Account, bundle: str, *, at: datetime, cap: int | None) -> Account:
    """Return the account with one more ask; marks older than a day are dropped.

    Raises:
        NotAllowed: `cap` asks for this bundle were made in the last 24 hours.
    """
    recent = tuple(mark for mark in account.asks if mark.at > at - DAY)
    same = [mark.at for mark in recent if mark.bundle == bundle]
    if cap is not None and len(same) >= cap:
        free = min(same) + DAY
        raise NotAllowed(
            f"you have asked for {bundle} {len(same)} times in 24 hours, and {cap} is the limit",
            hint=f"ask again after {free:%Y-%m-%d %H:%M} UTC",
        )
    mark = AskMark(bundle, at)
    return replace(account, asks=(*recent, mark), version=account.version + 1)


def with_grant(account: Account, bundle: str, request: RequestId, *, cap: int) -> Account:
    """Return the bundle's account with one more live grant.

    Raises:
        NotAllowed: `cap` grants are live already.
    """
    if len(account.live) >= cap:
        raise NotAllowed(
            f"{len(account.live)} grants of {bundle} are live, and {cap} is the limit",
            hint="try again when one has ended",
        )
    return replace(account, live=account.live | {request}, version=account.version + 1)


def without_grant(account: Account, request: RequestId) -> Account:
    """Return the bundle's account after that grant has ended."""
    return replace(account, live=account.live - {request}, version=account.version + 1)
