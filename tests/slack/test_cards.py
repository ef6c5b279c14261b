"""Cards, thread lines and direct messages over random histories."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from bot.core import events as e
from bot.core.errors import NotFound
from bot.core.identity import BOT, Actor, Kind, RequestId
from bot.core.lifecycle import opened
from bot.core.permission import Circumstances
from bot.core.policy import Group, Stage
from bot.core.request import Request, evolve, replay, shown_digest
from bot.core.scopes import Delivery, Risk, ScopeText, Tracker
from bot.core.states import GrantState
from bot.core.tickets import SeenTicket
from bot.core.usage import usage_of
from bot.slack.answers import list_text, status_text
from bot.slack.approver_forms import (
    answer_form,
    background_view,
    changes_form,
    question_form,
)
from bot.slack.buttons import (
    Action,
    button_value,
    read_button,
    read_token_button,
    token_button_value,
)
from bot.slack.cards import request_card, retired_card
from bot.slack.direct import TOKEN_TEXT, outcome_dm, token_dm, warning_dm
from bot.slack.lines import LINE_TEXT, thread_line
from bot.slack.modals import (
    deny_form,
    details_form,
    message_modal,
    read_deny_form,
    read_details_form,
    token_modal,
)
from bot.slack.mrkdwn import ACCESSIBILITY_LABEL, Rendered
from bot.slack.use import alarm
from bot.usecases.background import Background
from tests.builders import (
    ANNA,
    BEN,
    CLEO,
    REQUEST,
    SIGNING,
    T0,
    a_request,
    ended,
    granted,
    requested,
)
from tests.core.test_lifecycle import play
from tests.slack.looks import (
    ATTACKS,
    asks,
    buttons,
    must_fit,
    parts,
    steps,
    texts,
    tokens_of,
    view_must_fit,
)

TOKEN = "eyJhbGciOiJSUzI1NiJ9." + "t" * 2000
thorough = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def every_message(played):
    """Return all messages of a history: (what, message)."""
    request = played.request
    for event in played.events:
        yield "line", thread_line(event, request)
        yield "dm", outcome_dm(event, request)
        if isinstance(event, e.Misused):
            yield from (("alarm", alarm(event, each)) for each in (played.snapshots[0], request))
    for snapshot in played.snapshots:
        yield "card", request_card(snapshot)
        yield "copy", retired_card(snapshot)
        yield "warning", warning_dm(snapshot)
        yield "status", status_text(snapshot)
        yield "list", list_text([snapshot] * 20)
        for number in range(1, tokens_of(snapshot) + 1):
            yield "token", token_dm(snapshot, number, None)


@thorough
@given(asks, steps)
def test_slack_takes_every_message_of_every_history(first, script):
    for _, shown in every_message(play(first, script)):
        if shown is not None:
            must_fit(shown)


@thorough
@given(asks, steps)
def test_slack_takes_every_modal_of_every_history(first, script):
    for snapshot in play(first, script).snapshots:
        view_must_fit(deny_form(snapshot))
        view_must_fit(details_form(snapshot))
        view_must_fit(token_modal(snapshot, TOKEN))
        view_must_fit(changes_form(snapshot))
        view_must_fit(question_form(snapshot))
        for number in range(len(snapshot.questions)):
            view_must_fit(answer_form(snapshot, number))
        behind = Background(
            request=snapshot,
            groups=("leads",),
            people=("UBEN",),
            earlier=[snapshot] * 5,
            used=[usage_of([text.scope for text in first.scopes], (), watched=True)] * 5,
        )
        view_must_fit(background_view(behind))


@thorough
@given(asks, steps)
def test_the_same_state_always_gives_the_same_bytes(first, script):
    played = play(first, script)
    again = play(first, script)
    assert list(every_message(played)) == list(every_message(again))


@thorough
@given(asks, steps)
def test_buttons_are_there_only_while_they_work(first, script):
    for snapshot in play(first, script).snapshots:
        shown = set(buttons(request_card(snapshot)))
        pending, works = snapshot.waits_for is not None, snapshot.working_grant is not None
        assert (Action.DENY in shown) == pending
        waits = snapshot.waiting_grant is not None
        assert (Action.REVOKE in shown) == (works or waits)
        assert ({Action.QUESTION, Action.DETAILS} <= shown) == pending
        assert (Action.NARROW in shown) == (Action.APPROVE in shown)
        assert pending or Action.APPROVE not in shown
        assert works or not buttons(warning_dm(snapshot))
        assert (Action.CANCEL in buttons(outcome_dm(first, snapshot))) == pending
        approval = e.Approved(request=first.request, at=first.at, by=BEN)
        offered = set(buttons(outcome_dm(approval, snapshot)))
        claimable = waits and snapshot.waiting_grant.claim_by is not None
        planned = waits and snapshot.waiting_grant.starts_at is not None
        assert (Action.START in offered) == claimable
        assert (Action.END_NOW in offered) == (claimable or planned)
        for number in range(1, tokens_of(snapshot) + 1):
            newest = works and number == tokens_of(snapshot)
            assert newest or not buttons(token_dm(snapshot, number, TOKEN))


@thorough
@given(asks, steps)
def test_a_card_that_can_be_approved_shows_every_scope_and_another_shows_how_many_it_hides(
    first, script
):
    for snapshot in play(first, script).snapshots:
        card = request_card(snapshot)
        told = "\n".join(parts(card.blocks, "mrkdwn"))
        lines = [line for line in told.split("\n") if line.startswith("• ")]
        missing = len(first.scopes) - len(lines)
        if missing:
            assert f"{missing} of {len(first.scopes)} scopes are not shown" in told
            assert Action.APPROVE not in buttons(card)
            assert Action.SHOW_ALL in buttons(card)
        elif snapshot.waits_for is not None:
            assert Action.APPROVE in buttons(card)


@thorough
@given(asks, steps)
def test_every_event_has_a_line_but_granted_where_started_tells_it(first, script):
    played = play(first, script)
    for event in played.events:
        line = thread_line(event, played.request)
        waits = isinstance(event, e.Granted) and (event.starts_at or event.claim_by)
        has_none = isinstance(event, e.Misused) or (isinstance(event, e.Granted) and not waits)
        assert (line is None) == has_none
        if line is not None:
            assert len(line.text) <= LINE_TEXT
            assert len(line.blocks) == 1


def without_calls(line):
    """Return the texts of a line but for those whom it calls, which it does in time only."""
    if line is None:
        return None
    return line.text, [text.partition("\n👉")[0] for text in parts(line.blocks, "mrkdwn")]


@thorough
@given(asks, steps)
def test_a_line_stays_what_it_was_when_more_happens(first, script):
    played = play(first, script)
    request = Request(asked=first)
    for event in played.events[1:]:
        request = evolve(request, event)
        then, now = thread_line(event, request), thread_line(event, played.request)
        assert without_calls(then) == without_calls(now)


@thorough
@given(asks, steps)
def test_a_token_stands_in_its_own_message_alone_and_only_while_it_is_to_be_read(first, script):
    for snapshot in play(first, script).snapshots:
        for number in range(1, tokens_of(snapshot) + 1):
            shown = token_dm(snapshot, number, TOKEN)
            must_fit(shown)
            newest = number == tokens_of(snapshot)
            assert TOKEN not in shown.text
            assert (TOKEN in str(shown.blocks)) == (newest and snapshot.token_is_readable)


def live(**over):
    asked = requested(**over)
    return a_request(*granted(asked, at=T0), **over)


def text_of(shown):
    return "\n".join(parts(shown.blocks, "mrkdwn"))


def test_a_card_tells_who_wants_what_why_how_long_and_who_must_agree():
    peers = Group(name="peers", users=frozenset({BEN.id}))
    two = Stage(name="lead", approvers=(Group(name="leads"), peers), quorum=2)
    vote = e.Voted(request=REQUEST, at=T0, by=BEN, stage=0, groups=("leads",))
    told = text_of(request_card(a_request(vote, stages=(two,), ticket="INC-7", left_out=3)))
    for part in (
        "<@UANNA> asks for *Read billing* for *30m*",
        "🟡 medium risk",
        "Waiting* for 1 more approval from `leads` or `peers`",
        "> incident 7",
        "INC-7",
        "Read invoices  `invoices:read`",
        "`refunds:read`",
        "3 other scopes of `billing-read` left out",
        "`https://billing.example`",
        "rule `by-leads`",
        "👉 `lead`  1 of 2 from `leads` or `peers`: <@UBEN>",
        "decide before <!date^",
    ):
        assert part in told


def test_a_card_tells_how_it_ended():
    denied = e.Denied(request=REQUEST, at=T0, by=CLEO, reason="not on a Friday")
    told = text_of(request_card(a_request(denied)))
    assert "Denied* by <@UCLEO>" in told
    assert "> not on a Friday" in told
    by_clock = text_of(request_card(evolve(live(), ended(at=T0 + timedelta(minutes=30)))))
    assert "🏁 *Ended*" in by_clock
    revoked = e.Revoked(request=REQUEST, at=T0, by=CLEO, reason="done early")
    told = text_of(request_card(evolve(live(), revoked)))
    assert "Ended early* by <@UCLEO>" in told
    assert "> done early" in told
    assert "decide before" not in told


def test_what_policy_decided_names_the_rule_and_the_reasons_and_nobody_can_approve_it():
    asked = requested(stages=(), reasons=("rule by-leads says deny: not in production",))
    case = Circumstances(now=T0, signing=SIGNING)
    for settled in (e.Approved, e.Denied):
        request = replay(opened(asked, settled=settled, case=case))
        card = request_card(request)
        assert "Decided by policy*  rule `by-leads`" in text_of(card)
        assert "> rule by-leads says deny: not in production" in text_of(card)
        assert not {Action.APPROVE, Action.DENY} & set(buttons(card))
    line = thread_line(e.Approved(request=REQUEST, at=T0, by=BOT), request)
    assert "Approved by policy" in line.text


def test_an_extension_says_what_it_prolongs():
    told = text_of(request_card(a_request(extends=RequestId("R-BBBBBBBBBBBB"))))
    assert "asks for *30m more* of *Read billing*" in told
    assert "prolongs R-BBBBBBBBBBBB" in told


def test_a_hundred_long_scopes_cannot_be_approved_before_all_were_seen():
    many = tuple(ScopeText(f"s{n}:" + "x" * 250, "Do it") for n in range(100))
    request = a_request(scopes=many)
    card = request_card(request)
    must_fit(card)
    assert buttons(card) == [Action.SHOW_ALL, Action.DENY, Action.QUESTION, Action.DETAILS]
    view = details_form(request)
    view_must_fit(view)
    assert view["submit"]["text"] == "Approve"
    told = "\n".join(parts(view, "mrkdwn"))
    assert all(text.scope in told for text in many)
    assert read_details_form(view) == (request.id, shown_digest(request.asked))


def test_what_does_not_even_fit_the_modal_cannot_be_approved_there():
    endless = a_request(scopes=(ScopeText("x" * 4000), ScopeText("y")))
    view = details_form(endless)
    view_must_fit(view)
    assert "submit" not in view
    assert Action.APPROVE not in buttons(request_card(endless))


def test_a_settled_request_is_not_approved_from_its_details():
    assert "submit" not in details_form(live())


@pytest.mark.parametrize("text", ATTACKS)
def test_hostile_text_stays_a_quotation_wherever_it_is_shown(text):
    asked = requested(reason=text, ticket=text)
    denied = e.Denied(request=REQUEST, at=T0, by=CLEO, reason=text)
    request = replace(a_request(denied), asked=asked)
    for shown in (
        request_card(request),
        thread_line(denied, request),
        outcome_dm(denied, request),
        thread_line(e.Refused(request=REQUEST, at=T0, by=BEN, move=text, why=text), request),
        status_text(request),
    ):
        must_fit(shown)
    view_must_fit(message_modal("Sorry", text))


def test_buttons_carry_the_request_and_what_was_shown_and_nothing_else_is_believed():
    request = a_request()
    assert read_button(button_value(request)) == (request.id, shown_digest(request.asked))
    assert read_token_button(token_button_value(request, 2)) == (REQUEST, "G-AAAAAAAAAAAA.2")
    junk = f"{button_value(request)}0"
    for broken in (
        "",
        "R-AAAAAAAAAAAA",
        "R-AAAAAAAAAAAA.xyz",
        "R-A:B*.0123456789abcdef",
        "{}",
        junk,
    ):
        with pytest.raises(NotFound):
            read_button(broken)
        with pytest.raises(NotFound):
            read_token_button(broken)


def test_every_button_says_what_it_does_to_a_screen_reader():
    row = request_card(a_request(title="x" * 200)).blocks[-1]["elements"]
    for element in row:
        assert REQUEST in element["accessibility_label"]
        assert len(element["accessibility_label"]) <= ACCESSIBILITY_LABEL


def test_ending_a_grant_is_asked_back():
    (revoke,) = request_card(live()).blocks[-1]["elements"]
    assert revoke["confirm"]["confirm"]["text"] == "End it"


def test_the_token_message_goes_from_waiting_to_readable_to_taken_out_to_dead():
    request = live()
    jti = request.grant.token.jti
    assert not buttons(token_dm(request, 1, None))
    readable = token_dm(request, 1, TOKEN)
    assert TOKEN not in readable.text
    assert f"```{TOKEN}```" in text_of(readable)
    assert buttons(readable) == [Action.GOT_IT, Action.END_NOW]
    got_it = readable.blocks[-1]["elements"][0]["value"]
    assert read_token_button(got_it) == (REQUEST, jti)
    gone = evolve(request, e.Scrubbed(request=REQUEST, at=T0, by=ANNA, jti=jti))
    assert buttons(token_dm(gone, 1, None)) == [Action.REVEAL, Action.END_NOW]
    dead = token_dm(evolve(gone, ended()), 1, None)
    assert not buttons(dead)
    assert "dead" in dead.text


def test_a_token_that_is_only_revealed_or_too_long_waits_behind_a_button():
    for shown in (
        token_dm(live(delivery=Delivery.REVEAL), 1, TOKEN),
        token_dm(live(), 1, "t" * (TOKEN_TEXT + 1)),
    ):
        assert "ttt" not in str(shown.blocks)
        assert buttons(shown) == [Action.REVEAL, Action.END_NOW]


def test_a_token_that_was_replaced_is_neither_shown_nor_revealed():
    request = live()
    newer = replace(request.grant.token, jti="G-AAAAAAAAAAAA.2")
    more = e.Extended(
        request=REQUEST, at=T0, by=BOT, token=newer, extension=RequestId("R-BBBBBBBBBBBB")
    )
    request = evolve(request, more)
    assert not buttons(token_dm(request, 1, TOKEN))
    assert TOKEN not in text_of(token_dm(request, 1, TOKEN))
    assert TOKEN in text_of(token_dm(request, 2, TOKEN))


def test_a_long_token_is_shown_in_parts_that_join_to_it():
    token = "".join(chr(97 + n % 26) for n in range(7000))
    view = token_modal(live(), token)
    view_must_fit(view)
    told = [text[3:-3] for text in parts(view, "mrkdwn") if text.startswith("```")]
    assert "".join(told) == token


def test_the_reminder_offers_more_time_and_the_end_until_it_was_extended():
    request = live()
    warned = evolve(request, e.Warned(request=REQUEST, at=T0, by=BOT))
    assert warned.grant.state is GrantState.EXPIRING
    assert buttons(warning_dm(warned)) == [Action.EXTEND, Action.END_NOW]
    assert not buttons(warning_dm(request))


def test_the_requester_is_told_every_outcome():
    by = {"request": REQUEST, "at": T0}
    api = Actor(Kind.MACHINE, "billing-api")
    told = {
        e.Denied(**by, by=CLEO, reason="no"): "<@UCLEO> denied",
        e.Denied(**by, by=BOT, reason="no"): "Policy denied",
        e.Approved(**by, by=BEN): "<@UBEN> approved",
        e.Approved(**by, by=BOT): "Policy approved",
        e.Cancelled(**by, by=ANNA): "You took back",
        e.Lapsed(**by, by=BOT): "Nobody decided",
        e.Ended(**by, by=BOT): "is over",
        e.Revoked(**by, by=ANNA, reason=""): "You ended",
        e.Revoked(**by, by=api, reason="by the API's owner"): "`billing-api` ended",
    }
    for event, part in told.items():
        shown = outcome_dm(event, a_request())
        assert part in shown.text
        again = [Action.ASK_AGAIN] if not isinstance(event, e.Approved) else []
        assert buttons(shown) == again
    asked = requested()
    recorded = outcome_dm(asked, Request(asked=asked))
    assert buttons(recorded) == [Action.CANCEL]
    assert outcome_dm(requested(stages=()), a_request(stages=())) is None


def test_a_refused_click_is_told_with_what_was_tried_and_why_not():
    refused = e.Refused(request=REQUEST, at=T0, by=BEN, move="approve", why="you are a guest")
    assert thread_line(refused, a_request()).text == (
        "🚫 <@UBEN> tried to approve this and may not: you are a guest"
    )


def test_a_denial_needs_a_reason():
    request = a_request()
    view = deny_form(request)
    state = {"values": {"reason": {"reason": {"type": "plain_text_input", "value": " late "}}}}
    assert read_deny_form({**view, "state": state}) == (request.id, "late")
    with pytest.raises(Exception, match="say why not") as problem:
        read_deny_form({**view, "state": {"values": {}}})
    assert problem.value.field == "reason"


def test_each_risk_has_a_mark_of_its_own():
    marks = {request_card(a_request(risk=level)).blocks[0]["text"]["text"][-14:] for level in Risk}
    assert len(marks) == len(Risk)


@given(texts)
def test_a_message_modal_says_something_whatever_it_is_given(text):
    view_must_fit(message_modal("Title that is much too long for a modal", text))


def test_the_line_of_a_reminder_keeps_the_end_that_it_was_about():
    request = live()
    warned = e.Warned(request=REQUEST, at=T0 + timedelta(minutes=25), by=BOT)
    before = thread_line(warned, evolve(request, warned))
    later = T0 + timedelta(minutes=26)
    newer = replace(request.grant.token, issued_at=later, expires_at=T0 + timedelta(hours=1))
    more = e.Extended(
        request=REQUEST, at=later, by=BOT, token=newer, extension=RequestId("R-BBBBBBBBBBBB")
    )
    assert thread_line(warned, evolve(evolve(request, warned), more)) == before
    assert thread_line(warned, evolve(request, warned)).text.startswith("⏰ <@UANNA>")


@pytest.mark.parametrize("reason", ["x" * 500, "&" * 500])
def test_ten_lines_can_go_out_in_one_message_however_much_was_said(reason):
    title = "&" * 150
    denied = e.Denied(request=REQUEST, at=T0, by=CLEO, reason=reason)
    lines = [thread_line(denied, a_request(title=title))] * 10
    must_fit(
        Rendered("\n".join(line.text for line in lines), [b for line in lines for b in line.blocks])
    )


SEEN = SeenTicket(
    tracker=Tracker.JIRA,
    link="https://jira.example/browse/OPS-7?a=1&b=2",
    title="Refunds *hang* <!channel>",
    status="In Progress",
)


def why_on_card(**over):
    return request_card(a_request(**over)).blocks[1]["text"]["text"]


def test_a_card_links_to_the_ticket_and_tells_its_title_and_status():
    assert why_on_card(ticket="OPS-7", seen=SEEN).endswith(
        "*Ticket*  <https://jira.example/browse/OPS-7?a=1&amp;b=2|OPS-7>"
        "  ·  Refunds \u2217hang\u2217 &lt;!channel&gt;  ·  In Progress"
    )
    bare = replace(SEEN, link="", title="", status="")
    assert why_on_card(ticket="OPS-7", seen=bare).endswith("*Ticket*  OPS-7")
    assert why_on_card(ticket="OPS-7").endswith("*Ticket*  OPS-7")
    assert "Ticket" not in why_on_card(ticket="", seen=SEEN)


def test_a_card_says_that_the_ticket_could_not_be_checked_and_why():
    unknown = replace(SEEN, title="", status="", unknown="jira.example did not answer")
    assert why_on_card(ticket="OPS-7", seen=unknown).endswith(
        "|OPS-7>  ⚠️ it could not be checked: jira.example did not answer"
    )


def test_a_grant_that_ended_with_its_ticket_tells_why_and_blames_nobody():
    asked = requested(ticket="OPS-7", seen=SEEN)
    why = "OPS-7 is closed (Done)"
    gone = e.Revoked(request=REQUEST, at=T0, by=BOT, reason=why)
    request = replay((asked, *granted(asked, at=T0), gone))
    line, note = thread_line(gone, request), outcome_dm(gone, request)
    assert line.text == f"🛑 The access has ended before its time: {why}"
    assert note.text.startswith("🛑 Your access to Read billing has ended early")
    assert why in note.text
    card = request_card(request)
    assert f"🛑 Why\n> {why}" in "\n".join(parts(card.blocks, "mrkdwn"))
    for shown in (line, note, card):
        assert "the bot" not in "\n".join((shown.text, *parts(shown.blocks, "mrkdwn")))
