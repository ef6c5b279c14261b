"""Windows of time: zones, midnight, summer time, dates."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.core.windows import Window

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = frozenset(range(5))


def a_window(start="00:00", end="24:00", **over):
    def minutes(text):
        return int(text[:2]) * 60 + int(text[3:])

    plain = {"name": "w", "zone": BERLIN, "start": minutes(start), "end": minutes(end)}
    return Window(**{**plain, **over})


def berlin(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        ("2026-11-23T08:59:59", False),  # a Monday
        ("2026-11-23T09:00:00", True),
        ("2026-11-27T17:59:59", True),
        ("2026-11-27T18:00:00", False),
        ("2026-11-28T12:00:00", False),  # a Saturday
    ],
)
def test_office_hours_hold_from_their_start_to_just_before_their_end(at, open_):
    assert a_window("09:00", "18:00", days=WEEKDAYS).is_open(berlin(at)) is open_


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        ("2026-11-27T21:59:59", False),
        ("2026-11-27T22:00:00", True),  # a Friday
        ("2026-11-28T05:59:59", True),  # the shift of Friday
        ("2026-11-28T06:00:00", False),
        ("2026-11-28T22:00:00", False),  # none starts on a Saturday
        ("2026-11-29T03:00:00", False),
        ("2026-11-23T03:00:00", False),  # Monday: none started on Sunday
    ],
)
def test_a_night_shift_belongs_to_the_day_on_which_it_starts(at, open_):
    assert a_window("22:00", "06:00", days=WEEKDAYS).is_open(berlin(at)) is open_


def test_the_clock_on_the_wall_counts_in_summer_and_in_winter():
    hours = a_window("09:00", "18:00")
    assert hours.is_open(datetime(2026, 7, 1, 7, 30, tzinfo=UTC))  # 09:30 CEST
    assert not hours.is_open(datetime(2026, 12, 1, 7, 30, tzinfo=UTC))  # 08:30 CET


def test_the_hour_that_comes_twice_in_autumn_is_open_twice():
    window = a_window("02:00", "03:00")
    opened = [
        minute
        for minute in range(0, 4 * 60, 30)
        if window.is_open(datetime(2026, 10, 25, minute // 60, minute % 60, tzinfo=UTC))
    ]
    assert opened == [0, 30, 60, 90]


def test_the_hour_that_is_left_out_in_spring_is_open_at_no_time():
    window = a_window("02:00", "03:00")
    assert not any(
        window.is_open(datetime(2026, 3, 29, minute // 60, minute % 60, tzinfo=UTC))
        for minute in range(24 * 60)
    )


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        ("2026-12-18T23:59:59", False),
        ("2026-12-19T00:00:00", True),
        ("2027-01-03T23:59:59", True),
        ("2027-01-04T00:00:00", False),
    ],
)
def test_both_dates_of_a_range_are_inside(at, open_):
    freeze = a_window(first=date(2026, 12, 19), last=date(2027, 1, 3))
    assert freeze.is_open(berlin(at)) is open_


def test_the_last_night_of_a_range_runs_on_into_the_morning_after_it():
    nights = a_window("22:00", "06:00", first=date(2026, 12, 1), last=date(2026, 12, 1))
    assert nights.is_open(berlin("2026-12-02T05:00:00"))
    assert not nights.is_open(berlin("2026-12-01T05:00:00"))
    assert not nights.is_open(berlin("2026-12-02T22:00:00"))
