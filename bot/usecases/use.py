"""Use of tokens: what enforcement points saw, and who takes it down.

An enforcement point is whatever asks before it lets a call through: an API that introspects, a
gateway with forward-auth, the guard library inside a service. What they see is noted on the way
and written later, so that no caller ever waits for it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.core.identity import RequestId


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
        """Take down `use`."""

    def alive(self, resource: str, *, point: str) -> None:
        """Take down that `point` enforces the scopes of `resource` now."""
