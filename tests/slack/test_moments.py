"""Times as people write them, where they are."""

import contextlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Invalid
from bot.slack.moments import read_moment

BERLIN = ZoneInfo("Europe/Berlin")
WEDNESDAY = datetime(2026, 3, 4, 15, 30, tzinfo=BERLIN)


def read(text, *, after=WEDNESDAY, zone=BERLIN, is_end=True):
    return read_moment(text, after=after, zone=zone, field="until", is_end=is_end)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("friday", datetime(2026, 3, 7, tzinfo=BERLIN)),
        ("FRI", datetime(2026, 3, 7, tzinfo=BERLIN)),
        ("Friday 14:00", datetime(2026, 3, 6, 14, tzinfo=BERLIN)),
        ("friday, at 9:05", datetime(2026, 3, 6, 9, 5, tzinfo=BERLIN)),
        ("wednesday", datetime(2026, 3, 5, tzinfo=BERLIN)),
        ("wednesday 16:00", datetime(2026, 3, 4, 16, tzinfo=BERLIN)),
        ("wednesday 15:00", datetime(2026, 3, 11, 15, tzinfo=BERLIN)),
        ("today", datetime(2026, 3, 5, tzinfo=BERLIN)),
        ("tomorrow", datetime(2026, 3, 6, tzinfo=BERLIN)),
        ("tomorrow 08:00", datetime(2026, 3, 5, 8, tzinfo=BERLIN)),
        ("2026-12-24", datetime(2026, 12, 25, tzinfo=BERLIN)),
        ("2026-12-24 14:00", datetime(2026, 12, 24, 14, tzinfo=BERLIN)),
        ("18:00", datetime(2026, 3, 4, 18, tzinfo=BERLIN)),
        ("2h", WEDNESDAY + timedelta(hours=2)),
        ("1d12h", WEDNESDAY + timedelta(hours=36)),
    ],
)
def test_what_each_text_means(text, end):
    assert read(text) == end


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("friday", datetime(2026, 3, 6, tzinfo=BERLIN)),
        ("today", datetime(2026, 3, 4, tzinfo=BERLIN)),
        ("wednesday 15:00", datetime(2026, 3, 4, 15, tzinfo=BERLIN)),
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=BERLIN)),
    ],
)
def test_a_beginning_is_that_of_the_day(text, beginning):
    assert read(text, is_end=False) == beginning


def test_the_same_words_are_another_time_elsewhere():
    there = ZoneInfo("Pacific/Kiritimati")  # 14 hours before UTC: it is Thursday there
    assert read("tomorrow", zone=there) == datetime(2026, 3, 7, tzinfo=there)
    assert read("friday", zone=UTC) == datetime(2026, 3, 7, tzinfo=UTC)


def test_a_day_is_as_long_as_it_is_when_the_clocks_change():
    eve = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    assert read("sunday", after=eve) == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert read("sunday 02:30", after=eve) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # no such


@pytest.mark.parametrize(
    "text",
    [
        "",
        "someday",
        "fr",
        "friday friday",
        "25:00",
        "12:60",
        "2026-02-30",
        "24.12.",
        "5",
        "-2h",
        "14:00 friday",
        "9999-12-31",
        "99999999h",
        "1e3h",
        "friday 14:00 or so",
    ],
)
def test_what_means_nothing_is_said_back_with_what_to_write(text):
    with pytest.raises(Invalid, match="is no time that I can read") as problem:
        read(text)
    assert problem.value.hint == "write FRIDAY, FRIDAY 14:00, 2026-12-24, 14:00 or 2h"


@given(st.text(max_size=40))
def test_whatever_is_typed_is_read_or_refused(text):
    with contextlib.suppress(Invalid):
        assert read(text).tzinfo is UTC
