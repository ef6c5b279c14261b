import asyncio
from urllib.parse import parse_qs

import pytest
from aiohttp import ClientSession, web

from bot.sandbox.client import Acme, NotThere
from tests.sandbox.parts import (
    APP_TOKEN,
    MANIFEST,
    a_bolt_app,
    a_client,
    a_sandbox,
    acknowledge,
    actions,
    button,
    quickly,
    section,
)


async def test_bolt_accepts_the_command_and_its_answer_is_shown_to_one_person(app, acme):
    async def answer(ack):
        await ack(text="*hello*", blocks=[section("*hello* <@U0BEN>")])

    app.command("/jit")(answer)
    anna = acme.person("Anna")
    done = await anna.types("/jit help me  now ", channel="access-requests")
    assert (done.ok, done.status, done.error) == (True, 200, None)
    seen = await anna.sees("hello", channel="access-requests")
    assert (seen.ephemeral, seen.plain()) == (True, "*hello* @Ben")
    assert await acme.person("Ben").messages("access-requests") == []
    [body] = app.heard
    assert (body["command"], body["text"]) == ("/jit", "help me  now")
    assert (body["user_id"], body["channel_id"], body["team_id"]) == (
        "U0ANNA",
        "C0ACCESS",
        "T0DEMO",
    )
    assert body["api_app_id"] == "A0JIT"
    assert body["response_url"]
    assert body["trigger_id"]
    assert "enterprise_id" not in body


async def test_an_answer_in_the_channel_is_seen_by_all(app, acme):
    async def answer(ack):
        await ack(text="for all", response_type="in_channel")

    app.command("/jit")(answer)
    await acme.person("Anna").types("/jit", channel="access-requests")
    seen = await acme.person("Ben").sees("for all", channel="access-requests")
    assert not seen.ephemeral


async def test_bolt_hears_of_a_click_with_all_that_slack_tells(app, acme, slack):
    app.action("press")(acknowledge)
    row = actions(button(value="42"))
    posted = await slack.chat_postMessage(channel="C0ACCESS", text="card", blocks=[row])
    dan = acme.person("Dan")
    card = await dan.sees("Press", channel="access-requests")
    assert card.buttons() == {"press": "Press"}
    assert (await dan.clicks("press", card)).ok
    [body] = app.heard
    assert body["type"] == "block_actions"
    assert body["team"] == {"id": "T0DEMO", "domain": "acme"}
    assert body["user"] == {"id": "U0DAN", "username": "dan", "name": "dan", "team_id": "T0DEMO"}
    assert body["channel"] == {"id": "C0ACCESS", "name": "access-requests"}
    assert body["container"]["message_ts"] == body["message"]["ts"] == posted["ts"]
    assert body["message"]["blocks"] == [row]
    [action] = body["actions"]
    assert (action["value"], action["block_id"], action["type"]) == ("42", "row", "button")
    assert action["action_ts"]


async def test_a_click_from_another_workspace_names_both_workspaces(app, acme, slack):
    async def press(ack, context):
        await ack()
        seen.append((context.team_id, context.user_id))

    seen = []
    app.action("press")(press)
    await slack.chat_postMessage(channel="C0PARTNERS", text="card", blocks=[actions(button())])
    xenia = acme.person("Xenia")
    await xenia.clicks("press", await xenia.sees("Press", channel="partners"))
    assert seen == [("T0DEMO", "U0XENIA")]
    assert app.heard[0]["user"]["team_id"] == "T0OTHER"


async def test_an_ephemeral_message_is_not_told_with_its_click(app, acme, slack):
    app.action("press")(acknowledge)
    await slack.chat_postEphemeral(
        channel="C0SECURITY", user="U0EVA", text="psst", blocks=[actions(button())]
    )
    eva = acme.person("Eva")
    card = await eva.sees("Press", channel="security-approvals")
    assert (await eva.clicks("press", card)).ok
    assert app.heard[0]["container"]["is_ephemeral"]
    assert "message" not in app.heard[0]
    with pytest.raises(NotThere, match="sees no message"):
        await acme.person("Dan").clicks("press", card)


