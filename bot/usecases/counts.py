"""Which accounts a change counts in, and what it makes of them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from bot.core.account import (
    Account,
    GlassMark,
    PendingMark,
    account_of_bundle,
    account_of_holder,
    account_of_person,
    with_ask,
    with_denial,
    with_glass,
    with_grant,
    with_pending,
    without_glass,
    without_grant,
)
from bot.core.events import Denied, GlassBroken, Reviewed
from bot.core.identity import BOT, RequestId
from bot.core.request import Request
from bot.core.scopes import Limits
from bot.usecases.commits import Step

# So many requests of one client may wait at once.
WAITING_AT_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request of a client that waits, until its token is fetched.

    Attributes:
        over: Requests of the client that are known to wait no more.
    """

    mark: PendingMark
    over: Collection[RequestId] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A request that is about to be stored for the first time.

    Attributes:
        limits: Those of its bundle; where nothing is limited, asks are not counted at all.
        waiting: What a client's account remembers of it; None for what does not wait.
    """

    step: Step
    limits: Limits
    waiting: Waiting | None = None

    @property
    def limited_in(self) -> tuple[str, ...]:
        """The accounts that limit it."""
        counts = self.limits.counts_asks or self.waiting is not None
        asks = (account_of_person(self.step.after.asked.asker),) if counts else ()
        return (*asks, *accounts_of(self.step))

    def counted(self, account: Account) -> Account:
        """Return one of the accounts of `limited_in` with this request counted.

        Raises:
            NotAllowed: A limit is reached.
            Conflict: The same waits already.
        """
        asked = self.step.after.asked
        if account.id != account_of_person(asked.asker) or asked.emergency is not None:
            return recounted(account, self.step)
        counted = account
        if self.limits.counts_asks:
            auto = self.step.approves
            counted = with_ask(account, asked.bundle, at=asked.at, limits=self.limits, auto=auto)
        if self.waiting is not None:
            mark, over = self.waiting.mark, self.waiting.over
            counted = with_pending(counted, mark, at=asked.at, over=over, cap=WAITING_AT_MOST)
        return replace(counted, version=account.version + 1)


def accounts_of(step: Step) -> tuple[str, ...]:
    """Return the accounts in which something starts or ends to count with `step`."""
    asked = step.after.asked
    found = []
    if _works(step.before) != _works(step.after):
        if asked.active_total is not None:
            found.append(account_of_bundle(asked.bundle))
        if asked.active_per_user is not None:
            found.append(account_of_holder(asked.bundle, asked.asker))
    denied = asked.cool_down is not None and _denied_by_people(step)
    if denied or any(isinstance(event, GlassBroken | Reviewed) for event in step.events):
        found.append(account_of_person(asked.asker))
    return tuple(found)


def recounted(account: Account, step: Step) -> Account:
    """Return one of the accounts of `accounts_of` after `step`.

    Raises:
        NotAllowed: As many grants as the bundle allows are live already, or the glass must not
            be broken before others have reviewed what was.
    """
    after = step.after
    asked = after.asked
    if account.id == account_of_person(asked.asker):
        return _of_person(account, step)
    is_everybodys = account.id == account_of_bundle(asked.bundle)
    cap = asked.active_total if is_everybodys else asked.active_per_user
    if cap is None or not _works(after):
        return without_grant(account, after.id)
    return with_grant(account, asked.bundle, after.id, cap=cap)


def _of_person(account: Account, step: Step) -> Account:
    asked, review, emergency = step.after.asked, step.after.review, step.after.asked.emergency
    if review is None or emergency is None:
        return with_denial(account, asked.bundle, at=step.events[-1].at)
    if not review.is_open:
        return without_glass(account, asked.request)
    mark = GlassMark(asked.request, asked.bundle, review.until)
    return with_glass(account, mark, at=asked.at, cap=emergency.unreviewed)


def _works(request: Request | None) -> bool:
    return request is not None and request.working_grant is not None


def _denied_by_people(step: Step) -> bool:
    return any(isinstance(event, Denied) and event.by != BOT for event in step.events)
