"""What a grant was used for, what it was misused for, and what a bundle could do without."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.reporting import report_of
from bot.core.usage import (
    ADDRESSES_TOLD,
    NAMES_TOLD,
    TOLD_AGAIN_AFTER,
    Life,
    Misuse,
    ScopeUse,
    Seen,
    Tally,
    Usage,
    last_use,
    lived_during,
    lived_through,
    misdeeds,
    told_again_after,
    usage_of,
)
from tests.builders import T0

SCOPES = ("invoices:read", "refunds:read", "refunds:write")


def at(minutes):
    return T0 + timedelta(minutes=minutes)


def tally(seen, name, count=1, *, minutes=0.0, until=None):
    last = at(minutes if until is None else until)
    return Tally(seen=seen, name=name, count=count, first=at(minutes), last=last)


def used(name, count=1, minutes=0.0):
    return tally(Seen.ALLOWED, name, count, minutes=minutes)


def test_each_scope_is_told_with_its_count_and_its_last_use_and_the_others_never():
    found = usage_of(
        SCOPES, [used("refunds:read", 3, 7), used("invoices:read", 41, 5)], watched=True
    )
    assert found.scopes == (
        ScopeUse(scope="invoices:read", count=41, last=at(5)),
        ScopeUse(scope="refunds:read", count=3, last=at(7)),
        ScopeUse(scope="refunds:write"),
    )
    assert [each.scope for each in found.used] == ["invoices:read", "refunds:read"]
    assert found.never == ("refunds:write",)


def test_without_a_living_point_nothing_is_known_to_be_unused():
    assert usage_of(SCOPES, [], watched=False).never == ()
    assert usage_of(SCOPES, [], watched=True).never == SCOPES


def test_a_point_that_told_of_a_use_was_alive():
    assert usage_of(SCOPES, [used("invoices:read")], watched=False).never == SCOPES[1:]


def test_a_call_whose_scope_nobody_named_may_have_been_for_any():
    found = usage_of(SCOPES, [used("", 5), used("invoices:read")], watched=True)
    assert (found.others, found.never, found.is_known) == (5, (), False)
    assert usage_of(SCOPES, [used("", 5)], watched=False).watched is False


def test_what_was_turned_away_is_no_use():
    turned = [tally(Seen.BEYOND, "invoices:read"), tally(Seen.ENDED, "invoices:read")]
    assert usage_of(SCOPES, turned, watched=True).never == SCOPES
    assert last_use(turned) is None
    assert last_use([used("", minutes=3), used("a", minutes=2)]) == at(3)


@pytest.mark.parametrize(
    ("begun", "until", "during", "through"),
    [
        (0, 60, True, True),
        (-60, -1, False, False),
        (-60, 0, True, False),
        (30, 40, True, False),
        (60, 90, True, False),
        (61, 90, False, False),
        (5, 55, True, True),
        (6, 60, True, False),
        (0, 54, True, False),
    ],
)
def test_a_point_lived_during_or_through_a_time(begun, until, during, through):
    lives, slack = [Life(at(begun), at(until))], timedelta(minutes=5)
    assert lived_during(lives, at(0), at(60)) is during
    assert lived_through(lives, at(0), at(60), slack=slack) is through


def test_two_points_that_lived_one_after_the_other_did_not_see_all_of_it():
    lives = [Life(at(0), at(30)), Life(at(30), at(60))]
    assert not lived_through(lives, at(0), at(60), slack=timedelta(minutes=5))


def test_misuse_is_told_by_kind_with_what_was_not_granted():
    found = {
        each.kind: each
        for each in misdeeds(
            SCOPES,
            [
                tally(Seen.BEYOND, "invoices:read customers:export", 7, minutes=1, until=9),
                tally(Seen.BEYOND, "customers:read", 3, minutes=2),
                tally(Seen.ENDED, "invoices:read", 2, minutes=5),
                tally(Seen.ADDRESS, "10.0.0.2", minutes=3, until=8),
                tally(Seen.ADDRESS, "10.0.0.1", minutes=1, until=2),
                tally(Seen.POINT, "billing-api"),
                used("invoices:read", 99),
            ],
            over_since=at(5),
        )
    }
    beyond, ended, address = (found[kind] for kind in Misuse)
    assert (beyond.count, beyond.scopes, beyond.last) == (
        10,
        ("customers:export", "customers:read"),
        at(9),
    )
    assert (ended.count, ended.scopes) == (2, ("invoices:read",))
    assert beyond.addresses == ended.addresses == ("10.0.0.2",)
    assert (address.count, address.addresses) == (2, ("10.0.0.1", "10.0.0.2"))
    assert beyond.points == ("billing-api",)


def test_use_from_one_address_is_no_misuse():
    tallies = [used("invoices:read"), tally(Seen.ADDRESS, "10.0.0.1", 100)]
    assert list(misdeeds(SCOPES, tallies, over_since=at(0))) == []


@pytest.mark.parametrize(("over_since", "told"), [(None, False), (6, False), (5, True), (4, True)])
def test_a_token_that_is_over_is_no_misuse_while_its_grant_works(over_since, told):
    stale = [tally(Seen.ENDED, "invoices:read", 2, minutes=1, until=5)]
    since = None if over_since is None else at(over_since)
    assert bool(list(misdeeds(SCOPES, stale, over_since=since))) is told


def test_what_is_told_of_misuse_is_bounded():
    many = [tally(seen, f"x{n}", minutes=n) for seen in Seen for n in range(90)]
    for each in misdeeds(SCOPES, many, over_since=at(0)):
        assert len(each.scopes) <= NAMES_TOLD
        assert len(each.points) <= NAMES_TOLD
        assert len(each.addresses) <= ADDRESSES_TOLD
        assert each.count == 90


def test_it_is_told_again_after_pauses_that_double():
    assert [told_again_after(times) for times in (1, 2, 3)] == [
        TOLD_AGAIN_AFTER * factor for factor in (1, 2, 4)
    ]


def grant(*scopes, used=(), watched=True, others=0, minutes=0.0):
    return Usage(
        scopes=tuple(
            ScopeUse(scope=scope, count=1, last=at(minutes))
            if scope in used
            else ScopeUse(scope=scope)
            for scope in scopes
        ),
        others=others,
        watched=watched,
    )


def test_a_report_counts_of_each_scope_the_last_grants_that_had_it_and_tell():
    usages = [
        grant("a", "b", used="a", minutes=9),
        grant("a", used="a", minutes=8),  # taken without b
        grant("a", "b", watched=False),  # nobody knows
        grant("a", "b", used="b", others=2, minutes=7),  # b was used, of a nobody knows
        grant("a", "b", minutes=6),
        grant("a", "b", used="ab", minutes=5),
    ]
    report = report_of("x", usages, scopes=("b", "c"), last=3)
    b, c, a = report.scopes
    assert (b.scope, b.used, b.grants, b.last) == ("b", 1, 3, at(7))
    assert (c.scope, c.used, c.grants, c.last) == ("c", 0, 0, None)
    assert (a.scope, a.used, a.grants, a.last) == ("a", 2, 3, at(9))
    assert (report.grants, report.unwatched) == (5, 1)
    assert report.unused == ()


def test_what_none_of_enough_grants_used_could_be_taken_out():
    five = ("a", "b", "c", "d", "e")
    usages = [grant(*five, used="ab")] * 10
    assert report_of("x", usages).unused == ("c", "d", "e")
    assert report_of("x", usages[:9]).unused == ()
    assert report_of("x", usages[:9], last=9).unused == ("c", "d", "e")
    assert report_of("x", [grant(*five, watched=False)] * 50).unused == ()
    assert report_of("x", [grant(*five, used="ab", others=1)] * 50).unused == ()


grants = st.builds(
    grant,
    st.just("a"),
    st.just("b"),
    used=st.sampled_from(["", "a", "b", "ab"]),
    watched=st.booleans(),
    others=st.integers(0, 1),
)


@given(st.lists(grants, max_size=30), st.integers(1, 10))
def test_a_scope_is_proposed_only_if_enough_grants_had_it_and_are_known_not_to_have_used_it(
    usages, last
):
    for scope in report_of("x", usages, last=last).unused:
        telling = [
            usage
            for usage in usages
            if usage.is_known or any(each.scope == scope and each.count for each in usage.scopes)
        ]
        assert len(telling) >= last
        assert all(scope in usage.never for usage in telling[:last])