async def test_a_button_that_is_gone_cannot_be_clicked(http_app, acme, slack):
    http_app.action("press")(acknowledge)
    row = actions(button())
    ts = (await slack.chat_postMessage(channel="C0ACCESS", text="card", blocks=[row]))["ts"]
    dan = acme.person("Dan")
    card = await dan.sees("Press", channel="access-requests")
    await slack.chat_update(channel="C0ACCESS", ts=ts, text="decided")
    with pytest.raises(NotThere, match="no control 'press'"):
        await dan.clicks("press", card)
    assert http_app.heard == []


async def test_a_click_on_a_button_that_is_gone_can_be_sent_all_the_same(http_app, acme, slack):
    http_app.action("press")(acknowledge)
    row = actions(button())
    ts = (await slack.chat_postMessage(channel="C0ACCESS", text="card", blocks=[row]))["ts"]
    dan = acme.person("Dan")
    card = await dan.sees("Press", channel="access-requests")
    await slack.chat_update(channel="C0ACCESS", ts=ts, text="decided")
    assert (await dan.clicks("press", card, stale="old")).ok
    await slack.chat_delete(channel="C0ACCESS", ts=ts)
    assert (await dan.clicks("press", card, stale="older")).ok
    assert [body["actions"][0]["value"] for body in http_app.heard] == ["old", "older"]
    assert http_app.heard[0]["message"]["text"] == "decided"


async def test_a_person_cannot_click_where_she_sees_nothing(acme, slack):
    await slack.chat_postMessage(channel="C0SECURITY", text="card", blocks=[actions(button())])
    card = await acme.person("Eva").sees("Press", channel="security-approvals")
    with pytest.raises(NotThere, match="Anna sees no channel"):
        await acme.person("Anna").clicks("press", card)


async def test_a_wrong_signature_fails_as_slack_shows_it(sandbox, serve, acme):
    app = a_bolt_app(sandbox, signing_secret="another")
    await serve(app)
    anna = acme.person("Anna")
    done = await anna.types("/jit help")
    assert (done.ok, done.error, done.status) == (False, "dispatch_failed", 401)
    shown = await anna.sees("failed with the error")
    assert (shown.name, shown.text) == ("Slackbot", "/jit failed with the error “dispatch_failed”")
    assert await acme.violations() == ["/jit: answered with HTTP status 401"]


async def test_an_app_that_is_not_there_fails_as_slack_shows_it(acme, sandbox):
    sandbox.events_url = "http://127.0.0.1:9/slack/events"
    done = await acme.person("Anna").types("/jit help")
    assert (done.ok, done.error, done.status) == (False, "dispatch_failed", None)


async def test_an_app_that_raises_is_told_to_have_failed(http_app, acme):
    async def fail():
        raise RuntimeError("on purpose")

    http_app.command("/jit")(fail)
    assert (await acme.person("Anna").types("/jit")).error == "dispatch_failed"


async def test_an_answer_after_three_seconds_is_too_late(app, acme):
    async def dawdle(ack):
        await asyncio.sleep(3.3)
        await ack("late")

    app.command("/jit")(dawdle)
    anna = acme.person("Anna")
    done = await anna.types("/jit")
    assert done.error == "operation_timeout"
    assert await acme.violations() == ["/jit: not acknowledged within 3 s"]
    await anna.sees("/jit failed with the error “operation_timeout”")
    await asyncio.sleep(0.5)
    assert [m.name for m in await anna.messages()] == ["Slackbot"]
    assert len(await acme.violations()) == 1


async def test_only_the_commands_of_the_manifest_exist(http_app, acme):
    anna = acme.person("Anna")
    assert (await anna.types("/git help")).error == "invalid_command"
    assert (await anna.sees("not a valid command")).name == "Slackbot"
    assert http_app.heard == []


