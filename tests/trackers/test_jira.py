from base64 import b64encode

import pytest

from bot.core.errors import Unavailable
from bot.outbound import open_outbound
from bot.trackers.jira import Jira
from bot.usecases.secret import Secret
from tests.contracts.tickets_contract import Shelf, TicketsContract
from tests.trackers.stand_in import LOCAL, a_service

ISSUE = "/rest/api/3/issue/"


def issue(key, *, name="In Progress", category="indeterminate", assignee=None):
    """An answer of Jira Cloud, cut down."""
    return {
        "id": "10002",
        "self": "https://acme.atlassian.net/rest/api/3/issue/10002",
        "key": key,
        "fields": {
            "summary": "Refunds <hang> & fail",
            "status": {"name": name, "statusCategory": {"id": 4, "key": category}},
            "assignee": assignee,
            "project": {"id": "1", "key": "OPS", "name": "Operations"},
        },
    }


ANNA = {"accountId": "5b", "displayName": "Anna", "emailAddress": "anna@acme.example"}
HIDDEN = {"accountId": "5c", "displayName": "Anna"}


@pytest.fixture
async def jira():
    answers = {
        f"{ISSUE}OPS-7": issue("OPS-7", assignee=ANNA),
        f"{ISSUE}OPS-8": issue("OPS-8", name="Won't do", category="done"),
        f"{ISSUE}OPS-9": issue("OPS-9", assignee=HIDDEN),
        f"{ISSUE}OPS-10": issue("NEW-1"),
        f"{ISSUE}OPS-11": 401,
        f"{ISSUE}OPS-12": {"key": "OPS-12", "fields": {"summary": "no status"}},
        f"{ISSUE}OPS-13": [],
    }
    async with a_service(answers) as service, open_outbound(LOCAL) as outbound:
        token = Secret("hush")
        yield service, Jira(outbound, url=service.url, user="bot@acme.example", token=token)


class TestJira(TicketsContract):
    @pytest.fixture
    def shelf(self, jira) -> Shelf:
        service, tickets = jira
        return Shelf(
            tickets=tickets,
            open="OPS-7",
            closed="OPS-8",
            project="OPS",
            nothing="OPS-99",
            asked=service.paths,
            go_away=service.go_away,
        )


async def test_only_what_is_needed_is_asked_for_with_our_login(jira):
    service, tickets = jira
    await tickets.find("OPS-7", people=False)
    [asked] = service.asked
    assert asked.raw_path == f"{ISSUE}OPS-7?fields=summary,status,assignee,project"
    login = b64encode(b"bot@acme.example:hush").decode()
    assert asked.headers["Authorization"] == f"Basic {login}"


async def test_the_category_of_a_status_closes_a_ticket_not_its_name(jira):
    _, tickets = jira
    found = await tickets.find("OPS-8", people=False)
    assert (found.open, found.status, found.assignees) == (False, "Won't do", ())


async def test_who_hides_their_address_is_an_assignee_without_one(jira):
    _, tickets = jira
    assert (await tickets.find("OPS-9", people=True)).assignees == ("",)


async def test_a_ticket_that_was_moved_has_its_new_id(jira):
    _, tickets = jira
    assert (await tickets.find("OPS-10", people=False)).id == "NEW-1"


@pytest.mark.parametrize(
    ("id_", "said"),
    [
        ("OPS-11", "127.0.0.1 does not accept our credentials"),
        ("OPS-12", "127.0.0.1 answered with something else than a ticket"),
        ("OPS-13", "127.0.0.1 answered with something else than a ticket"),
    ],
)
async def test_an_answer_without_a_ticket_is_unavailable(jira, id_, said):
    _, tickets = jira
    with pytest.raises(Unavailable) as problem:
        await tickets.find(id_, people=False)
    assert str(problem.value) == said


def test_people_read_a_ticket_where_jira_is():
    tickets = Jira(None, url="https://acme.atlassian.net", user="", token=Secret(""))
    assert tickets.link("OPS-7") == "https://acme.atlassian.net/browse/OPS-7"
