"""Moments: a time for every way in which windows can be open and closed at once.

Which windows are open changes when one of them begins or ends, and when clocks are set. So it is
enough to look at those times, over a year and around the dates that windows name.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, TypeAlias

from bot.core.windows import MINUTES_OF_DAY, Window

# All days of the week fall on all states of the clocks of all zones.
DAYS: Final = 370
_DAY: Final = timedelta(days=1)

# From one time to another, the second one excluded.
Span: TypeAlias = tuple[datetime, datetime]


class Moments:
    """The times around a moment, and those that windows name.

    Args:
        start: From when on it may be asked.
    """

    def __init__(self, start: datetime) -> None:
        self.start = start.astimezone(UTC).replace(second=0, microsecond=0)
        self._of = lru_cache(maxsize=256)(self._found)

    @property
    def end(self) -> datetime:
        """Until when windows are looked at."""
        return self.start + DAYS * _DAY

    def of(self, windows: Sequence[Window]) -> Sequence[datetime]:
        """Return a time for every way in which `windows` can be open, one to come if there is."""
        return [at for at, _ in self._of(tuple(windows))[0]]

    def spans(self, windows: Sequence[Window]) -> Sequence[Span]:
        """Return all spans of time, ends excluded, within which no window opens or closes."""
        return self._of(tuple(windows))[1]

    def _found(self, windows: tuple[Window, ...]) -> tuple[Sequence[Span], Sequence[Span]]:
        turns = {self.start, self.end, *(at for each in windows for at in self._turns(each))}
        spans = list(pairwise(sorted(turns)))
        first: dict[frozenset[Window], Span] = {}
        for span in sorted(spans, key=lambda span: (span[0] < self.start, span)):
            open_ones = frozenset(each for each in windows if each.is_open(span[0]))
            first.setdefault(open_ones, span)
        return tuple(first.values()), tuple(spans)

    def _turns(self, window: Window) -> Iterator[datetime]:
        """Yield when `window` may open or close."""
        for day in self._days(window):
            for minute in (window.start, window.end % MINUTES_OF_DAY):
                wall = datetime.combine(day, time(minute // 60, minute % 60), window.zone)
                for fold in (0, 1):  # clocks that are set back show a time twice
                    yield wall.replace(fold=fold).astimezone(UTC)

    def _days(self, window: Window) -> Iterator[date]:
        today = self.start.date()
        yield from (today + number * _DAY for number in range(-1, DAYS))
        named = [day for day in (window.first, window.last) if day is not None]
        for day in named:
            yield from (day + number * _DAY for number in range(-8, 9))
