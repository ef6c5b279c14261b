import pytest

from bot.core.errors import Unavailable
from bot.outbound import open_outbound
from bot.trackers.github import PUBLIC_API, GitHub
from bot.usecases.secret import Secret
from tests.contracts.tickets_contract import Shelf, TicketsContract
from tests.trackers.stand_in import LOCAL, a_service


def issue(number, **over):
    """An answer of GitHub, cut down."""
    return {
        "number": number,
        "title": "Refunds <hang> & fail",
        "state": "open",
        "state_reason": None,
        "repository_url": "https://api.github.com/repos/acme/shop",
        "html_url": f"https://github.com/acme/shop/issues/{number}",
        "assignees": [{"login": "anna"}, {"login": "shy"}],
        **over,
    }


@pytest.fixture
async def github():
    answers = {
        "/repos/acme/shop/issues/7": issue(7),
        "/repos/acme/shop/issues/8": issue(8, state="closed", state_reason="completed"),
        "/repos/acme/shop/issues/9": issue(9, pull_request={"url": "https://api.github.com/x"}),
        "/repos/acme/shop/issues/10": 410,
        "/repos/acme/shop/issues/11": 403,
        "/users/anna": {"login": "anna", "email": "anna@acme.example"},
        "/users/shy": {"login": "shy", "email": None},
    }
    async with a_service(answers) as service, open_outbound(LOCAL) as outbound:
        yield service, GitHub(outbound, api=service.url, token=Secret("hush"))


class TestGitHub(TicketsContract):
    @pytest.fixture
    def shelf(self, github) -> Shelf:
        service, tickets = github
        return Shelf(
            tickets=tickets,
            open="acme/shop#7",
            closed="acme/shop#8",
            project="acme/shop",
            nothing="acme/shop#99",
            asked=service.paths,
            go_away=service.go_away,
        )


async def test_assignees_are_looked_up_only_where_they_are_wanted(github):
    service, tickets = github
    await tickets.find("acme/shop#7", people=False)
    assert service.paths() == ["/repos/acme/shop/issues/7"]
    assert service.asked[0].headers["Authorization"] == "Bearer hush"
    assert service.asked[0].headers["X-GitHub-Api-Version"]


async def test_who_shows_no_address_is_an_assignee_without_one(github):
    _, tickets = github
    found = await tickets.find("acme/shop#7", people=True)
    assert found.assignees == ("anna@acme.example", "")


async def test_why_it_was_closed_is_a_part_of_the_status(github):
    _, tickets = github
    assert (await tickets.find("acme/shop#8", people=False)).status == "closed: completed"


@pytest.mark.parametrize("number", [9, 10])
async def test_a_pull_request_and_what_was_deleted_are_no_tickets(github, number):
    _, tickets = github
    assert await tickets.find(f"acme/shop#{number}", people=True) is None


async def test_a_token_that_does_not_count_is_unavailable(github):
    _, tickets = github
    with pytest.raises(Unavailable, match="does not accept our credentials"):
        await tickets.find("acme/shop#11", people=True)


@pytest.mark.parametrize(
    "id_", ["7", "#7", "shop#7", "acme/shop#", "acme/..#7", "a/b/c#7", "-/x#1"]
)
async def test_what_is_not_called_like_an_issue_is_not_asked_for(github, id_):
    service, tickets = github
    assert await tickets.find(id_, people=True) is None
    assert tickets.link(id_) == ""
    assert service.paths() == []


def test_people_read_a_ticket_on_the_pages_of_that_github():
    public = GitHub(None, api=PUBLIC_API, token=Secret(""))
    assert public.link("acme/shop#7") == "https://github.com/acme/shop/issues/7"
    own = GitHub(None, api="https://git.acme.example/api/v3", token=Secret(""))
    assert own.link("acme/shop#7") == "https://git.acme.example/acme/shop/issues/7"
