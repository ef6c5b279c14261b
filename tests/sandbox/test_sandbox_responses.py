import asyncio

from aiohttp import ClientSession

from bot.sandbox.client import Acme
from tests.sandbox.parts import a_sandbox, acknowledge, actions, button, section


async def use(url, **body):
    """The status and text that a response_url answers."""
    async with ClientSession() as session, session.post(url, json=body) as answer:
        return answer.status, await answer.text()


async def command_url(app, acme):
    app.command("/jit")(acknowledge)
    await acme.person("Anna").types("/jit", channel="access-requests")
    return app.heard[-1]["response_url"]


async def click_url(app, acme, slack, **more):
    app.action("press")(acknowledge)
    await slack.chat_postMessage(
        channel="C0ACCESS", text="card", blocks=[actions(button())], **more
    )
    anna = acme.person("Anna")
    await anna.clicks("press", await anna.sees("Press", channel="access-requests"))
    return app.heard[-1]["response_url"]


async def texts(acme, name):
    return [m.text for m in await acme.person(name).messages("access-requests")]


async def test_a_response_is_seen_by_its_person_unless_it_says_otherwise(http_app, acme):
    url = await command_url(http_app, acme)
    assert await use(url, text="for you") == (200, "ok")
    await use(url, text="for all", response_type="in_channel")
    assert await texts(acme, "Anna") == ["for you", "for all"]
    assert await texts(acme, "Ben") == ["for all"]


async def test_a_response_url_works_five_times(http_app, acme):
    url = await command_url(http_app, acme)
    answers = [await use(url, text=str(number)) for number in range(6)]
    assert answers == [(200, "ok")] * 5 + [(404, "used_url")]
    assert len(await texts(acme, "Anna")) == 5
    assert await acme.violations() == ["response_url: used_url"]


async def test_a_response_url_works_for_its_time():
    async with a_sandbox(response_life_s=0.05) as sandbox, Acme(sandbox.url):
        url = sandbox.response_url("U0ANNA", "C0ACCESS")
        assert await use(url, text="in time") == (200, "ok")
        await asyncio.sleep(0.06)
        assert await use(url, text="late") == (404, "expired_url")


async def test_an_invented_response_url_is_refused(sandbox):
    assert await use(f"{sandbox.url}/response/none", text="hi") == (404, "expired_url")


async def test_the_message_clicked_can_be_replaced_and_deleted(http_app, acme, slack):
    url = await click_url(http_app, acme, slack)
    await use(url, text="done", replace_original=True)
    assert await texts(acme, "Ben") == ["done"]
    await use(url, delete_original=True)
    assert await texts(acme, "Ben") == []


async def test_an_answer_beside_the_message_clicked_leaves_it(http_app, acme, slack):
    url = await click_url(http_app, acme, slack)
    await use(url, text="not yours", replace_original=False)
    assert await texts(acme, "Anna") == ["card", "not yours"]
    assert await texts(acme, "Ben") == ["card"]


async def test_an_ephemeral_message_can_be_replaced(http_app, acme):
    url = await command_url(http_app, acme)
    http_app.action("press")(acknowledge)
    await use(url, text="ask", blocks=[actions(button())])
    anna = acme.person("Anna")
    await anna.clicks("press", await anna.sees("Press", channel="access-requests"))
    await use(http_app.heard[-1]["response_url"], text="answered", replace_original=True)
    assert await texts(acme, "Anna") == ["answered"]
    assert await texts(acme, "Ben") == []


async def test_a_response_keeps_the_limits_of_messages(http_app, acme):
    url = await command_url(http_app, acme)
    assert await use(url, text="x", blocks=[section("x" * 3001)]) == (400, "invalid_blocks")
    assert await use(url) == (400, "no_text")
    assert await texts(acme, "Anna") == []


async def test_a_response_needs_no_scope_and_no_membership(tmp_path):
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(
        "{features: {slash_commands: [{command: /jit}]}, oauth_config: {scopes: {bot: [commands]}}}"
    )
    async with a_sandbox(manifest=manifest) as sandbox, Acme(sandbox.url) as acme:
        url = sandbox.response_url("U0EVA", "C0SECRET")
        assert await use(url, text="psst") == (200, "ok")
        assert [m.text for m in await acme.person("Eva").messages("hidden")] == ["psst"]


async def test_bolt_responds_through_it(sandbox, http_app, acme):
    async def answer(ack, respond):
        await ack()
        await respond("later")

    http_app.command("/jit")(answer)
    anna = acme.person("Anna")
    await anna.types("/jit")
    assert (await anna.sees("later")).ephemeral
    assert [call["args"]["text"] for call in await acme.calls("response_url")] == ["later"]
