"""Places and who may fill them: distinct people, and never the requester."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.identity import person
from bot.core.places import open_places, places_of, unfilled, voters, why_incompletable
from bot.core.policy import Chain, Escalation, Group, Share, Stage

HOUR = timedelta(hours=1)
OUT = frozenset({"U0ANNA"})
NAMES = ("leads", "sre", "oncall")
LEADS, SRE, ONCALL = (Group(name=name) for name in NAMES)
ANNA, BEN, CLEO, DAN = (person(f"U0{name}", home="T1") for name in ("ANNA", "BEN", "CLEO", "DAN"))
STANDS_IN = Escalation(after=HOUR, add_approvers=(SRE,), stand_in_for="oncall")
PEERS = Stage(
    name="peers",
    approvers=(LEADS, ONCALL),
    quorum=2,
    at_least=(Share("oncall", 1),),
    escalate=(STANDS_IN,),
)
takers = st.lists(st.frozensets(st.sampled_from("abcde"), max_size=4), max_size=5)
groups = st.frozensets(st.sampled_from(NAMES))


def ids(*people):
    return frozenset(each.id for each in people)


def chain(*stages):
    return Chain(name="chain", stages=stages, expire_after=HOUR)


@given(takers)
def test_as_many_places_are_filled_as_distinct_people_can_fill(takers):
    people = "abcde"
    best = max(
        sum(who in able for who, able in zip(order, takers, strict=False))
        for order in permutations(people)
    )
    assert len(takers) - len(unfilled(takers)) == best


@given(takers)
def test_a_place_is_left_empty_only_where_those_before_it_need_its_people(takers):
    for number in unfilled(takers):
        assert unfilled(takers[: number + 1])[-1] == number


def test_who_is_in_two_groups_fills_one_place_of_either():
    stage = Stage(
        name="both", approvers=(LEADS, SRE), quorum=2, at_least=(Share("leads", 1), Share("sre", 1))
    )
    places = places_of(stage, escalated=0)
    assert places == (("leads",), ("sre",))
    assert open_places(places, [("leads", "sre")]) == (("sre",),)
    assert open_places(places, [("leads", "sre"), ("leads",)]) == ()
    assert open_places(places, [("leads",), ("leads",)]) == (("sre",),)


def test_an_escalation_adds_voters_and_lets_them_stand_in_but_lowers_nothing():
    assert places_of(PEERS, escalated=0) == (("oncall",), ("leads", "oncall"))
    assert places_of(PEERS, escalated=1) == (("oncall", "sre"), ("leads", "oncall", "sre"))
    assert voters(PEERS, escalated=0) == ("leads", "oncall")
    assert voters(PEERS, escalated=1) == ("leads", "oncall", "sre")


@given(st.lists(groups, max_size=4))
def test_what_is_filled_stays_filled_when_a_stage_escalates(votes):
    before = open_places(places_of(PEERS, escalated=0), votes)
    assert len(open_places(places_of(PEERS, escalated=1), votes)) <= len(before)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"leads": ids(BEN), "oncall": ids(CLEO), "sre": ids()}, None),
        (
            {"leads": ids(BEN, DAN), "oncall": ids(ANNA), "sre": ids()},
            "stage peers needs 2 approvals, and nobody besides you is there for 1 of them",
        ),
        ({"leads": ids(BEN, DAN), "oncall": ids(ANNA), "sre": ids(CLEO)}, None),
        (
            {"leads": ids(CLEO), "oncall": ids(CLEO), "sre": ids(ANNA)},
            "stage peers needs 2 approvals, and nobody besides you is there for 1 of them",
        ),
        (
            {"leads": ids(), "oncall": ids(ANNA), "sre": ids()},
            "stage peers needs 2 approvals, and nobody besides you is there for 2 of them",
        ),
        ({"leads": ids(), "oncall": None, "sre": ids()}, None),
        ({"leads": None, "oncall": ids(CLEO), "sre": ids()}, None),
        (
            {"leads": None, "oncall": ids(), "sre": ids()},
            "stage peers needs 2 approvals, and nobody besides you is there for 1 of them",
        ),
    ],
)
def test_a_chain_is_completable_with_all_escalations_without_the_requester(members, why):
    assert why_incompletable(chain(PEERS), members, OUT) == why


def test_nobody_is_counted_in_two_stages():
    one, two = (Stage(name=name, approvers=(LEADS,)) for name in ("one", "two"))
    assert why_incompletable(chain(one, two), {"leads": ids(ANNA, BEN, CLEO)}, OUT) is None
    assert why_incompletable(chain(one, two), {"leads": ids(ANNA, BEN)}, OUT) == (
        "its stages need 2 approvals of different people, "
        "and nobody besides you is left for 1 of them"
    )
