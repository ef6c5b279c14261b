"""The review of a break-glass grant: laws over random histories, and whom it falls to."""

from dataclasses import replace
from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as e
from bot.core.emergency import Emergency
from bot.core.errors import NotAllowed, Refused, WrongState
from bot.core.identity import BOT, person
from bot.core.lifecycle import decide, opened
from bot.core.moves import Deny, MarkOverdue, RaiseConcern, RemindReview, Revoke, SignOff
from bot.core.request import evolve, replay, timers
from bot.core.states import TIMERS, RequestState, ReviewState, Timer
from tests.core.test_lifecycle import ANNA, BEN, CLEO, DAVE, PEOPLE, T0, asked, case, group, moves

WITHIN = timedelta(minutes=40)
EMERGENCY = Emergency(
    skipped=(group("leads"),),
    notify=("#incidents",),
    unreachable=(),
    review_by=(group("sre"),),
    review_within=WITHIN,
    unreviewed=1,
)
# For ten minutes; Cleo and Dave review it.
ASKED = asked(stages=(), emergency=EMERGENCY, duration=timedelta(minutes=10))
BROKEN = replay(opened(ASKED, settled=e.GlassBroken, case=case(0)))

said = st.sampled_from(["fine", "why?"])
reviews = st.one_of(
    st.builds(SignOff, said),
    st.builds(RaiseConcern, said, st.booleans()),
    st.just(RemindReview()),
    st.just(MarkOverdue()),
)
steps = st.lists(
    st.tuples(st.one_of(reviews, moves), st.sampled_from((*PEOPLE, BOT)), st.floats(0.1, 15)),
    max_size=25,
)


def play(script, first=BROKEN):
    """Return the request after `script`, and what happened after the glass was broken."""
    request, events, minutes = first, [], 0.0
    for move, by, pause in script:
        minutes += pause
        try:
            facts = decide(request, move, by=by, case=case(minutes, by))
        except Refused:
            continue
        request = reduce(evolve, facts, request)
        events += facts
    return request, events


@given(steps)
def test_whatever_happens_somebody_else_of_the_reviewers_signs_it_off_once(script):
    request, events = play(script)
    signed = [event for event in events if isinstance(event, e.Reviewed)]
    assert len(signed) <= 1
    assert {event.by for event in signed} <= {CLEO, DAVE}
    assert (request.review.state is ReviewState.DONE) == bool(signed)
    assert request.review.is_open != bool(signed)
    assert request.state is RequestState.APPROVED


@given(steps)
def test_the_history_tells_all(script):
    request, events = play(script)
    first = opened(ASKED, settled=e.GlassBroken, case=case(0))
    assert replay((*first, *events)) == request
    concerns = [event.comment for event in events if isinstance(event, e.Concerned)]
    assert [each.text for each in request.review.concerns] == concerns


@given(steps)
def test_the_clock_owes_a_review_what_its_state_owns(script):
    request, events = play(script)
    due = timers(request)
    owned = TIMERS.get(request.review.state, frozenset())
    assert {Timer.REVIEW_REMIND, Timer.REVIEW_OVERDUE} & set(due) <= owned
    assert (Timer.REVIEW_OVERDUE in due) == (request.review.state is ReviewState.DUE)
    kinds = [type(event) for event in events]
    assert kinds.count(e.ReviewReminded) <= 1
    assert kinds.count(e.ReviewOverdue) <= 1


@given(steps, reviews, st.sampled_from(PEOPLE))
def test_what_is_signed_off_stays_so(script, move, by):
    request, _ = play([*script, (SignOff("fine"), CLEO, 1.0)])
    try:
        facts = decide(request, move, by=by, case=case(10_000, by))
    except Refused:
        return
    assert facts == ()


def test_it_is_over_only_when_both_the_grant_and_the_review_are():
    ended, _ = play([(Revoke("stop"), ANNA, 1)])
    assert not ended.is_over
    assert play([(SignOff("fine"), CLEO, 1)], first=ended)[0].is_over
    signed, _ = play([(SignOff("fine"), CLEO, 1)])
    assert not signed.is_over
    assert play([(Revoke("stop"), ANNA, 1)], first=signed)[0].is_over


def test_reviewers_are_reminded_when_a_quarter_of_their_time_is_left():
    assert timers(BROKEN)[Timer.REVIEW_REMIND] == T0 + WITHIN * 3 / 4
    assert timers(BROKEN)[Timer.REVIEW_OVERDUE] == T0 + WITHIN


@pytest.mark.parametrize("move", [SignOff("fine"), RaiseConcern("why?")])
def test_the_requester_under_another_home_still_cannot_review(move):
    twin = person(ANNA.id, home="T2")
    here = replace(case(1), groups=frozenset({"sre"}))
    with pytest.raises(NotAllowed, match="your own"):
        decide(BROKEN, move, by=twin, case=here)


@pytest.mark.parametrize("move", [RemindReview(), MarkOverdue()])
def test_the_clock_does_nothing_before_its_time_and_people_never_do_it(move):
    with pytest.raises(WrongState, match="has not come"):
        decide(BROKEN, move, by=BOT, case=case(1))
    with pytest.raises(NotAllowed, match="only the bot"):
        decide(BROKEN, move, by=CLEO, case=case(41, CLEO))
    assert decide(BROKEN, move, by=BOT, case=case(41))


def test_no_more_than_twenty_concerns_are_raised():
    request = BROKEN
    for number in range(20):
        request, _ = play([(RaiseConcern(f"concern {number}"), CLEO, 1)], first=request)
    with pytest.raises(WrongState, match="20 concerns"):
        decide(request, RaiseConcern("one more"), by=CLEO, case=case(1, CLEO))


def test_a_denied_break_glass_owes_no_review():
    denied = replay(opened(ASKED, settled=e.Denied, case=case(0)))
    assert denied.is_over
    assert timers(denied) == {}
    with pytest.raises(WrongState):
        decide(denied, SignOff("fine"), by=CLEO, case=case(1, CLEO))


def test_what_is_decided_cannot_be_decided_again():
    with pytest.raises(WrongState):
        decide(BROKEN, Deny("no"), by=BEN, case=case(1, BEN))
