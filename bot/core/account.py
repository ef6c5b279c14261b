"""Accounts: what limits across requests are counted in.

A person's account counts asks and remembers denials; the account of a bundle, or of a bundle and a
person, holds the requests whose grants are live. All are stored with a version in the same commit
as what they count, so two simultaneous asks cannot both pass a limit.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.core.durations import spell
from bot.core.errors import Conflict, NotAllowed
from bot.core.identity import Actor, RequestId
from bot.core.scopes import Limits

DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AskMark:
    """One ask that counts.

    Attributes:
        auto: Whether policy approved it by itself.
    """

    bundle: str
    at: datetime
    auto: bool = False


@dataclass(frozen=True, slots=True)
class DenialMark:
    """When people last said no to somebody's ask for a bundle."""

    bundle: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GlassMark:
    """A break-glass grant that nobody has signed off.

    Attributes:
        until: When its review is overdue.
    """

    request: RequestId
    bundle: str
    until: datetime


@dataclass(frozen=True, slots=True)
class PendingMark:
    """A request of a client that nobody has decided on, or whose token it has not fetched.

    Attributes:
        about: The same for every ask for the same.
        handle: What the client fetches the token with.
        until: When it is over in any case.
    """

    about: str
    request: RequestId
    handle: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """What is counted under one name."""

    id: str
    asks: tuple[AskMark, ...] = ()
    live: frozenset[RequestId] = frozenset()
    denials: tuple[DenialMark, ...] = ()
    version: int = 0
    broken: tuple[GlassMark, ...] = ()
    pending: tuple[PendingMark, ...] = ()


def account_of_person(who: Actor) -> str:
    """Return the id of the account of a person, or of a client that asks."""
    return str(who)


def account_of_bundle(bundle: str) -> str:
    """Return the id of a bundle's account."""
    return f"bundle:{bundle}"


def account_of_holder(bundle: str, who: Actor) -> str:
    """Return the id of the account of one person's grants of a bundle."""
    return f"bundle:{bundle}:{who}"


def with_ask(
    account: Account, bundle: str, *, at: datetime, limits: Limits, auto: bool = False
) -> Account:
    """Return the account with one more ask; marks older than a day are dropped.

    Args:
        auto: Whether policy approves it by itself.

    Raises:
        NotAllowed: As many asks for this bundle as its `limits` allow were made in the last 24
            hours, or people said no to one too short a time ago.
    """
    _cooled_down(account, bundle, at, limits.cool_down)
    recent = tuple(mark for mark in account.asks if mark.at > at - DAY)
    same = [mark for mark in recent if mark.bundle == bundle]
    _below(len(same), limits.per_user_per_day, f"asked for {bundle}", same)
    automatic = [mark for mark in same if mark.auto]
    if auto:
        _below(len(automatic), limits.auto_per_day, f"got {bundle} without asking", automatic)
    mark = AskMark(bundle, at, auto)
    return replace(account, asks=(*recent, mark), version=account.version + 1)


def auto_approved(account: Account, bundle: str, *, at: datetime) -> int:
    """Return how often policy approved `bundle` by itself in the 24 hours before `at`."""
    return sum(mark.auto and mark.bundle == bundle and mark.at > at - DAY for mark in account.asks)


def _below(count: int, cap: int | None, done: str, marks: Sequence[AskMark]) -> None:
    if cap is None or count < cap:
        return
    free = min(mark.at for mark in marks) + DAY
    raise NotAllowed(
        f"you have {done} {count} times in 24 hours, and {cap} is the limit",
        hint=f"ask again after {free:%Y-%m-%d %H:%M} UTC",
    )


def _cooled_down(account: Account, bundle: str, at: datetime, cool_down: timedelta | None) -> None:
    for mark in account.denials:
        if cool_down is not None and mark.bundle == bundle and at < mark.at + cool_down:
            raise NotAllowed(
                f"your last request for {bundle} was denied less than {spell(cool_down)} ago",
                hint=f"ask again after {mark.at + cool_down:%Y-%m-%d %H:%M} UTC",
            )


def with_denial(account: Account, bundle: str, *, at: datetime) -> Account:
    """Return the person's account after people have said no; one denial a bundle is kept."""
    others = tuple(mark for mark in account.denials if mark.bundle != bundle)
    denials = (*others, DenialMark(bundle, at))
    return replace(account, denials=denials, version=account.version + 1)


def with_glass(account: Account, mark: GlassMark, *, at: datetime, cap: int) -> Account:
    """Return the person's account after they have broken the glass.

    Raises:
        NotAllowed: They may not; see `not_barred`.
    """
    not_barred(account, at=at, cap=cap)
    return replace(account, broken=(*account.broken, mark), version=account.version + 1)


def not_barred(account: Account, *, at: datetime, cap: int) -> None:
    """Return if the person may break the glass as far as their reviews are concerned.

    Raises:
        NotAllowed: `cap` of their break-glass grants wait for review, or the review of one is
            overdue.
    """
    overdue = [mark for mark in account.broken if at >= mark.until]
    if not overdue and len(account.broken) < cap:
        return
    mark = (*overdue, *account.broken)[0]
    is_ = "the review is overdue" if overdue else "it is not signed off"
    raise NotAllowed(
        f"you have broken the glass of {mark.bundle} before ({mark.request}), and {is_}",
        hint="a reviewer must sign it off first; meanwhile ask with /jit request",
    )


def without_glass(account: Account, request: RequestId) -> Account:
    """Return the person's account after somebody has signed that break-glass grant off."""
    broken = tuple(mark for mark in account.broken if mark.request != request)
    return replace(account, broken=broken, version=account.version + 1)


def with_pending(
    account: Account, mark: PendingMark, *, at: datetime, over: Collection[RequestId], cap: int
) -> Account:
    """Return the client's account with one more request that waits.

    Args:
        over: Requests that are known to wait no more.
        cap: How many may wait at once.

    Raises:
        Conflict: The same is asked for already.
        NotAllowed: As many wait as may.
    """
    left = tuple(each for each in account.pending if each.until > at and each.request not in over)
    if any(each.about == mark.about for each in left):
        raise Conflict("the same is asked for already")
    if len(left) >= cap:
        raise NotAllowed(
            f"{len(left)} requests of this client wait already, and {cap} is the limit",
            hint="ask again when some are decided",
        )
    return replace(account, pending=(*left, mark), version=account.version + 1)


def with_grant(account: Account, bundle: str, request: RequestId, *, cap: int) -> Account:
    """Return the account of a bundle, or of a holder, with one more live grant.

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
    """Return the account of a bundle, or of a holder, after that grant has ended."""
    return replace(account, live=account.live - {request}, version=account.version + 1)