async def test_an_answer_that_breaks_a_limit_is_not_shown(app, acme):
    async def answer(ack):
        await ack(text="x", blocks=[section("x" * 3001)])

    app.command("/jit")(answer)
    anna = acme.person("Anna")
    assert (await anna.types("/jit")).error == "dispatch_failed"
    [violation] = await acme.violations()
    assert violation.startswith("/jit: answered with invalid_blocks")


async def test_payloads_are_sent_twice_on_demand(app, acme):
    app.command("/jit")(acknowledge)
    await acme.duplicates(1)
    anna = acme.person("Anna")
    assert (await anna.types("/jit one")).ok
    assert (await anna.types("/jit two")).ok
    assert [body["text"] for body in app.heard] == ["one", "one", "two"]
    first, second, _ = app.heard
    assert first == second


async def test_a_duplicate_over_http_is_the_same_signed_request(acme, serve):
    requests = []

    async def handle(request):
        requests.append((await request.text(), request.headers["X-Slack-Signature"]))
        return web.Response()

    await serve(handle)
    await acme.duplicates(1)
    await acme.person("Anna").types("/jit")
    assert len(requests) == 2
    assert len(set(requests)) == 1
    assert parse_qs(requests[0][0])["command"] == ["/jit"]


async def test_the_bot_hears_that_a_person_changed(app, acme):
    app.event("user_change")(acknowledge)
    await acme.becomes("Ben", "deactivated")
    await quickly(lambda: app.heard)
    [body] = app.heard
    assert (body["type"], body["team_id"]) == ("event_callback", "T0DEMO")
    assert body["event"]["user"]["deleted"]
    assert body["event_id"]
    assert body["authorizations"][0]["user_id"] == "U0JITBOT"


async def test_the_bot_hears_who_came_to_and_left_a_user_group(app, acme, slack):
    app.event("subteam_members_changed")(acknowledge)
    await acme.regroups("S0SRE", "Dan", "Anna")
    await quickly(lambda: app.heard)
    event = app.heard[0]["event"]
    assert (event["added_users"], event["removed_users"]) == (["U0ANNA"], ["U0CLEO"])
    told = await slack.usergroups_users_list(usergroup="S0SRE")
    assert told["users"] == ["U0DAN", "U0ANNA"]


async def test_an_event_is_sent_again_three_times_until_it_is_accepted(acme, serve):
    tries = []

    async def handle(request):
        number = request.headers.get("x-slack-retry-num")
        body = await request.json()
        tries.append((number, request.headers.get("x-slack-retry-reason"), body["event_id"]))
        return web.Response(status=500)

    await serve(handle)
    await acme.becomes("Ben", "guest")
    await quickly(lambda: len(tries) == 4)
    await asyncio.sleep(0.1)
    assert [number for number, *_ in tries] == [None, "1", "2", "3"]
    assert {reason for _, reason, _ in tries[1:]} == {"http_error"}
    assert len({ident for *_, ident in tries}) == 1


async def test_an_app_can_ask_not_to_be_told_again(acme, serve):
    tries = []

    async def handle(_):
        tries.append(1)
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    await serve(handle)
    await acme.becomes("Ben", "guest")
    await quickly(lambda: tries)
    await asyncio.sleep(0.1)
    assert len(tries) == 1


async def test_events_that_the_manifest_does_not_name_are_not_sent(tmp_path, sandbox, serve):
    heard = []

    async def handle(request):
        heard.append((await request.json())["event"]["type"])
        return web.Response()

    await serve(handle)
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(MANIFEST.read_text().replace("- user_change ", "- team_join "))
    async with a_sandbox(manifest=manifest) as other, Acme(other.url) as acme:
        other.events_url = sandbox.events_url
        await acme.becomes("Ben", "guest")
        await acme.regroups("S0SRE", "Dan")
        await quickly(lambda: heard)
        await asyncio.sleep(0.05)
    assert heard == ["subteam_members_changed"]


