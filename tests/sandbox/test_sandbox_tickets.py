import pytest
from aiohttp import ClientSession

from bot.sandbox.client import NotThere


@pytest.fixture
async def browser(sandbox):
    """What people and the bot do: requests to the stand-in."""
    async with ClientSession(sandbox.url) as session:
        yield session


async def told(browser, ticket):
    async with browser.get(f"/tickets/{ticket}/json") as answer:
        return answer.status, await answer.json() if answer.status == 200 else None


async def test_the_bot_is_told_of_a_ticket(browser, sandbox):
    assert sandbox.ticket_url == f"{sandbox.url}/tickets/{{ticket}}/json"
    assert await told(browser, "BILL-7") == (
        200,
        {
            "id": "BILL-7",
            "title": "Refund the late order of Miller Ltd.",
            "status": "In progress",
            "open": True,
            "project": "BILL",
            "assignees": ["anna@acme.example"],
        },
    )
    assert (await told(browser, "BILL-8"))[0] == 404


async def test_people_close_a_ticket_on_its_page_and_open_it_again(browser):
    async with browser.get("/tickets/BILL-7") as page:
        text = await page.text()
    assert "Assigned to Anna" in text
    assert "Close it" in text
    for verb, is_open in (("Open it again", False), ("Close it", True)):
        async with browser.post("/tickets/BILL-7") as page:
            assert verb in await page.text()
        assert (await told(browser, "BILL-7"))[1]["open"] is is_open


async def test_tests_close_tickets_and_send_the_tracker_away(acme, browser):
    await acme.closes_ticket("BILL-7")
    listed = (await acme.get("tickets"))["tickets"]
    assert {each["id"]: each["status"] for each in listed}["BILL-7"] == "Done"
    await acme.tracker_leaves(away=True)
    assert (await told(browser, "BILL-7"))[0] == 503
    await acme.tracker_leaves(away=False)
    assert (await told(browser, "BILL-7"))[0] == 200


async def test_what_cannot_be_done_is_said(acme, browser):
    with pytest.raises(NotThere, match="there is no ticket 'BILL-8'"):
        await acme.closes_ticket("BILL-8")
    with pytest.raises(NotThere, match="the body lacks open, true or false"):
        await acme.send("PATCH", "tickets/BILL-7", open="no")
    async with browser.put("/sandbox/tracker", data=b"{") as answer:
        assert (await answer.json())["error"] == "the body must be JSON"
