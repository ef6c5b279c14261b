"""Use of tokens: what enforcement points saw, and who takes it down.

An enforcement point is whatever asks before it lets a call through: an API that introspects, a
gateway with forward-auth, the guard library inside a service. What they see is noted on the way
and written later, so that no caller ever waits for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from bot.core.identity import RequestId
from bot.core.usage import Life, Tally


class UseOutcome(StrEnum):
    """What became of one call."""

    ALLOWED = "allowed"
    BEYOND = "beyond"  # the token lacks a scope that was needed
    ENDED = "ended"  # the grant was over


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One or more equal calls with one token.

    Attributes:
        request: Whose grant the token is of; the token's signature was seen to be right.
        jti: Which token.
        scopes: Those that the call needed; empty where the point does not say.
        resource: The token's audience.
        point: Who saw it: the id of the client that asked, or "forward-auth".
        address: From where the call came, "" where the point does not say.
        at: When; of the last one where there are several.
        count: How many.
    """

    request: RequestId
    jti: str
    scopes: tuple[str, ...]
    resource: str
    outcome: UseOutcome
    point: str
    address: str
    at: datetime
    count: int = 1


class UseLog(Protocol):
    """Takes down what enforcement points saw, without ever holding them up.

    Both methods return at once, never raise, and hold a bounded amount: what is too much is
    dropped and counted in the metric `jit_use_dropped_total`.
    """

    def note(self, use: Use) -> None:
        """Take down `use`; a use whose scopes are known shows that its point is alive, too."""

    def alive(self, resource: str, *, point: str) -> None:
        """Take down that `point` enforces the scopes of `resource` now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """`point` enforced the scopes of `resource` at that time."""

    resource: str
    point: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is written in one go.

    Attributes:
        id: The same batch is counted once, however often it is sent within BATCH_KEPT.
    """

    id: str
    tallies: Mapping[RequestId, Sequence[Tally]] = field(default_factory=dict)
    beats: Sequence[Beat] = ()


BATCH_KEPT: Final = timedelta(days=1)
# A point that says nothing for so long was away meanwhile.
SILENCE: Final = timedelta(minutes=5)
# How long what was seen is kept: of a grant after its last use, of a point after its life.
USE_KEPT: Final = timedelta(days=30)
# Of one grant: scopes that were let through are bounded by the grant, all else by this.
NAMES_AT_MOST: Final = 100
# Of one resource.
POINTS_AT_MOST: Final = 50
LIVES_AT_MOST: Final = 2000


class UseBook(Protocol):
    """Where it stands what was seen; it holds a bounded amount of each grant and resource."""

    async def add(self, batch: Batch) -> None:
        """Add `batch` to what stands there, all of it or none, and only once.

        Raises:
            Unavailable: It may not have been added; adding the same again is safe.
        """

    async def of(self, requests: Sequence[RequestId]) -> Sequence[Sequence[Tally]]:
        """Return what was seen of each of these grants, in the order asked.

        Raises:
            Unavailable: The store did not answer.
        """

    async def lives(self, resource: str, *, since: datetime) -> Sequence[Life]:
        """Return when points enforced the scopes of `resource`, so far as it was after `since`.

        Raises:
            Unavailable: The store did not answer.
        """
