import yaml
from aiohttp import ClientSession

from tests.sandbox.parts import (
    APP_TOKEN,
    BOT_TOKEN,
    MANIFEST,
    a_client,
    a_sandbox,
    actions,
    button,
    modal,
    refused,
    section,
)


async def test_a_call_without_a_token_is_refused(sandbox):
    async with ClientSession() as session, session.post(f"{sandbox.api_url}auth.test") as answer:
        assert await answer.json() == {"ok": False, "error": "not_authed"}


async def test_a_call_with_a_wrong_token_is_refused(slack):
    assert await refused(slack.auth_test(token="xoxb-other")) == "invalid_auth"


async def test_the_app_token_opens_connections_and_does_nothing_else(slack):
    assert await refused(slack.auth_test(token=APP_TOKEN)) == "not_allowed_token_type"
    assert await refused(slack.apps_connections_open(app_token=BOT_TOKEN)) == (
        "not_allowed_token_type"
    )


async def test_an_unknown_method_is_refused_and_held_against_the_bot(slack, acme):
    assert await refused(slack.reactions_add(channel="C0ACCESS", name="eyes", timestamp="1.0")) == (
        "unknown_method"
    )
    assert await acme.violations() == ["reactions.add: unknown_method"]


async def test_a_form_is_read_like_json(sandbox, acme):
    form = {"channel": "C0ACCESS", "text": "hi", "blocks": '[{"type": "divider"}]'}
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    async with (
        ClientSession() as session,
        session.post(f"{sandbox.api_url}chat.postMessage", data=form, headers=headers) as answer,
    ):
        assert (await answer.json())["ok"]
    [message] = await acme.person("Anna").messages("access-requests")
    assert message.blocks[0]["type"] == "divider"


async def test_the_bot_learns_who_it_is(slack):
    told = await slack.auth_test()
    assert (told["user_id"], told["bot_id"], told["team_id"]) == ("U0JITBOT", "B0JIT", "T0DEMO")


async def test_every_method_needs_the_scope_that_the_manifest_gives(tmp_path):
    document = yaml.safe_load(MANIFEST.read_text())
    document["oauth_config"]["scopes"]["bot"] = ["commands"]
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(yaml.safe_dump(document))
    async with a_sandbox(manifest=manifest) as sandbox, a_client(sandbox) as slack:
        needed = {
            "chat:write": [
                slack.chat_postMessage(channel="C0ACCESS", text="hi"),
                slack.chat_update(channel="C0ACCESS", ts="1.0", text="hi"),
                slack.chat_delete(channel="C0ACCESS", ts="1.0"),
                slack.chat_postEphemeral(channel="C0ACCESS", user="U0ANNA", text="hi"),
            ],
            "im:write": [slack.conversations_open(users="U0ANNA")],
            "users:read": [slack.users_info(user="U0ANNA")],
            "usergroups:read": [
                slack.usergroups_list(),
                slack.usergroups_users_list(usergroup="S0SRE"),
            ],
            "channels:read": [
                slack.conversations_info(channel="C0ACCESS"),
                slack.conversations_members(channel="C0ACCESS"),
                slack.conversations_list(),
            ],
            "groups:read": [slack.conversations_info(channel="C0SECURITY")],
        }
        for scope, calls in needed.items():
            for call in calls:
                answer = await refused(call, whole=True)
                assert answer["error"] == "missing_scope"
                assert (answer["needed"], answer["provided"]) == (scope, "commands")
        assert len(sandbox.workspace.violations) == sum(map(len, needed.values()))


async def test_a_direct_message_cannot_be_looked_up_without_its_scope(slack):
    answer = await refused(slack.conversations_info(channel="D0ANNA"), whole=True)
    assert (answer["error"], answer["needed"]) == ("missing_scope", "im:read")


async def test_a_message_goes_to_a_channel_by_id_or_name_and_to_a_person(slack, acme):
    for target in ("C0ACCESS", "#access-requests", "access-requests"):
        assert (await slack.chat_postMessage(channel=target, text="hi"))["channel"] == "C0ACCESS"
    assert (await slack.chat_postMessage(channel="U0ANNA", text="psst"))["channel"] == "D0ANNA"
    assert len(await acme.person("Ben").messages("access-requests")) == 3
    assert [m.text for m in await acme.person("Anna").dm()] == ["psst"]


async def test_a_channel_that_the_bot_cannot_see_is_not_found(slack):
    for channel in ("C0NOWHERE", "C0SECRET", "#hidden"):
        call = slack.chat_postMessage(channel=channel, text="hi")
        assert await refused(call) == "channel_not_found"
    assert await refused(slack.conversations_info(channel="C0SECRET")) == "channel_not_found"


