"""What approvers open from the card, and the requester's answer."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import Invalid, NotFound
from bot.core.moves import Narrow
from bot.core.policy import Group, Stage
from bot.core.request import shown_digest
from bot.core.scopes import ScopeText
from bot.core.usage import Seen, Tally, usage_of
from bot.slack.approver_forms import (
    answer_form,
    background_view,
    changed_request,
    changes_form,
    question_form,
    read_answer_form,
    read_changes_form,
    read_question_form,
)
from bot.slack.buttons import Action, question_value, read_question
from bot.slack.cards import request_card
from bot.slack.direct import outcome_dm
from bot.slack.lines import thread_line
from bot.usecases.background import Background
from tests.builders import ANNA, BEN, LEADS, REQUEST, T0, a_request, granted, requested
from tests.slack.looks import buttons, parts
from tests.slack.test_forms import element, sent

BY = {"request": REQUEST, "at": T0}
LESS = e.Narrowed(
    **BY,
    by=BEN,
    scopes=(ScopeText("invoices:read", "Read invoices"),),
    duration=timedelta(minutes=10),
    dropped=("refunds:read",),
    was=timedelta(minutes=30),
)
ASKED = e.Asked(**BY, by=BEN, number=0, text="which <!channel> bill?")
ANSWERED = e.Answered(**BY, by=ANNA, number=0, text="4711")
USED = [Tally(seen=Seen.ALLOWED, name="invoices:read", count=3, first=T0, last=T0)]
CANCELLED = e.Cancelled(**BY, by=ANNA)


def text(shown):
    return "\n".join(parts(shown if isinstance(shown, dict) else shown.blocks, "mrkdwn"))


def box(value):
    return {"type": "checkboxes", "selected_options": [{"value": each} for each in value]}


def menu(value):
    return {"type": "static_select", "selected_option": {"value": value}}


def test_the_form_of_changes_offers_what_was_asked_and_less():
    view = changes_form(a_request())
    values = [option["value"] for option in element(view, "duration")["options"]]
    assert values == ["1m", "5m", "10m", "15m", "30m"]
    assert element(view, "duration")["initial_option"]["value"] == "30m"
    assert len(element(view, "scopes-0")["initial_options"]) == 2


def test_changes_are_read_back_with_what_was_seen():
    request = a_request()
    view = changes_form(request)
    everything = ("invoices:read", "refunds:read")
    seen = shown_digest(request.asked)
    assert read_changes_form(sent(view), request.asked) == Narrow(
        seen, everything, timedelta(minutes=30)
    )
    less = sent(view, **{"scopes-0": box(["invoices:read"]), "duration": menu("5m")})
    assert read_changes_form(less, request.asked) == Narrow(
        seen, ("invoices:read",), timedelta(minutes=5)
    )
    more = sent(view, **{"scopes-0": box(["admin"])})
    with pytest.raises(Invalid, match="has no scope 'admin'"):
        read_changes_form(more, request.asked)


def test_scopes_cannot_be_left_out_of_a_single_one_or_of_more_time():
    for request in (
        a_request(scopes=(ScopeText("one"),)),
        a_request(extends=REQUEST),
    ):
        view = changes_form(request)
        assert not [b for b in view["blocks"] if b.get("block_id", "").startswith("scopes")]
        kept = read_changes_form(sent(view), request.asked).scopes
        assert kept == tuple(each.scope for each in request.asked.scopes)


def test_a_narrowing_is_told_with_what_was_taken_away():
    request = a_request(LESS)
    said = "without `refunds:read`, for *10m* instead of 30m"
    assert text(thread_line(LESS, request)) == (f"✂️ <@UBEN> approves less than was asked: {said}")
    assert said in text(outcome_dm(LESS, request))
    card = text(request_card(request))
    assert "for *10m*" in card
    assert "1 other scope of `billing-read` left out" in card
    assert "refunds:read" not in card


def test_a_question_can_be_answered_while_it_waits_for_an_answer():
    asked = a_request(ASKED)
    shown = outcome_dm(ASKED, asked)
    assert buttons(shown) == [Action.ANSWER]
    assert "which &lt;!channel&gt; bill?" in text(shown)
    answered = a_request(ASKED, ANSWERED)
    assert buttons(outcome_dm(ASKED, answered)) == []
    assert "You answered" in text(outcome_dm(ASKED, answered))
    assert buttons(outcome_dm(ASKED, a_request(ASKED, CANCELLED))) == []
    assert text(thread_line(ASKED, asked)).startswith("❓ <@UBEN> asks <@UANNA>\n> which")
    assert text(thread_line(ANSWERED, answered)) == "💬 <@UANNA> answers <@UBEN>\n> 4711"


def test_questions_and_answers_are_read_back():
    request = a_request(ASKED)
    said = {"type": "plain_text_input", "value": " 4711 "}
    assert read_question_form(sent(question_form(request), reason=said)) == (REQUEST, "4711")
    assert read_answer_form(sent(answer_form(request, 0), reason=said)) == (REQUEST, 0, "4711")
    blank = {"type": "plain_text_input", "value": " \u200b "}
    for view, read in (
        (question_form(request), read_question_form),
        (answer_form(request, 0), read_answer_form),
    ):
        with pytest.raises(Invalid):
            read(sent(view, reason=blank))


def test_a_forged_value_belongs_to_nothing():
    assert read_question(question_value(a_request(), 7)) == (REQUEST, 7)
    for value in ("", f"{REQUEST}.q", f"{REQUEST}.q01", f"{REQUEST}.q-1", f"{REQUEST}.q1\n"):
        with pytest.raises(NotFound):
            read_question(value)
    with pytest.raises(NotFound):
        changed_request({"private_metadata": "x"})


def test_details_tell_why_one_is_asked_who_else_can_act_and_what_was_had_before():
    before = a_request(*granted(requested(), at=T0))
    stages = (
        Stage(name="lead", approvers=(LEADS,)),
        Stage(name="last", approvers=(Group(name="x"),)),
    )
    behind = Background(
        request=a_request(stages=stages),
        groups=("leads", "owners"),
        people=("UBEN", "UCLEO"),
        earlier=[before],
        used=[usage_of(["invoices:read", "refunds:read"], USED, watched=True)],
    )
    told = text(background_view(behind))
    for part in (
        "*Rule*  `by-leads`\n> rule by-leads says require",
        "*You have a say* as one of `leads` or `owners`",
        "*Now*  stage `lead` of 2 waits for 1 approval from `leads`",
        "*Who can act*  <@UBEN> <@UCLEO>",
        "Read invoices  `invoices:read`",
        "what <@UANNA> had of `billing-read` lately",
        "🔑 *Works* until",
        "·  *Used*: `invoices:read` 3 times; *never used*: `refunds:read`",
    ):
        assert part in told, part
    nothing = text(background_view(replace(behind, people=(), earlier=[])))
    assert "not all groups can be read now" in nothing
    assert "had nothing of `billing-read` lately" in nothing


def test_the_form_of_changes_belongs_to_what_was_shown():
    one, other = a_request(), a_request(LESS)
    assert changed_request(changes_form(one)) != changed_request(changes_form(other))
