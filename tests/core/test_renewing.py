"""Tokens that die before their grant, as `token_max` of an API wants it."""

from datetime import timedelta
from functools import reduce

import pytest

from bot.core import events as e
from bot.core.errors import NotAllowed, TooLate, WrongState
from bot.core.grant import Signing, granted
from bot.core.identity import BOT, person
from bot.core.lifecycle import decide
from bot.core.moves import End, Extend, Renew, Warn
from bot.core.permission import Circumstances
from bot.core.request import Request, evolve, timers
from bot.core.states import GrantState, Timer
from tests.builders import ANNA, T0, requested

SIGNING = Signing(issuer="https://jit.example", kid="k1")
FIRST, SECOND = "G-AAAAAAAAAAAA.1", "G-AAAAAAAAAAAA.2"


def at(minutes):
    return T0 + timedelta(minutes=minutes)


def case(minutes):
    return Circumstances(now=at(minutes), signing=SIGNING)


def live(**over):
    """Return a request with a grant of 30 minutes from T0, whose tokens live for 8."""
    given = {"duration": timedelta(minutes=30), "longest": timedelta(minutes=60)}
    asked = requested(**{**given, "token_max": timedelta(minutes=8), **over})
    approved = e.Approved(request=asked.request, at=T0, by=BOT)
    facts = (approved, *granted(asked, now=T0, by=BOT, signing=SIGNING))
    return reduce(evolve, facts, Request(asked=asked))


def renewed(request, jti, minutes):
    return reduce(evolve, decide(request, Renew(jti), by=ANNA, case=case(minutes)), request)


def test_the_token_dies_and_the_grant_goes_on():
    request = live()
    assert (request.grant.token.expires_at, request.grant.ends_at) == (at(8), at(30))
    assert timers(request)[Timer.END] == at(30)
    with pytest.raises(WrongState, match="not reached its end"):
        decide(request, End(), by=BOT, case=case(9))


def test_a_further_token_lives_as_long_again_and_never_past_the_end():
    request = renewed(live(), FIRST, 9)
    assert (request.grant.token.jti, request.grant.token.expires_at) == (SECOND, at(17))
    assert request.grant.tokens[0].expires_at == at(8)
    assert request.grant.delivered_at is None
    last = renewed(request, SECOND, 25)
    assert (last.grant.token.expires_at, last.grant.ends_at) == (at(30), at(30))
    with pytest.raises(WrongState, match="for as long as the access does"):
        decide(last, Renew(last.grant.token.jti), by=ANNA, case=case(29))


def test_the_end_and_its_reminder_stay_where_they_are():
    request = live()
    assert timers(renewed(request, FIRST, 9))[Timer.WARN] == timers(request)[Timer.WARN]
    assert timers(renewed(request, FIRST, 9))[Timer.END] == at(30)
    warned = reduce(evolve, decide(request, Warn(), by=BOT, case=case(26)), request)
    assert renewed(warned, FIRST, 27).grant.state is GrantState.EXPIRING


def test_the_same_press_twice_is_one_token():
    request = renewed(live(), FIRST, 9)
    assert decide(request, Renew(FIRST), by=ANNA, case=case(9)) == ()


def test_tokens_are_not_piled_up():
    with pytest.raises(WrongState, match="a new one can be had in 1m30s"):
        decide(live(), Renew(FIRST), by=ANNA, case=case(2.5))
    assert decide(live(), Renew(FIRST), by=ANNA, case=case(4))


def test_nobody_else_has_one_and_nobody_after_the_end():
    with pytest.raises(NotAllowed):
        decide(live(), Renew(FIRST), by=person("U0BEN", home="T1"), case=case(9))
    with pytest.raises(TooLate):
        decide(live(), Renew(FIRST), by=ANNA, case=case(30))
    with pytest.raises(WrongState, match="no such token"):
        decide(live(), Renew(SECOND), by=ANNA, case=case(9))


def test_a_grant_whose_tokens_live_as_long_needs_none():
    with pytest.raises(WrongState, match="for as long as the access does"):
        decide(live(token_max=None), Renew(FIRST), by=ANNA, case=case(20))
    assert live(token_max=timedelta(hours=2)).grant.ends_at == at(30)


def test_more_time_moves_the_end_and_not_the_life_of_tokens():
    request = live()
    extension = requested(
        request="R-BBBBBBBBBBBB",
        duration=timedelta(minutes=30),
        longest=timedelta(minutes=60),
        extends=request.id,
    )
    (extended,) = decide(request, Extend(extension), by=BOT, case=case(20))
    longer = evolve(request, extended)
    assert (longer.grant.token.expires_at, longer.grant.ends_at) == (at(28), at(60))
    assert timers(longer)[Timer.END] == at(60)
