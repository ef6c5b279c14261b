"""How often a client may poll: too soon costs five seconds more each time, and no look-up.

Counted in each process for itself: behind a balancer a client may poll each replica once in its
time, and no more.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

# CIBA Core 1.0, section 7.3 (`interval`) and 11 (`slow_down`: "MUST be increased by at least 5
# seconds"). The first is short, as a poll is held until something happens.
INTERVAL_S: Final = 2
SLOWER_S: Final = 5
# So much sooner is not too soon: clocks and networks are not exact.
_SLACK_S: Final = 0.25
# Polls that are remembered; of older ones the pace begins anew.
_REMEMBERED: Final = 20_000


class TooSoon(Exception):
    """The poll came too soon.

    Attributes:
        interval_s: How long the client must wait between polls from now on.
    """

    def __init__(self, interval_s: int) -> None:
        super().__init__(f"wait {interval_s} seconds between polls")
        self.interval_s = interval_s


@dataclass(slots=True)
class _Pace:
    began_s: float
    interval_s: int


class Pacing:
    """Remembers when each handle was last polled for."""

    def __init__(self) -> None:
        self._paces: OrderedDict[str, _Pace] = OrderedDict()

    def step(self, handle: str, *, now_s: float) -> None:
        """Count a poll that begins now.

        Args:
            now_s: A clock that only goes forward.

        Raises:
            TooSoon: The last one began too short a time ago.
        """
        pace = self._paces.get(handle)
        self._paces[handle] = pace or _Pace(now_s, INTERVAL_S)
        self._paces.move_to_end(handle)
        if len(self._paces) > _REMEMBERED:
            self._paces.popitem(last=False)
        if pace is None:
            return
        too_soon = now_s - pace.began_s < pace.interval_s - _SLACK_S
        pace.began_s = now_s
        if too_soon:
            pace.interval_s += SLOWER_S
            raise TooSoon(pace.interval_s)
