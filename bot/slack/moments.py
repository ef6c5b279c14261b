"""Times as people write them, e.g. "friday 14:00", in the zone that they are in.

friday | today | tomorrow | 2026-12-24        a day: its beginning, or its end
friday 14:00 | 2026-12-24 14:00 | 14:00       a time of a day
2h | 3d                                       so long from then on
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from bot.core.durations import read_duration
from bot.core.errors import Invalid
from bot.slack.mrkdwn import NAME_TEXT, tidy

EXAMPLES: Final = "write FRIDAY, FRIDAY 14:00, 2026-12-24, 14:00 or 2h"

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST: Final = 3  # letters of a day's name
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)


def read_moment(text: str, *, after: datetime, zone: tzinfo, field: str, is_end: bool) -> datetime:
    """Return the time that `text` means, UTC.

    Args:
        after: A day of the week is the next one, counted from here, this day included; a length
            begins here.
        field: Which part of what was said it is.
        is_end: Whether a day alone is meant to its end, or else from its beginning.

    Raises:
        Invalid: It means none.
    """
    words = text.lower().replace(",", " ").split()
    words = [word for word in words if word not in ("at", "on")]
    try:
        found = _moment(words, after.astimezone(zone), is_end=is_end)
    except (OverflowError, ValueError):  # a date that no calendar has
        found = None
    if found is None:
        shown = tidy(text, NAME_TEXT)
        raise Invalid(f"{shown!r} is no time that I can read", field=field, hint=EXAMPLES)
    return found.astimezone(UTC)


def _moment(words: list[str], start: datetime, *, is_end: bool) -> datetime | None:
    if len(words) == 1 and words[0][:1].isdigit() and ":" not in words[0] and "-" not in words[0]:
        return start + read_duration(words[0])
    named, clock = words, None
    if words and (at := _CLOCK.fullmatch(words[-1])):
        named, clock = words[:-1], time(int(at[1]), int(at[2]))
    if len(named) > 1 or not words:
        return None
    day = _day(named[0], start.date()) if named else start.date()
    if day is None:
        return None
    if clock is None:
        return datetime.combine(day + _DAY if is_end else day, time(), start.tzinfo)
    found = datetime.combine(day, clock, start.tzinfo)
    is_weekday = bool(named) and _weekday(named[0]) is not None
    return found + _WEEK if is_weekday and is_end and found <= start else found


def _day(word: str, today: date) -> date | None:
    if word in ("today", "tomorrow"):
        return today if word == "today" else today + _DAY
    if _DATE.fullmatch(word):
        return date.fromisoformat(word)
    number = _weekday(word)
    return None if number is None else today + _DAY * ((number - today.weekday()) % 7)


def _weekday(word: str) -> int | None:
    if len(word) < _SHORTEST:
        return None
    return next((n for n, name in enumerate(_DAYS) if name.startswith(word)), None)
