import asyncio

import pytest
from aiohttp import ClientSession

from bot.sandbox.client import NotThere
from tests.sandbox.parts import a_sandbox, actions, button


@pytest.fixture
async def browser(sandbox):
    """What the page does: requests to the stand-in."""
    async with ClientSession(sandbox.url) as session:
        yield session


async def channels(acme, name):
    world = await acme.get("world", user=acme.person(name).id)
    return [channel["name"] for channel in world["channels"]]


async def test_people_see_the_channels_that_are_theirs(acme):
    public = ["general", "access-requests", "deploy-approvals"]
    assert await channels(acme, "Anna") == [*public, "partners", "jit"]
    assert await channels(acme, "Cleo") == [*public, "security-approvals", "partners", "jit"]
    assert await channels(acme, "Gus") == ["general", "access-requests", "jit"]
    assert await channels(acme, "Xenia") == ["partners", "jit"]


async def test_the_world_names_people_and_groups(acme):
    world = await acme.get("world", user="U0ANNA")
    assert world["team"] == {"id": "T0DEMO", "name": "Acme"}
    kinds = {person["id"]: person["kind"] for person in world["people"]}
    assert kinds == {
        "U0ANNA": "member",
        "U0BEN": "member",
        "U0CLEO": "member",
        "U0DAN": "member",
        "U0EVA": "member",
        "U0FINN": "member",
        "U0GUS": "guest",
        "U0OLGA": "deactivated",
        "U0XENIA": "external",
    }
    groups = {group["id"]: group["users"] for group in world["usergroups"]}
    assert groups == {
        "S0ENGINEERS": ["U0ANNA", "U0BEN", "U0CLEO", "U0DAN"],
        "S0BILLING": ["U0BEN", "U0CLEO"],
        "S0SRE": ["U0CLEO", "U0DAN"],
        "S0SECURITY": ["U0EVA"],
        "S0CONTRACT": ["U0FINN"],
    }
    [dm] = [channel for channel in world["channels"] if channel["kind"] == "im"]
    assert (dm["id"], dm["name"]) == ("D0ANNA", "jit")


async def test_a_change_wakes_those_who_can_see_it(acme, slack):
    seq = (await acme.get("world", user="U0ANNA"))["seq"]
    waiting = {
        name: asyncio.create_task(acme.get("changes", user=acme.person(name).id, after=seq))
        for name in ("Anna", "Eva")
    }
    await slack.chat_postMessage(channel="C0SECURITY", text="hi")
    assert (await waiting["Eva"])["seq"] > seq
    await asyncio.sleep(0.05)
    assert not waiting["Anna"].done()
    await slack.chat_postMessage(channel="D0ANNA", text="hi")
    assert (await waiting["Anna"])["seq"] > seq


async def test_a_change_that_was_before_is_told_at_once(acme, slack):
    seq = (await acme.get("world", user="U0ANNA"))["seq"]
    await slack.chat_postMessage(channel="D0ANNA", text="hi")
    assert (await acme.get("changes", user="U0ANNA", after=seq))["seq"] == seq + 1


async def test_a_guest_becomes_a_member_and_sees_more(acme):
    await acme.becomes("Gus", "member")
    assert "deploy-approvals" in await channels(acme, "Gus")


async def test_what_is_asked_wrongly_is_told_in_a_sentence(browser):
    async def told(method, path, **body):
        async with browser.request(method, path, **body) as answer:
            return answer.status, await answer.json()

    wrong = {
        ("GET", "/sandbox/world?user=U0NONE"): (404, "there is nobody with the id 'U0NONE'"),
        ("GET", "/sandbox/changes?user=U0ANNA&after=x"): (400, "after must be a number"),
        ("POST", "/sandbox/commands"): (400, "the body must be JSON"),
    }
    for (method, path), (status, sentence) in wrong.items():
        assert await told(method, path) == (status, {"ok": False, "error": sentence})
    lacking = await told("POST", "/sandbox/commands", json={"user": "U0ANNA"})
    assert lacking == (400, {"ok": False, "error": "the body lacks text, channel"})
    kind = await told("PATCH", "/sandbox/people/U0BEN", json={"kind": "king"})
    assert kind[0] == 400
    group = await told("PUT", "/sandbox/usergroups/S0NONE", json={"users": []})
    assert group == (404, {"ok": False, "error": "there is no user group 'S0NONE'"})
    view = await told("POST", "/sandbox/views/V0/submissions", json={"user": "U0ANNA"})
    assert view == (404, {"ok": False, "error": "U0ANNA has no view 'V0' open"})


async def test_the_page_is_served(browser):
    for path in ("/", "/archives/C0ACCESS/p1", "/page/style.css"):
        async with browser.get(path) as answer:
            assert answer.status == 200


async def test_the_stand_in_stops_though_people_wait(acme, sandbox):
    waiting = asyncio.create_task(acme.get("changes", user="U0ANNA", after=10**6))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(3):
        await sandbox.stop()
        await waiting


async def test_a_port_that_is_taken_is_told(sandbox):
    taken = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        await a_sandbox(port=taken).start()


async def test_a_person_waits_for_what_comes_later(acme, slack):
    async def later():
        await asyncio.sleep(0.1)
        await slack.chat_postMessage(channel="C0ACCESS", text="here it is")

    task = asyncio.create_task(later())
    seen = await acme.person("Anna").sees("here it is", channel="#access-requests")
    assert seen.text == "here it is"
    assert await acme.person("Ben").now(seen) == seen
    await task


async def test_waiting_in_vain_tells_what_was_there_instead(acme, slack):
    await slack.chat_postMessage(channel="C0ACCESS", text="something else")
    with pytest.raises(NotThere, match=r"Anna did not see 'it' within.*something else"):
        await acme.person("Anna").sees("it", channel="access-requests", timeout_s=0.1)


async def test_nobody_answers_to_a_wrong_name(acme):
    with pytest.raises(NotThere, match="nobody is called 'Zoe'"):
        acme.person("Zoe")


async def test_a_click_on_what_is_not_there_is_an_error_of_the_test(acme, slack):
    await slack.chat_postMessage(channel="C0ACCESS", text="card", blocks=[actions(button())])
    anna = acme.person("Anna")
    card = await anna.sees("Press", channel="access-requests")
    with pytest.raises(NotThere, match="no control 'approve'"):
        await anna.clicks("approve", card)
