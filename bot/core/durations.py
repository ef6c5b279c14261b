"""Durations as people write them: 30m, 2h, 1h30m, 7d (a day is 24 hours)."""

import re
from datetime import timedelta
from typing import Final

_WRITTEN: Final = re.compile(
    r"(?:(?P<d>\d{1,4})d)?(?:(?P<h>\d{1,5})h)?(?:(?P<m>\d{1,6})m)?(?:(?P<s>\d{1,8})s)?", re.ASCII
)
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def read_duration(text: str) -> timedelta:
    """Return the duration that `text` spells.

    Raises:
        ValueError: It is no duration; bare numbers and ISO 8601 are none either.
    """
    found = _WRITTEN.fullmatch(text.strip().lower())
    parts = {k: int(v) for k, v in found.groupdict().items() if v} if found else {}
    if not parts:
        raise ValueError(f"{text!r} is not a duration; write 30m, 2h, 1h30m or 7d")
    return timedelta(**{_UNITS[unit]: count for unit, count in parts.items()})


def spell(length: timedelta) -> str:
    """Return `length` as people write it, to the second; `read_duration` reads it back."""
    left = int(length.total_seconds())
    words = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"
