from datetime import timedelta

from bot.core import events as e
from bot.core.grant import token_spec
from bot.core.identity import RequestId
from bot.core.policy import Group, Stage
from bot.core.request import Request
from bot.slack.words import called, token_at
from tests.builders import ANNA, BEN, REQUEST, SIGNING, T0, a_request, granted, requested

END = T0 + timedelta(minutes=30)


def prolonged(*, at) -> Request:
    asked = requested()
    token = token_spec(
        asked, number=2, now=at, ends_at=END + timedelta(minutes=30), signing=SIGNING
    )
    extended = e.Extended(
        request=REQUEST, at=at, by=BEN, token=token, extension=RequestId("R-BBBBBBBBBBBB")
    )
    return a_request(*granted(asked, at=T0), extended)


def test_a_reminder_in_the_second_of_the_extension_was_about_the_old_end():
    second = T0 + timedelta(minutes=24)
    request = prolonged(at=second + timedelta(milliseconds=700))

    assert token_at(request.grant, second + timedelta(milliseconds=200)).expires_at == END


def test_a_later_reminder_is_about_the_new_end():
    request = prolonged(at=T0 + timedelta(minutes=24, milliseconds=700))

    assert token_at(request.grant, T0 + timedelta(minutes=54)) == request.grant.token


def test_what_happened_before_the_first_token_is_about_that_one():
    grant = prolonged(at=T0 + timedelta(minutes=24)).grant

    assert token_at(grant, T0) == grant.tokens[0]


def test_everybody_in_a_union_is_called_but_not_who_asked():
    sre = Group(name="sre", usergroup="S0SRE")
    leads = Group(name="leads", users=frozenset({ANNA.id, BEN.id}))
    either = Group(name="either", any_of=(leads, sre))
    request = a_request(stages=(Stage(name="peers", approvers=(either,)),))

    assert set(called(request).split()) == {f"<@{BEN.id}>", "<!subteam^S0SRE>"}
