"""Which of two chains asks for more."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.demands import covers, is_part
from bot.core.places import filled, places_of
from bot.core.policy import Escalation, Group, Share, Stage
from bot.core.sources import Manager, Provider, Rota

A, B, C = (Group(name=name, usergroup=f"S0{name.upper()}") for name in ("a", "b", "c"))
MINUTE = timedelta(minutes=1)


def stage(*approvers, quorum=1, at_least=(), escalate=(), name="s"):
    shares = tuple(Share(group.name, people) for group, people in at_least)
    return Stage(name=name, approvers=approvers, quorum=quorum, at_least=shares, escalate=escalate)


def added(*groups, after=MINUTE, stand_in_for=""):
    return Escalation(after=after, add_approvers=groups, stand_in_for=stand_in_for)


@pytest.mark.parametrize(
    ("strict", "lax"),
    [
        ([stage(A)], [stage(A)]),
        ([stage(A, quorum=3)], [stage(A, quorum=2)]),
        ([stage(A)], [stage(A, B)]),
        ([stage(A), stage(B)], [stage(B)]),
        ([stage(A), stage(B)], [stage(B), stage(A)]),
        ([stage(A, quorum=2)], [stage(A), stage(A)]),
        ([stage(A, B, quorum=2, at_least=[(A, 1)])], [stage(A, B, quorum=2)]),
        ([stage(A, B, quorum=2, at_least=[(A, 1)])], [stage(A)]),
        ([stage(A)], [stage(A, escalate=[added(B)])]),
        ([stage(A, escalate=[added(B, after=2 * MINUTE)])], [stage(A, escalate=[added(B)])]),
        ([stage(A, escalate=[added(B)])], [stage(A, B)]),
    ],
)
def test_what_completes_one_completes_the_other(strict, lax):
    assert covers(strict, lax)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([stage(A, quorum=2)], [stage(A, quorum=3)]),
        ([stage(A, B)], [stage(A)]),
        ([stage(A)], [stage(B)]),
        ([stage(A)], [stage(A), stage(B)]),
        ([stage(A, B, quorum=3)], [stage(A, quorum=2)]),
        ([stage(A, B, quorum=2)], [stage(A, B, quorum=2, at_least=[(A, 1)])]),
        ([stage(A, escalate=[added(B)])], [stage(A)]),
        ([stage(A, escalate=[added(B)])], [stage(A, escalate=[added(B, after=2 * MINUTE)])]),
        (
            [stage(A, B, at_least=[(A, 1)], escalate=[added(B, stand_in_for="a")])],
            [stage(A, B, at_least=[(A, 1)], escalate=[added(B)])],
        ),
        # One who is in both groups fills one place, never both.
        ([stage(A, B)], [stage(A), stage(B)]),
    ],
)
def test_what_completes_one_leaves_the_other_open(one, other):
    assert not covers(one, other)


def people(*ids):
    return frozenset(ids)


ROTA = Rota(provider=Provider.URL, schedule="sre")


@pytest.mark.parametrize(
    ("group", "other"),
    [
        (Group(name="x", users=people("U1")), Group(name="x", users=people("U1"))),
        (Group(name="x", users=people("U1")), Group(name="y", users=people("U1", "U2"))),
        (Group(name="x", usergroup="S1"), Group(name="y", usergroup="S1")),
        (Group(name="x", on_call=ROTA), Group(name="y", on_call=ROTA)),
        (Group(name="x", manager=Manager(of={"U1": "U2"})),) * 2,
        (A, Group(name="u", any_of=(A, B))),
        (Group(name="u", any_of=(A, B)), Group(name="v", any_of=(C, B, A))),
        (Group(name="u", any_of=(A, B)), Group(name="v", any_of=(B, A))),
        (Group(name="x", users=people("U1"), min_members=2),) * 2,
    ],
)
def test_everybody_in_one_group_is_in_the_other(group, other):
    assert is_part(group, other)


@pytest.mark.parametrize(
    ("group", "other"),
    [
        (Group(name="x", users=people("U1", "U2")), Group(name="x", users=people("U1"))),
        (Group(name="x", users=people("U1")), Group(name="x", usergroup="S1")),
        (Group(name="x", usergroup="S1"), Group(name="x", usergroup="S2")),
        (Group(name="x", usergroup="S1"), Group(name="x", users=people("U1"))),
        (Group(name="x", on_call=ROTA), Group(name="x", usergroup="S1")),
        (
            Group(name="x", manager=Manager(of={"U1": "U2"})),
            Group(name="x", manager=Manager(of={"U1": "U3"})),
        ),
        (Group(name="x", manager=Manager(of={"U1": "U2"})), Group(name="x", users=people("U2"))),
        (Group(name="u", any_of=(A, B)), A),
        (Group(name="u", any_of=(A, B)), Group(name="v", any_of=(A, C))),
        (Group(name="x", users=people("U1"), min_members=1), Group(name="x", users=people("U1"))),
        (Group(name="x"), Group(name="y", usergroup="S1")),
    ],
)
def test_somebody_may_be_in_one_group_alone(group, other):
    assert not is_part(group, other)


GROUPS = st.lists(st.sampled_from((A, B, C)), min_size=1, max_size=2, unique_by=lambda g: g.name)


@st.composite
def stages(draw):
    approvers, quorum = draw(GROUPS), draw(st.integers(1, 2))
    kept = draw(st.sampled_from([(), ((approvers[0], 1),)]))
    return stage(*approvers, quorum=quorum, at_least=kept)


CHAINS = st.lists(stages(), min_size=1, max_size=2)
# Everybody who can be told apart: by the groups that they are in.
KINDS = [
    frozenset(name for name, is_in in zip("abc", bits, strict=True) if is_in)
    for bits in product((False, True), repeat=3)
    if any(bits)
]


def completes(crowd, chain):
    places = [place for each in chain for place in places_of(each, escalated=0)]
    takers = [
        [str(number) for number, groups in enumerate(crowd) if not groups.isdisjoint(place)]
        for place in places
    ]
    return len(filled(takers)) == len(places)


@given(
    one=CHAINS,
    other=CHAINS,
    crowd=st.lists(st.sampled_from(KINDS), max_size=6),
)
def test_whoever_completes_what_covers_another_has_completed_that(one, other, crowd):
    if covers(one, other) and completes(crowd, one):
        assert completes(crowd, other)
