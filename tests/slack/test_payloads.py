import time

import pytest
from slack_sdk.signature import SignatureVerifier

from bot.core.identity import person
from bot.sandbox.delivery import sign
from bot.slack.over_http import is_signed
from bot.slack.payloads import read_click, read_submission, read_typed

SECRET = "signing secret"
HOME = {"id": "T0DEMO", "domain": "acme"}


def a_click(**over):
    return {
        "type": "block_actions",
        "team": HOME,
        "enterprise": None,
        "user": {"id": "U0ANNA", "team_id": "T0DEMO"},
        "container": {"type": "message", "message_ts": "1.2", "channel_id": "C0ACCESS"},
        "trigger_id": "trigger",
        "response_url": "https://slack.test/response",
        "actions": [{"action_id": "approve", "value": "R-1.2", "type": "button"}],
        **over,
    }


def a_form(**over):
    view = {"id": "V1", "callback_id": "request", "state": {"values": {}}}
    return {
        "team": HOME,
        "enterprise": None,
        "user": {"id": "U0ANNA", "team_id": "T0DEMO"},
        "view": view,
        **over,
    }


def typed(**over):
    plain = {"user_id": "U0ANNA", "team_id": "T0DEMO", "trigger_id": "trigger", "text": "help"}
    return {**plain, **over}


def test_a_command_tells_who_typed_what():
    read = read_typed(typed())
    assert (read.by, read.text) == (person("U0ANNA", home="T0DEMO"), "help")
    assert read_typed(typed(text=None)).text == ""


def test_a_click_tells_who_pressed_what_and_where():
    click = read_click(a_click())
    assert click.by == person("U0ANNA", home="T0DEMO")
    assert (click.action, click.value) == ("approve", "R-1.2")
    assert (click.channel, click.ts) == ("C0ACCESS", "1.2")
    assert click.view is None


@pytest.mark.parametrize(
    ("action", "value", "held"),
    [("approve", "R-1.2", True), ("deny", "R-1.2", False), ("approve", "R-2.2", False)],
)
def test_a_click_tells_whether_its_message_holds_that_button(action, value, held):
    button = {"type": "button", "action_id": action, "value": value}
    blocks = [{"type": "section"}, {"type": "actions", "elements": [button]}]
    assert read_click(a_click(message={"blocks": blocks})).held is held
    assert not read_click(a_click()).held


def test_a_choice_in_a_view_has_no_message():
    view = {"id": "V1"}
    action = {"action_id": "choose_bundle", "selected_option": {"value": "read"}}
    click = read_click(a_click(container={"type": "view"}, view=view, actions=[action]))
    assert (click.channel, click.ts, click.value) == ("", "", "")
    assert click.view == view


@pytest.mark.parametrize(
    ("team", "enterprise", "theirs", "home"),
    [
        ("T0DEMO", None, "T0DEMO", "T0DEMO"),
        ("T0DEMO", None, "T0OTHER", "T0OTHER"),
        ("T0DEMO", None, None, ""),
        ("T0DEMO", "E0ORG", "T0DEMO", "E0ORG"),
        ("T0DEMO", "E0ORG", "E0ORG", "E0ORG"),
        ("T0DEMO", "E0ORG", "T0OTHER", "T0OTHER"),
        (None, None, None, ""),
        (None, "E0ORG", "E0ORG", "E0ORG"),
    ],
)
def test_whoever_is_not_clearly_ours_is_not_ours(team, enterprise, theirs, home):
    told = {
        "team": {"id": team} if team else None,
        "enterprise": {"id": enterprise} if enterprise else None,
        "user": {"id": "U0ANNA", "team_id": theirs},
    }
    expected = person("U0ANNA", home=home)
    assert read_click(a_click(**told)).by == expected
    assert read_submission(a_form(**told)).by == expected


@pytest.mark.parametrize(
    ("told", "home"),
    [
        ({"team_id": "T0DEMO"}, "T0DEMO"),
        ({"team_id": "T0DEMO", "enterprise_id": "E0ORG"}, "E0ORG"),
        ({"team_id": None}, ""),
    ],
)
def test_the_home_of_who_typed(told, home):
    assert read_typed(typed(**told)).by.home == home


def test_the_same_delivery_has_the_same_name_and_another_has_not():
    assert read_click(a_click()).delivery == read_click(a_click()).delivery
    others = [
        read_click(a_click(trigger_id="another")),
        read_click(a_click(actions=[{"action_id": "deny"}])),
        read_typed(typed()),
        read_submission(a_form()),
        read_submission(a_form(view={"id": "V2", "callback_id": "request"})),
    ]
    names = {read_click(a_click()).delivery, *(other.delivery for other in others)}
    assert len(names) == len(others) + 1
    again = a_form(view={"id": "V1", "callback_id": "request", "hash": "later"})
    assert read_submission(again).delivery == read_submission(a_form()).delivery


def signed(body, *, secret=SECRET, age_s=0, **over):
    stamp = str(int(time.time()) - age_s)
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": sign(secret, stamp, body.decode()),
        **over,
    }
    given = {name: value for name, value in headers.items() if value is not None}
    return is_signed(given, body, SignatureVerifier(SECRET))


def test_only_what_slack_signed_a_moment_ago_is_signed():
    body = "text=münze".encode()
    assert signed(body)
    assert signed(body, age_s=290)
    assert not signed(body, age_s=310)
    assert not signed(body, age_s=-310)
    assert not signed(body, secret="another")


@pytest.mark.parametrize("stamp", [None, "", "now", "1e9", "9" * 5000, "²"])
def test_a_time_that_is_none_is_no_signature(stamp):
    assert not signed(b"text=1", **{"X-Slack-Request-Timestamp": stamp})


@pytest.mark.parametrize("signature", [None, "", "v0=", "v0=ö", "v1=" + "0" * 64])
def test_a_signature_that_is_none_is_no_signature(signature):
    assert not signed(b"text=1", **{"X-Slack-Signature": signature})


def test_a_body_that_is_no_text_was_not_signed():
    stamp = str(int(time.time()))
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + "0" * 64}
    assert not is_signed(headers, b"\xff", SignatureVerifier(SECRET))