async def test_a_public_channel_needs_an_invitation_without_chat_write_public(tmp_path):
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(MANIFEST.read_text().replace("- chat:write.public", "- im:read"))
    async with a_sandbox(manifest=manifest) as sandbox, a_client(sandbox) as slack:
        call = slack.chat_postMessage(channel="C0ACCESS", text="hi")
        assert await refused(call) == "not_in_channel"


async def test_an_archived_channel_takes_no_message(sandbox, slack):
    posted = await slack.chat_postMessage(channel="C0DEPLOY", text="hi")
    sandbox.workspace.archive("C0DEPLOY")
    assert await refused(slack.chat_postMessage(channel="C0DEPLOY", text="hi")) == "is_archived"
    call = slack.chat_update(channel="C0DEPLOY", ts=posted["ts"], text="hi")
    assert await refused(call) == "is_inactive"


async def test_direct_messages_need_the_messages_tab(tmp_path):
    manifest = tmp_path / "manifest.yml"
    enabled = "messages_tab_enabled: true"
    manifest.write_text(MANIFEST.read_text().replace(enabled, "messages_tab_enabled: false"))
    async with a_sandbox(manifest=manifest) as sandbox, a_client(sandbox) as slack:
        call = slack.chat_postMessage(channel="D0ANNA", text="hi")
        assert await refused(call) == "messages_tab_disabled"


async def test_a_reply_needs_the_ts_of_a_parent(slack, acme):
    parent = await slack.chat_postMessage(channel="C0ACCESS", text="card")
    reply = await slack.chat_postMessage(channel="C0ACCESS", text="line", thread_ts=parent["ts"])
    assert reply["message"]["thread_ts"] == parent["ts"]
    for wrong in ("1.000000", reply["ts"]):
        call = slack.chat_postMessage(channel="C0ACCESS", text="line", thread_ts=wrong)
        assert await refused(call) == "thread_not_found"
    anna = acme.person("Anna")
    card = await anna.sees("card", channel="access-requests")
    assert [line.text for line in await anna.thread(card)] == ["line"]


async def test_a_deleted_parent_leaves_its_thread(slack, acme):
    parent = (await slack.chat_postMessage(channel="C0ACCESS", text="card"))["ts"]
    await slack.chat_postMessage(channel="C0ACCESS", text="line", thread_ts=parent)
    await slack.chat_delete(channel="C0ACCESS", ts=parent)
    await slack.chat_postMessage(channel="C0ACCESS", text="another", thread_ts=parent)
    messages = await acme.person("Anna").messages("access-requests")
    assert [message.text for message in messages] == ["line", "another"]


async def test_an_update_replaces_text_and_blocks_and_keeps_the_place(slack, acme):
    row = actions(button())
    first = await slack.chat_postMessage(channel="C0ACCESS", text="old", blocks=[row])
    await slack.chat_postMessage(channel="C0ACCESS", text="later")
    await slack.chat_update(channel="C0ACCESS", ts=first["ts"], text="new")
    message, _ = await acme.person("Anna").messages("access-requests")
    assert (message.text, message.blocks, message.updated) == ("new", (), 1)


async def test_only_own_and_lasting_messages_can_be_updated_or_deleted(slack, acme):
    await acme.person("Eva").types("/wrong", channel="C0SECURITY")
    whisper = await slack.chat_postEphemeral(channel="C0SECURITY", user="U0EVA", text="psst")
    for ts in ("1.000000", whisper["message_ts"]):
        call = slack.chat_update(channel="C0SECURITY", ts=ts, text="new")
        assert await refused(call) == "message_not_found"
        assert await refused(slack.chat_delete(channel="C0SECURITY", ts=ts)) == "message_not_found"


async def test_the_messages_of_others_cannot_be_updated(sandbox, slack):
    other = sandbox.workspace.post("C0ACCESS", text="mine", user="U0ANNA")
    call = slack.chat_update(channel="C0ACCESS", ts=other.ts, text="new")
    assert await refused(call) == "cant_update_message"
    call = slack.chat_delete(channel="C0ACCESS", ts=other.ts)
    assert await refused(call) == "cant_delete_message"


async def test_an_ephemeral_message_is_seen_by_its_person_alone(slack, acme):
    await slack.chat_postEphemeral(channel="C0SECURITY", user="U0EVA", text="psst")
    [whisper] = await acme.person("Eva").messages("security-approvals")
    assert whisper.ephemeral
    assert await acme.person("Dan").messages("security-approvals") == []


