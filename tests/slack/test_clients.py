"""What Slack shows of clients that ask: who, whose, from where; and never a token."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.machine import Machine
from bot.core.request import Request, evolve, replay
from bot.slack.buttons import Action
from bot.slack.cards import request_card
from bot.slack.clients import alarms, named_dm
from bot.slack.lines import thread_line
from bot.usecases.ports import Story
from tests.builders import ANNA, BEN, REQUEST, T0, a_request, granted, requested
from tests.slack.looks import ATTACKS, CARD, buttons, must_fit, parts

CI = Machine(client="ci", owner="owners", address="10.0.0.7", code="AB-12", alarm="#alarms")
ITSELF, FOR_ANNA = {"by": CI.actor, "machine": CI}, {"by": ANNA, "machine": CI}
COMMON: e.Common = {"request": REQUEST, "at": T0, "by": ANNA}
LATER = T0 + timedelta(minutes=1)


def said(shown) -> str:
    must_fit(shown)
    return "\n".join(parts(shown.blocks, "mrkdwn"))


def test_the_card_says_who_calls_from_where_and_who_answers_for_it():
    told = said(request_card(a_request(**ITSELF)))
    assert "`ci` asks for *Read billing* for *30m*" in told
    for part in ("*Client*  `ci`, for which `owners` answers", "`10.0.0.7`", "*Code*  `AB-12`"):
        assert part in told
    assert "*Client*" not in said(request_card(a_request()))


def test_it_says_in_whose_name():
    told = said(request_card(a_request(**FOR_ANNA)))
    assert f"`ci` asks for *Read billing* for *30m* in the name of <@{ANNA.id}>" in told
    one = replace(CI, owner=BEN.id, code="")
    told = said(request_card(a_request(by=one.actor, machine=one)))
    assert f"for which <@{BEN.id}> answers" in told
    assert "*Code*" not in told


def test_a_client_is_asked_nothing_and_a_person_may_be():
    assert Action.QUESTION not in buttons(request_card(a_request(**ITSELF)))
    assert Action.QUESTION in buttons(request_card(a_request(**FOR_ANNA)))


def test_the_thread_says_who_asked_and_that_the_token_was_handed_over():
    request = a_request(**FOR_ANNA)
    line = thread_line(request.asked, request)
    assert line is not None
    assert line.text == f"🙋 `ci` asked for Read billing for 30m in the name of <@{ANNA.id}>"
    line = thread_line(e.Delivered(**COMMON, jti="G-AAAAAAAAAAAA.1"), request)
    assert line is not None
    assert line.text == "📬 Handed to the client `ci`"
    line = thread_line(e.Disowned(**COMMON), request)
    assert line is not None
    assert line.text == f"🚨 <@{ANNA.id}> says: not me. The client does not act for them"


def played(*more: e.Event, **whose) -> Request:
    asked = requested(**whose)
    request = Request(asked=asked)
    for fact in (*granted(asked, at=LATER), *more):
        request = evolve(request, fact)
    return request


def test_the_person_named_can_say_not_me_as_long_as_there_is_something_to_end():
    for request in (a_request(**FOR_ANNA), played(**FOR_ANNA)):
        note = named_dm(request.asked, request)
        assert note is not None
        told = said(note)
        for part in ("`ci` asks in your name", "`10.0.0.7`", "`AB-12`", "incident 7", "`owners`"):
            assert part in told
        assert buttons(note) == [Action.NOT_ME]
    for request in (
        a_request(e.Denied(**COMMON, reason="no"), **FOR_ANNA),
        played(e.Revoked(**{**COMMON, "at": LATER}, reason="no"), **FOR_ANNA),
    ):
        note = named_dm(request.asked, request)
        assert note is not None
        assert not buttons(note)


def test_what_became_of_it_is_told_to_whom_it_names_and_to_nobody_else():
    denied = e.Denied(**{**COMMON, "by": BEN}, reason="not now")
    for fact, part in (
        (denied, f"<@{BEN.id}> denied"),
        (granted(requested(**FOR_ANNA), at=LATER)[-1], "`ci` got"),
        (e.Ended(**COMMON), "is over"),
        (e.Revoked(**{**COMMON, "by": BEN}, reason="enough"), f"<@{BEN.id}> ended"),
    ):
        note = named_dm(fact, a_request(**FOR_ANNA))
        assert note is not None
        assert part in said(note)
        assert named_dm(fact, a_request(**ITSELF)) is None
        assert named_dm(fact, a_request()) is None


def story(*facts: e.Event, **whose) -> Story:
    history = (requested(**whose), *facts)
    return Story(request=replay(history), history=history, token=None, now=LATER)


def test_security_is_told_that_it_was_not_them():
    facts = (e.Disowned(**COMMON), e.Denied(**COMMON, reason="no"))
    [notice] = alarms(story(*facts, **FOR_ANNA), CARD)
    assert notice.channel == "#alarms"
    told = said(notice.shown)
    for part in (f"<@{ANNA.id}> says: *not me*", "`ci`", "`10.0.0.7`", REQUEST, "Open the card"):
        assert part in told
    assert not list(alarms(story(**FOR_ANNA), ""))
    quiet = {"by": ANNA, "machine": replace(CI, alarm="")}
    assert not list(alarms(story(*facts, **quiet), ""))


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_client_says_cannot_become_format(attack):
    machine = replace(CI, address=attack[:60], code=attack[:20])
    request = a_request(by=ANNA, machine=machine, reason=attack)
    note = named_dm(request.asked, request)
    assert note is not None
    must_fit(request_card(request))
    must_fit(note)
