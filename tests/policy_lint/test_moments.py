"""A time for every way in which windows can be open at once, and no other way."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.windows import Window
from bot.policy_lint.moments import DAYS, Moments

START = datetime(2026, 10, 20, 11, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC")]


def ways(windows, moments):
    return {frozenset(each.name for each in windows if each.is_open(at)) for at in moments}


@st.composite
def some_windows(draw):
    return tuple(
        Window(
            name=f"w{number}",
            zone=draw(st.sampled_from(ZONES)),
            days=frozenset(draw(st.sets(st.integers(0, 6), min_size=1))),
            start=draw(st.integers(0, 24 * 60 - 1)),
            end=draw(st.integers(1, 24 * 60)),
        )
        for number in range(draw(st.integers(1, 3)))
    )


@settings(max_examples=15, deadline=None)
@given(some_windows(), st.integers(0, DAYS - 8))
def test_every_way_in_which_windows_are_open_in_some_week_is_found(windows, day):
    begin = START + timedelta(days=day)
    there = ways(windows, (begin + number * MINUTE for number in range(7 * 24 * 60)))
    assert there <= ways(windows, Moments(START).of(windows))


@pytest.mark.parametrize("day", [date(2026, 10, 25), date(2027, 3, 28)])
def test_the_hours_in_which_clocks_are_set_are_found(day):
    berlin = ZoneInfo("Europe/Berlin")
    window = Window(name="w", zone=berlin, start=2 * 60 + 10, end=2 * 60 + 20, first=day, last=day)
    noon = Window(name="u", zone=ZoneInfo("UTC"), start=60 + 5, end=60 + 25)
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=3)
    there = ways((window, noon), (begin + number * MINUTE for number in range(12 * 60)))
    assert there <= ways((window, noon), Moments(START).of((window, noon)))


@pytest.mark.parametrize("year", [2020, 2040])
def test_dates_far_away_are_found_too(year):
    window = Window(name="w", zone=ZoneInfo("UTC"), first=date(year, 5, 1), last=date(year, 5, 3))
    assert ways((window,), Moments(START).of((window,))) == {frozenset(), frozenset({"w"})}


def test_a_time_to_come_is_preferred_to_one_that_is_over():
    window = Window(name="w", zone=ZoneInfo("UTC"), first=date(2020, 5, 1))
    assert Moments(START).of((window,))[0] >= START - MINUTE


def test_spans_follow_one_another_and_nothing_changes_within_one():
    window = Window(name="w", zone=ZoneInfo("Europe/Berlin"), start=8 * 60, end=17 * 60 + 30)
    spans = Moments(START).spans((window,))
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    for at, until in spans[:50]:
        assert window.is_open(at) == window.is_open(until - timedelta(microseconds=1))
