"""The grammar of /jit."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Invalid, NotFound, Refused
from bot.core.identity import RequestId
from bot.slack import commands as c
from bot.slack.mrkdwn import REASON_TEXT
from bot.usecases.wishes import Wish
from tests.slack.looks import texts
from tests.slack.policies import POLICY

HOUR = timedelta(hours=1)
ID = RequestId("R-7K3M00000000")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", c.Help()),
        ("  HELP ", c.Help()),
        ("bundles", c.Bundles()),
        ("list", c.List()),
        ("status", c.Status(None)),
        ("status r-7k3m00000000", c.Status(ID)),
        ("status G-7K3M00000000", c.Status(ID)),
        ("cancel 7K3M00000000", c.Cancel(ID)),
        ("revoke “R-7K3M00000000”", c.Revoke(ID)),
        ("revoke R-7K3M00000000 no longer needed", c.Revoke(ID, "no longer needed")),
        ("why logs", c.Why(Wish(bundle="logs"))),
        (
            "why logs 30m to look",
            c.Why(Wish(bundle="logs", duration=timedelta(minutes=30), reason="to look")),
        ),
        ("why", c.Unknown("why", "why BUNDLE")),
        ("break-glass logs", c.BreakGlass(Wish(bundle="logs"))),
        (
            "break-glass logs 5m --ticket INC-1 it is down",
            c.BreakGlass(
                Wish(
                    bundle="logs",
                    duration=timedelta(minutes=5),
                    reason="it is down",
                    ticket="INC-1",
                )
            ),
        ),
        ("break-glass", c.Unknown("break-glass", "break-glass BUNDLE")),
        ("breakglass logs", c.Unknown("breakglass logs", "break-glass")),
        (
            "request logs 1h from tomorrow 09:00 to ship the fix",
            c.Ask(
                Wish(bundle="logs", duration=timedelta(hours=1), reason="to ship the fix"),
                "tomorrow 09:00",
            ),
        ),
        ("request logs FROM Friday at 9:30", c.Ask(Wish(bundle="logs"), "Friday at 9:30")),
        ("why logs 1h from 14:00", c.Why(Wish(bundle="logs", duration=HOUR), "14:00")),
        (
            "request logs from 2026-11-23 09:00 --ticket OPS-1 why not",
            c.Ask(Wish(bundle="logs", reason="why not", ticket="OPS-1"), "2026-11-23 09:00"),
        ),
        (
            "request logs 1h from the logs I see that",
            c.Ask(Wish(bundle="logs", duration=HOUR, reason="from the logs I see that")),
        ),
        (
            "request logs from monday's outage",
            c.Ask(Wish(bundle="logs", reason="from monday's outage")),
        ),
        (
            "request logs “from 09:00 on it was slow”",
            c.Ask(Wish(bundle="logs", reason="from 09:00 on it was slow")),
        ),
        ("break-glass logs from 14:00", c.BreakGlass(Wish(bundle="logs"), "14:00")),
        ("cancel", c.Unknown("cancel", "cancel ID")),
        ("revoke", c.Unknown("revoke", "revoke ID")),
        ("reqest logs", c.Unknown("reqest logs", "request")),
        ("frobnicate", c.Unknown("frobnicate")),
    ],
)
def test_what_each_command_means(typed, meant):
    assert c.read_command(typed) == meant


@pytest.mark.parametrize("day", ["tomorrow", "friday", "2026-11-23"])
def test_a_start_needs_a_time_of_the_day(day):
    with pytest.raises(Invalid) as caught:
        c.read_command(f"request logs 1h from {day} to look")
    assert str(caught.value) == f"say at what time {day} it is to start"
    assert (caught.value.field, caught.value.hint) == ("start", f"write: from {day} 09:00")


FULL = Wish(
    bundle="deploy", duration=timedelta(minutes=30), reason="roll back release 7", ticket="INC-12"
)


@pytest.mark.parametrize(
    "typed",
    [
        "request deploy 30m --ticket INC-12 roll back release 7",
        "request deploy 30m roll back release 7 --ticket INC-12",
        "request deploy --ticket=INC-12 30m roll back release 7",
        "request deploy 30m —ticket INC-12 roll back release 7",
        "request deploy 30m \u2013-ticket “INC-12” “roll back release 7”",
        "request  deploy\t30m  --ticket 'INC-12'  roll back\nrelease 7 ",
        'REQUEST "deploy" 30M --TICKET INC-12 "roll back release 7"',
    ],
)
def test_the_parts_of_a_request_in_every_spelling(typed):
    assert c.read_command(typed) == c.Ask(FULL)
    assert c.is_complete(FULL, POLICY)


@pytest.mark.parametrize(
    ("typed", "wish"),
    [
        ("request", Wish(bundle="")),
        ("request logs", Wish(bundle="logs")),
        ("request logs 2h", Wish(bundle="logs", duration=timedelta(hours=2))),
        ("request logs short", Wish(bundle="logs", reason="short")),
        ("request deploy roll back release 7", Wish(bundle="deploy", reason="roll back release 7")),
        ("request deploy --ticket INC-1", Wish(bundle="deploy", ticket="INC-1")),
        ("request deploy --ticket", Wish(bundle="deploy")),
    ],
)
def test_what_is_missing_makes_a_wish_incomplete(typed, wish):
    assert c.read_command(typed) == c.Ask(wish)
    assert not c.is_complete(wish, POLICY)


def test_an_unknown_bundle_is_not_a_missing_one():
    assert c.is_complete(Wish(bundle="nope", reason="because of reasons"), POLICY)


@pytest.mark.parametrize("typed", ["2hours", "1.5h", "30 min", "-5m", "2 Hours", "3weeks", "90 s"])
def test_a_duration_that_is_none_is_refused_rather_than_taken_for_the_reason(typed):
    with pytest.raises(Invalid, match="write 30m, 2h") as problem:
        c.read_command(f"request logs {typed} look at errors")
    assert problem.value.field == "duration"


@pytest.mark.parametrize("reason", ["500 errors in production", "3 invoices are wrong"])
def test_a_reason_may_begin_with_a_number(reason):
    assert c.read_command(f"request logs {reason}") == c.Ask(Wish(bundle="logs", reason=reason))


@pytest.mark.parametrize("typed", ["status foo", "cancel R-A:B*", "revoke R-ILOU00000000"])
def test_what_has_not_the_form_of_an_id_is_refused(typed):
    with pytest.raises(NotFound, match="not an id"):
        c.read_command(typed)


@given(st.one_of(texts, texts.map(lambda text: f"request {text}")))
def test_whatever_is_typed_is_a_command_or_refused(typed):
    try:
        command = c.read_command(typed)
    except Refused:
        return
    assert isinstance(command, c.Command)
    if isinstance(command, c.Ask):
        assert len(command.wish.reason) <= REASON_TEXT
