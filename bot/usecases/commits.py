"""From facts to one commit: what must be stored together when a request changes.

Timers, permissions and tokens are derived from the snapshots before and after, so a commit can
neither forget one nor leave one behind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Protocol

from bot.core.account import Account
from bot.core.events import Approved, Event, Started, TokenSpec
from bot.core.request import Request, evolve, replay, timers
from bot.core.states import RequestState
from bot.usecases.ports import (
    Commit,
    CommitId,
    EndedToken,
    JobId,
    TokenHash,
    TokenRecord,
    Write,
)


class Minting(Protocol):
    """Makes tokens from their specifications."""

    def knows(self, spec: TokenSpec) -> bool:
        """Return whether the key of `spec` is still in the ring."""

    def __call__(self, spec: TokenSpec) -> tuple[TokenHash, TokenRecord]:
        """Return the token's hash and what is stored under it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one request in a commit.

    Attributes:
        before: None when the request is new.
        people: Whether it is people's deed, which needs the request to be open still.
        after: The request once the events have been applied.
    """

    before: Request | None
    events: tuple[Event, ...]
    people: bool = False
    after: Request = field(init=False)

    def __post_init__(self) -> None:
        old, events = self.before, self.events
        after = replay(events) if old is None else reduce(evolve, events, old)
        object.__setattr__(self, "after", after)  # frozen, and read many times

    @property
    def approves(self) -> bool:
        """Whether the request is approved in it."""
        return any(isinstance(event, Approved) for event in self.events)


def commit_of(
    id_: CommitId,
    steps: Sequence[Step],
    *,
    accounts: Iterable[Account] = (),
    mint: Minting,
) -> Commit:
    """Return the commit of `steps`; the first step's request is its subject.

    Args:
        accounts: Changed accounts, their version one above the stored one.
    """
    changed = [step for step in steps if _version(step.before) != step.after.version]
    return Commit(
        id=id_,
        subject=steps[0].after.id,
        writes=[
            *(Write(record=step.after, expected=_version(step.before)) for step in changed),
            *(Write(record=account, expected=account.version - 1) for account in accounts),
        ],
        events=[event for step in steps for event in step.events],
        timers={job: due for step in steps for job, due in _timers(step).items()},
        opens={step.after.id: until for step in steps for until in _opens(step)},
        tokens={hash_: found for step in steps for hash_, found in _tokens(step, mint).items()},
        ended=[token for step in steps for token in _ended(step)],
        needs_open=[step.after.id for step in steps if step.people and _needs_open(step)],
        show=[step.after.id for step in steps],
    )


def _version(request: Request | None) -> int:
    return request.version if request is not None else 0


def _timers(step: Step) -> dict[JobId, datetime | None]:
    old = timers(step.before) if step.before is not None else {}
    new = timers(step.after)
    return {
        JobId(timer, step.after.id): new.get(timer)
        for timer in (*new, *old)
        if new.get(timer) != old.get(timer)
    }


def _needs_open(step: Step) -> bool:
    """Return whether the store's clock says if it is too late; to give a grant up it never is."""
    before = step.before
    if before is None or before.open_until is None:
        return False
    starts = any(isinstance(event, Started) for event in step.events)
    return before.state is RequestState.PENDING or starts


def _opens(step: Step) -> list[datetime | None]:
    """Return at most one new term of the permission: a time, or None to end it."""
    was = step.before.open_until if step.before is not None else None
    is_ = step.after.open_until
    return [is_] if is_ != was else []


def _working(request: Request | None) -> tuple[TokenSpec, ...]:
    grant = request.working_grant if request is not None else None
    return grant.tokens if grant is not None else ()


def _tokens(step: Step, mint: Minting) -> dict[TokenHash, TokenRecord | None]:
    old, new = _working(step.before), _working(step.after)
    found: dict[TokenHash, TokenRecord | None] = {}
    for token in old:
        # The tokens of a key that has left the ring are dead already, whatever is stored.
        if token not in new and mint.knows(token):
            found[mint(token)[0]] = None
    for token in new:
        if token not in old:
            hash_, record = mint(token)
            found[hash_] = record
    return found


def _ended(step: Step) -> list[EndedToken]:
    """Return the tokens that end before their time; also those whose key has left the ring.

    A key that comes back would bring them back where nobody was told of their end.
    """
    new = _working(step.after)
    return [
        EndedToken(jti=token.jti, audience=token.audience, at=at, expires_at=token.expires_at)
        for token in _working(step.before)
        if token not in new and token.expires_at > (at := max(e.at for e in step.events))
    ]
