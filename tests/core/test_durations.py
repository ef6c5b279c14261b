from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.durations import read_duration, spell


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30m", timedelta(minutes=30)),
        (" 2H ", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("0m", timedelta(0)),
    ],
)
def test_durations_are_read(text: str, length: timedelta) -> None:
    assert read_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "5", "-5m", "+5m", "1.5h", "1e3s", "0x5m", "1h; 99h", "1h 30m", "30m1h"),
        *("1000000000s", "PT1H", "1h\n2h", "\uff11h", "1h\x00", "\ud800", "m", "infm", "nan"),
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        read_duration(text)


@given(st.integers(1, 9999 * 86_400))
def test_what_is_spelled_is_read_back(seconds: int) -> None:
    assert read_duration(spell(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