async def test_an_app_over_http_proves_its_address(sandbox, http_app, serve):
    assert await sandbox.verify_events_url()

    async def handle(_):
        return web.json_response({"challenge": "another"})

    await serve(handle)
    assert not await sandbox.verify_events_url()


async def test_envelopes_go_to_the_open_connections_in_turn(sandbox, acme):
    async with a_client(sandbox) as slack, ClientSession() as session:
        urls = [(await slack.apps_connections_open(app_token=APP_TOKEN))["url"] for _ in range(2)]
        sockets = [await session.ws_connect(url) for url in urls]
        hellos = [await socket.receive_json() for socket in sockets]
        assert [hello["num_connections"] for hello in hellos] == [1, 2]
        texts = []
        for number in range(2):
            typing = asyncio.create_task(acme.person("Anna").types(f"/jit {number}"))
            envelope = await sockets[number].receive_json()
            texts.append(envelope["payload"]["text"])
            assert (envelope["type"], envelope["accepts_response_payload"]) == (
                "slash_commands",
                True,
            )
            # Any connection may acknowledge.
            await sockets[0].send_json({"envelope_id": envelope["envelope_id"]})
            assert (await typing).ok
        assert texts == ["0", "1"]
        for socket in sockets:
            await socket.close()


async def test_a_ticket_opens_one_connection(sandbox):
    async with a_client(sandbox) as slack, ClientSession() as session:
        url = (await slack.apps_connections_open(app_token=APP_TOKEN))["url"]
        again = url.replace("ws", "http", 1)
        async with session.ws_connect(url), session.get(again) as answer:
            assert answer.status == 404


async def test_an_eleventh_connection_is_turned_away(sandbox):
    async with a_client(sandbox) as slack, ClientSession() as session:
        sockets = []
        for _ in range(11):
            url = (await slack.apps_connections_open(app_token=APP_TOKEN))["url"]
            sockets.append(await session.ws_connect(url))
        told = [await socket.receive_json() for socket in sockets]
        assert [each["type"] for each in told] == ["hello"] * 10 + ["disconnect"]
        assert told[-1]["reason"] == "too_many_websockets"
        for socket in sockets:
            await socket.close()


async def test_an_app_that_is_asked_to_connect_anew_misses_nothing(socket_app, sandbox, acme):
    socket_app.command("/jit")(acknowledge)
    await acme.disconnects()
    await quickly(lambda: bool(sandbox.connections()))
    assert (await acme.person("Anna").types("/jit")).ok
    assert await acme.violations() == []


async def test_an_acknowledgement_that_comes_late_is_one_violation(sandbox, acme):
    async with a_client(sandbox) as slack, ClientSession() as session:
        url = (await slack.apps_connections_open(app_token=APP_TOKEN))["url"]
        async with session.ws_connect(url) as socket:
            await socket.receive_json()
            typing = asyncio.create_task(acme.person("Anna").types("/jit"))
            envelope = await socket.receive_json()
            assert (await typing).error == "operation_timeout"
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
            await socket.send_json({"envelope_id": "another"})
            await quickly(lambda: len(sandbox.workspace.violations) > 1)
    assert await acme.violations() == [
        "/jit: not acknowledged within 3 s",
        "an acknowledgement of an unknown envelope 'another'",
    ]


async def test_an_unasked_acknowledgement_is_a_violation(sandbox, acme):
    async with a_client(sandbox) as slack, ClientSession() as session:
        url = (await slack.apps_connections_open(app_token=APP_TOKEN))["url"]
        async with session.ws_connect(url) as socket:
            await socket.receive_json()
            await socket.send_json({"envelope_id": "e"})
            await quickly(lambda: sandbox.workspace.violations)
    assert await acme.violations() == ["an acknowledgement of an unknown envelope 'e'"]
