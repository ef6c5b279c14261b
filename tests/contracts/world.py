"""What every contract test acts in: all ports on one store, its clock, and a way to wait."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.core.account import Account
from bot.core.events import Event
from bot.core.identity import RequestId
from bot.core.request import Request
from bot.usecases.ports import (
    Changes,
    Commit,
    CommitId,
    EndedToken,
    EndedTokens,
    Job,
    JobId,
    Jobs,
    Ledger,
    Listings,
    Once,
    Queue,
    Receipts,
    TokenHash,
    TokenIndex,
    TokenRecord,
    Write,
)
from bot.usecases.use import UseBook
from tests.builders import REQUEST, TEAM, a_request

# Short enough to wait for on a real server, long enough not to pass by chance.
MOMENT = timedelta(milliseconds=120)
LONG = timedelta(seconds=30)
# Stores count in whole milliseconds.
MILLISECOND = timedelta(milliseconds=1)
TICK = 3 * MILLISECOND


@dataclass(frozen=True, kw_only=True)
class World:
    ledger: Ledger
    changes: Changes
    listings: Listings
    jobs: Jobs
    receipts: Receipts
    tokens: TokenIndex
    ended: EndedTokens
    once: Once
    use: UseBook
    now: Callable[[], datetime]
    wait: Callable[[timedelta], Awaitable[None]]

    async def owed(self, queue: Queue = Queue.SAFETY, **options: Any) -> Sequence[Job]:
        """Claim everything that is due."""
        options = {"limit": 100, "lease": LONG, **options}
        return await self.jobs.claim(queue, **options)

    async def until_owed(self, queue: Queue = Queue.SAFETY, **options: Any) -> Job:
        """Claim the one job that becomes due next, at the moment when it does."""
        while not (claimed := await self.owed(queue, **options)):
            await self.wait(TICK)
        [job] = claimed
        return job


def change(
    id_: str,
    *records: Request | Account,
    expected: int | None = None,
    events: Sequence[Event] = (),
    **parts: Any,
) -> Commit:
    """Return a commit of `records`, each one version above what it replaces."""
    writes = [
        Write(record=record, expected=record.version - 1 if expected is None else expected)
        for record in records
    ]
    subject = parts.pop("subject", REQUEST)
    return Commit(id=CommitId(id_), subject=subject, writes=writes, events=events, **parts)


def opening(id_: str = "open", **over: Any) -> Commit:
    """Return the commit that opens a request."""
    request = a_request(**over)
    return change(id_, request, subject=request.id, events=(request.asked,))


def job(kind: str = "end", request: RequestId = REQUEST) -> JobId:
    return JobId(kind, request)


def token(expires_at: datetime, name: str = "a") -> tuple[TokenHash, TokenRecord]:
    record = TokenRecord(
        request=REQUEST,
        kid="kid-1",
        answer={"active": True, "exp": 1, "scope": "a b", "sub": f"person:{TEAM}:UANNA"},
        expires_at=expires_at,
    )
    return TokenHash((name * 64)[:64]), record


def ended_token(at: datetime, jti: str = "G-1.1") -> EndedToken:
    """Return a token that ended at `at`, half a minute before its time."""
    return EndedToken(jti=jti, audience="https://billing.example", at=at, expires_at=at + LONG)
