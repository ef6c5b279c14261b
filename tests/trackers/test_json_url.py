import pytest

from bot.core.errors import Unavailable
from bot.core.tickets import Ticket
from bot.outbound import open_outbound
from bot.trackers.json_url import JsonUrl
from bot.usecases.secret import Secret
from tests.contracts.tickets_contract import Shelf, TicketsContract
from tests.trackers.stand_in import LOCAL, a_service

FULL = {
    "id": "OPS-7",
    "title": "Refunds <hang> & fail",
    "status": "doing",
    "open": True,
    "project": "OPS",
    "assignees": ["anna@acme.example"],
    "more": {"is": "ignored"},
}


@pytest.fixture
async def desk():
    answers = {
        "/t/OPS-7": FULL,
        "/t/OPS-8": {**FULL, "id": "OPS-8", "open": False},
        "/t/OPS-9": {"open": True, "title": None},
        "/t/OPS-10": {"title": "no word on whether it is open"},
        "/t/OPS-11": {"open": "yes"},
        "/t/OPS-12": {"open": 1},
        "/q?id=OPS%2F7&x=1": FULL,
    }
    async with a_service(answers) as service, open_outbound(LOCAL) as outbound:

        def tickets(path="/t/{ticket}", token=""):
            pages = "https://desk.example/see/{ticket}"
            return JsonUrl(outbound, url=service.url + path, pages=pages, token=Secret(token))

        yield service, tickets


class TestJsonUrl(TicketsContract):
    @pytest.fixture
    def shelf(self, desk) -> Shelf:
        service, tickets = desk
        return Shelf(
            tickets=tickets(),
            open="OPS-7",
            closed="OPS-8",
            project="OPS",
            nothing="OPS-99",
            asked=service.paths,
            go_away=service.go_away,
        )


async def test_only_whether_it_is_open_must_be_said(desk):
    _, tickets = desk
    found = await tickets().find("OPS-9", people=True)
    assert found == Ticket(id="OPS-9", title="", status="", open=True)


@pytest.mark.parametrize("id_", ["OPS-10", "OPS-11", "OPS-12"])
async def test_what_does_not_say_whether_it_is_open_is_no_ticket(desk, id_):
    _, tickets = desk
    with pytest.raises(Unavailable, match="something else than a ticket"):
        await tickets().find(id_, people=True)


async def test_the_id_may_stand_in_the_query(desk):
    service, tickets = desk
    assert await tickets("/q?id={ticket}&x=1").find("OPS/7", people=True) is not None
    assert service.paths() == ["/q?id=OPS%2F7&x=1"]


async def test_a_token_is_sent_where_there_is_one(desk):
    service, tickets = desk
    await tickets(token="hush").find("OPS-7", people=True)
    await tickets().find("OPS-7", people=True)
    with_token, without = service.asked
    assert with_token.headers["Authorization"] == "Bearer hush"
    assert "Authorization" not in without.headers


async def test_people_read_a_ticket_where_the_settings_say(desk):
    _, tickets = desk
    assert tickets().link("OPS-7") == "https://desk.example/see/OPS-7"