async def test_an_ephemeral_message_needs_both_in_the_channel(slack):
    call = slack.chat_postEphemeral(channel="C0SECURITY", user="U0ANNA", text="psst")
    assert await refused(call) == "user_not_in_channel"
    call = slack.chat_postEphemeral(channel="C0ACCESS", user="U0ANNA", text="psst")
    assert await refused(call) == "not_in_channel"


async def test_a_permalink_names_channel_and_message(slack, sandbox):
    ts = (await slack.chat_postMessage(channel="C0ACCESS", text="card"))["ts"]
    told = await slack.chat_getPermalink(channel="C0ACCESS", message_ts=ts)
    assert told["permalink"] == f"{sandbox.url}/archives/C0ACCESS/p{ts.replace('.', '')}"
    call = slack.chat_getPermalink(channel="C0ACCESS", message_ts="1.0")
    assert await refused(call) == "message_not_found"


async def test_people_are_told_as_slack_tells_them(slack):
    users = {u: (await slack.users_info(user=u))["user"] for u in ("U0ANNA", "U0GUS", "U0JITBOT")}
    assert [user["is_bot"] for user in users.values()] == [False, False, True]
    assert [user["is_restricted"] for user in users.values()] == [False, True, False]
    olga = (await slack.users_info(user="U0OLGA"))["user"]
    assert olga["deleted"]
    xenia = (await slack.users_info(user="U0XENIA"))["user"]
    assert (xenia["is_stranger"], xenia["team_id"]) == (True, "T0OTHER")
    assert await refused(slack.users_info(user="U0NOBODY")) == "user_not_found"


async def test_user_groups_are_told_with_and_without_members(slack):
    [sre] = [g for g in (await slack.usergroups_list())["usergroups"] if g["id"] == "S0SRE"]
    assert (sre["handle"], sre["user_count"], "users" in sre) == ("sre", 2, False)
    full = (await slack.usergroups_list(include_users=True))["usergroups"]
    assert all("users" in group for group in full)
    told = await slack.usergroups_users_list(usergroup="S0SRE")
    assert told["users"] == ["U0CLEO", "U0DAN"]
    call = slack.usergroups_users_list(usergroup="S0NONE")
    assert await refused(call) == "no_such_subteam"


async def test_a_direct_message_is_opened_with_people_who_are_there(slack):
    assert (await slack.conversations_open(users="U0ANNA"))["channel"]["id"] == "D0ANNA"
    assert await refused(slack.conversations_open(users="U0OLGA")) == "user_disabled"
    assert await refused(slack.conversations_open(users="U0NONE")) == "user_not_found"
    assert await refused(slack.conversations_open(users="U0NONE,U0ANNA")) == "users_not_found"


async def test_a_channel_says_whether_it_is_shared_and_the_bot_in_it(slack):
    partners = (await slack.conversations_info(channel="C0PARTNERS"))["channel"]
    assert (partners["is_ext_shared"], partners["is_member"]) == (True, True)
    access = (await slack.conversations_info(channel="C0ACCESS"))["channel"]
    assert (access["is_ext_shared"], access["is_member"]) == (False, False)


async def test_channels_come_in_pages_without_those_that_the_bot_cannot_see(slack):
    found, cursor = [], None
    while cursor != "":
        page = await slack.conversations_list(
            types="public_channel,private_channel", limit=2, cursor=cursor
        )
        assert len(page["channels"]) <= 2
        found += [channel["id"] for channel in page["channels"]]
        cursor = page["response_metadata"]["next_cursor"]
    assert sorted(found) == ["C0ACCESS", "C0DEPLOY", "C0GENERAL", "C0PARTNERS", "C0SECURITY"]
    answer = await refused(slack.conversations_list(types="im"), whole=True)
    assert answer["needed"] == "im:read"


async def test_members_of_a_channel_are_told_without_deactivated_people(slack):
    members = (await slack.conversations_members(channel="C0ACCESS"))["members"]
    assert "U0ANNA" in members
    assert "U0OLGA" not in members


async def test_no_home_tab_is_published_if_the_manifest_has_none(slack):
    view = modal(section(), type="home")
    assert await refused(slack.views_publish(user_id="U0ANNA", view=view)) == "not_enabled"


async def test_calls_are_kept_with_their_arguments_and_errors(slack, acme):
    await slack.chat_postMessage(channel="C0ACCESS", text="hi")
    await refused(slack.chat_postMessage(channel="C0NOWHERE", text="hi"))
    calls = await acme.calls("chat.postMessage")
    assert [call["error"] for call in calls] == [None, "channel_not_found"]
    assert calls[0]["args"] == {"channel": "C0ACCESS", "text": "hi"}
