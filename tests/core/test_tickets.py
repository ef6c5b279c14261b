from dataclasses import replace

import pytest

from bot.core.errors import Invalid
from bot.core.scopes import TicketRule, Tracker
from bot.core.tickets import Ticket, check_ticket, one_line, why_ended

RULE = TicketRule(pattern=".*", example="OPS-7", tracker=Tracker.JIRA)
OPEN = Ticket(
    id="OPS-7",
    title="Refunds hang",
    status="In Progress",
    open=True,
    project="OPS",
    assignees=("ben@acme.example", "Anna@Acme.Example"),
)
CLOSED = replace(OPEN, open=False, status="Done")
ANNA = "anna@acme.example"
THEIRS = replace(RULE, assigned=True)
IN_OPS = replace(RULE, projects=("OPS", "PAY"))


@pytest.mark.parametrize(
    ("rule", "found", "id_"),
    [
        (RULE, OPEN, "OPS-7"),
        (RULE, OPEN, "ops-7"),
        (RULE, replace(OPEN, project="", assignees=()), "OPS-7"),
        (IN_OPS, OPEN, "OPS-7"),
        (IN_OPS, replace(OPEN, project="pay"), "OPS-7"),
        (THEIRS, OPEN, "OPS-7"),
    ],
)
def test_a_ticket_that_will_do_is_returned(rule, found, id_):
    assert check_ticket(rule, id_, found, email="ANNA@acme.example") is found


@pytest.mark.parametrize(
    ("rule", "found", "email", "said"),
    [
        (RULE, None, ANNA, "there is no ticket OPS-7"),
        (RULE, replace(OPEN, id="PAY-3"), ANNA, "OPS-7 is PAY-3 now"),
        (RULE, CLOSED, ANNA, "OPS-7 is closed (Done)"),
        (RULE, replace(CLOSED, status=""), ANNA, "OPS-7 is closed"),
        (IN_OPS, replace(OPEN, project="DEV"), ANNA, "OPS-7 is not in OPS or PAY"),
        (IN_OPS, replace(OPEN, project=""), ANNA, "OPS-7 is not in OPS or PAY"),
        (THEIRS, OPEN, "cleo@acme.example", "OPS-7 is assigned to somebody else"),
        (THEIRS, replace(OPEN, assignees=()), ANNA, "OPS-7 is assigned to nobody"),
        (
            THEIRS,
            replace(OPEN, assignees=("",)),
            ANNA,
            "the tracker does not show whom OPS-7 is assigned to",
        ),
        (THEIRS, OPEN, "", "Slack does not say who OPS-7 may belong to"),
        (THEIRS, replace(OPEN, assignees=("",)), "", "Slack does not say who OPS-7 may belong to"),
    ],
)
def test_what_is_wrong_with_a_ticket_is_said_with_what_to_do(rule, found, email, said):
    with pytest.raises(Invalid) as problem:
        check_ticket(rule, "OPS-7", found, email=email)
    assert (str(problem.value), problem.value.field) == (said, "ticket")
    assert problem.value.hint


def test_a_grant_ends_when_its_ticket_is_closed_or_gone():
    assert why_ended("OPS-7", OPEN) == ""
    assert why_ended("OPS-7", CLOSED) == "OPS-7 is closed (Done)"
    assert why_ended("OPS-7", None) == "there is no ticket OPS-7 any more"


def test_what_a_tracker_says_is_one_short_line():
    assert one_line(" a\n\u202eb\x00  c" + "d" * 500, limit=20) == "a b c" + "d" * 15
