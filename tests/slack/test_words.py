from datetime import timedelta

from bot.core import events as e
from bot.core.grant import token_spec
from bot.core.identity import RequestId
from bot.core.policy import Group, Stage
from bot.core.request import Request
from bot.core.sources import Manager, Provider, Rota
from bot.slack.cards import request_card
from bot.slack.lines import thread_line
from bot.slack.words import called, token_at
from tests.builders import (
    ANNA,
    BEN,
    LEADS,
    REQUEST,
    SIGNING,
    T0,
    a_request,
    granted,
    requested,
)
from tests.slack.looks import parts

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


ROTA = Rota(provider=Provider.PAGERDUTY, schedule="PSRE123")
ON_CALL = Group(name="sre-oncall", on_call=ROTA)
MANAGER = Group(name="manager", manager=Manager(profile_field="Xf0MANAGER"))
ELSEWHERE = Stage(name="peers", approvers=(LEADS, ON_CALL, MANAGER))


def card(found, *stages):
    return "\n".join(parts(request_card(a_request(stages=stages), found).blocks, "mrkdwn"))


def test_who_is_on_call_and_who_the_manager_is_stand_on_the_card():
    shown = card({"sre-oncall": frozenset({"U0DAN"}), "manager": frozenset({"U0EVA"})}, ELSEWHERE)
    assert "from `leads` or `sre-oncall` (<@U0DAN>) or `manager` (<@U0EVA>)" in shown
    assert "⚠️" not in shown


def test_a_group_that_cannot_be_read_is_named_on_the_card():
    shown = card({"sre-oncall": None, "manager": None}, ELSEWHERE)
    assert (
        "⚠️ on-call of `PSRE123` cannot be read now, so nobody can approve as one of `sre-oncall`"
    ) in shown
    assert (
        "⚠️ the manager of <@UANNA> cannot be read now, so nobody can approve as one of `manager`"
    ) in shown
    assert "from `leads` or `sre-oncall` or `manager`" in shown


def test_a_rota_on_which_nobody_is_now_says_so():
    assert "from `sre-oncall` (nobody now)" in card(
        {"sre-oncall": frozenset()}, Stage(name="peers", approvers=(ON_CALL,))
    )


def test_many_people_on_call_are_named_so_far_as_there_is_room():
    many = frozenset(f"U0{number}" for number in range(10, 17))
    shown = card({"sre-oncall": many}, Stage(name="peers", approvers=(ON_CALL,)))
    assert "(<@U010>, <@U011>, <@U012>, <@U013>, 3 more)" in shown


def test_a_later_stage_names_its_group_alone():
    later = Stage(name="later", approvers=(ON_CALL,))
    shown = card({"sre-oncall": frozenset({"U0DAN"})}, ELSEWHERE, later)
    assert shown.count("<@U0DAN>") == 1


def test_a_union_shows_whoever_is_on_call_in_it():
    union = Stage(name="peers", approvers=(Group(name="all", any_of=(LEADS, ON_CALL)),))
    assert "from `all` (<@U0DAN>)" in card({"sre-oncall": frozenset({"U0DAN"})}, union)
    unknown = card({"sre-oncall": None}, union)
    assert (
        "on-call of `PSRE123` cannot be read now, so nobody can approve as one of `all`" in unknown
    )


def test_whoever_is_on_call_is_called_and_never_who_asked():
    request = a_request(stages=(ELSEWHERE,))
    found = {"sre-oncall": frozenset({"U0DAN", ANNA.id}), "manager": None}
    assert called(request, found).split() == ["<@UBEN>", "<@UCLEO>", "<@U0DAN>"]
    line = thread_line(request.asked, request, found)
    assert parts(line.blocks, "mrkdwn")[0].endswith("👉 <@UBEN> <@UCLEO> <@U0DAN>")
