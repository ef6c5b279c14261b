"""How often a method may be called.

Source: https://docs.slack.dev/apis/web-api/rate-limits.
"""

import math
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

TIERS: Final[Mapping[int, int]] = {1: 1, 2: 20, 3: 50, 4: 100}  # calls a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What is allowed; the defaults are Slack's.

    Attributes:
        messages_per_s: chat.postMessage, per channel.
        burst: So many messages at once, after a rest ("short bursts" in Slack's words).
        tiers: Calls of one method a minute, by tier.
    """

    messages_per_s: float = 1.0
    burst: int = 4
    tiers: Mapping[int, int] = field(default_factory=lambda: TIERS)


QUICK: Final = Rates(messages_per_s=1e6, burst=10**6, tiers=dict.fromkeys(TIERS, 10**9))


class Meter:
    """Token buckets."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def wait_for_message(self, channel: str) -> int:
        """Count a message to `channel`; return 0, or the whole seconds to wait instead."""
        return self._take(("message", channel), self._rates.messages_per_s, self._rates.burst)

    def wait_for_call(self, method: str, tier: int) -> int:
        """Count a call; return 0, or the whole seconds to wait instead."""
        a_minute = self._rates.tiers[tier]
        return self._take(method, a_minute / 60, a_minute)

    def _take(self, key: Hashable, per_s: float, most: float) -> int:
        now = time.monotonic()
        level, at = self._buckets.get(key, (most, now))
        level = min(level + (now - at) * per_s, most)
        enough = level >= 1
        self._buckets[key] = (level - enough, now)
        return 0 if enough else math.ceil((1 - level) / per_s)
