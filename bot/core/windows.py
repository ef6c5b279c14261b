"""Windows of time: office hours, the night shift, a change freeze."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

EVERY_DAY: Final = frozenset(range(7))
MINUTES_OF_DAY: Final = 24 * 60
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When something is open, by the clocks on the wall of one time zone.

    One that ends before it starts runs across midnight and belongs to the day on which it starts,
    for `days` as for the dates.

    Attributes:
        days: Days of the week; 0 is Monday.
        start, end: Minutes after midnight; the end itself is outside.
        first, last: The dates on which it may start, both inside; None does not restrict.
    """

    name: str
    zone: tzinfo
    days: frozenset[int] = EVERY_DAY
    start: int = 0
    end: int = MINUTES_OF_DAY
    first: date | None = None
    last: date | None = None

    def is_open(self, now: datetime) -> bool:
        """Return whether it is open at `now`, an aware time."""
        there = now.astimezone(self.zone)
        today, minute = there.date(), there.hour * 60 + there.minute
        if self.start < self.end:
            return self.start <= minute < self.end and self._starts_on(today)
        is_evening = minute >= self.start and self._starts_on(today)
        return is_evening or (minute < self.end and self._starts_on(today - _DAY))

    def _starts_on(self, day: date) -> bool:
        return (
            day.weekday() in self.days
            and (self.first is None or self.first <= day)
            and (self.last is None or day <= self.last)
        )
