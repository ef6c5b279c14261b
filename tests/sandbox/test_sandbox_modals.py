import asyncio

import pytest

from bot.sandbox.client import NotThere
from tests.sandbox.parts import (
    acknowledge,
    actions,
    button,
    field,
    menu,
    modal,
    option,
    plain_text,
    refused,
    section,
    text_input,
)


@pytest.fixture
def trigger(app, acme):
    """Type a command and return its trigger id."""

    async def pull(name="Anna"):
        await acme.person(name).types("/jit")
        return app.heard[-1]["trigger_id"]

    app.command("/jit")(acknowledge)
    return pull


@pytest.fixture
def http_trigger(http_app, acme):
    async def pull(name="Anna"):
        await acme.person(name).types("/jit")
        return http_app.heard[-1]["trigger_id"]

    http_app.command("/jit")(acknowledge)
    return pull


async def test_a_trigger_opens_a_view_once(http_trigger, slack, acme):
    trigger_id = await http_trigger()
    opened = (await slack.views_open(trigger_id=trigger_id, view=modal()))["view"]
    view = await acme.person("Anna").view()
    assert (view.id, view.title) == (opened["id"], "Title")
    assert opened["root_view_id"] == opened["id"]
    assert (opened["previous_view_id"], opened["state"]) == (None, {"values": {}})
    call = slack.views_open(trigger_id=trigger_id, view=modal())
    assert await refused(call) == "exchanged_trigger_id"
    assert await acme.person("Ben").views() == []


async def test_a_trigger_expires_after_three_seconds(http_trigger, slack, acme):
    trigger_id = await http_trigger()
    await asyncio.sleep(3.05)
    call = slack.views_open(trigger_id=trigger_id, view=modal())
    assert await refused(call) == "expired_trigger_id"
    assert await acme.violations() == ["views.open: expired_trigger_id"]


async def test_an_invented_trigger_is_refused(slack):
    call = slack.views_open(trigger_id="1.2.abc", view=modal())
    assert await refused(call) == "invalid_trigger_id"


async def test_a_view_that_is_refused_does_not_use_the_trigger_up(http_trigger, slack):
    trigger_id = await http_trigger()
    broken = modal(title=plain_text("x" * 25))
    call = slack.views_open(trigger_id=trigger_id, view=broken)
    assert await refused(call) == "invalid_arguments"
    await slack.views_open(trigger_id=trigger_id, view=modal())


async def test_an_external_id_is_unique_among_the_open_views(http_trigger, slack, acme):
    view = modal(external_id="one")
    await slack.views_open(trigger_id=await http_trigger(), view=view)
    call = slack.views_open(trigger_id=await http_trigger("Ben"), view=view)
    assert await refused(call) == "duplicate_external_id"
    await slack.views_update(external_id="one", view=modal(title=plain_text("New")))
    assert (await acme.person("Anna").view()).title == "New"


async def test_a_view_is_updated_under_its_hash(http_trigger, slack, acme):
    opened = await slack.views_open(trigger_id=await http_trigger(), view=modal())
    ident, old_hash = opened["view"]["id"], opened["view"]["hash"]
    new = modal(title=plain_text("New"))
    updated = await slack.views_update(view_id=ident, hash=old_hash, view=new)
    assert (await acme.person("Anna").view()).title == "New"
    call = slack.views_update(view_id=ident, hash=old_hash, view=modal())
    assert await refused(call) == "hash_conflict"
    await slack.views_update(view_id=ident, hash=updated["view"]["hash"], view=modal())


async def test_a_closed_view_is_not_found(http_trigger, slack, acme):
    opened = await slack.views_open(trigger_id=await http_trigger(), view=modal())
    await acme.person("Anna").closes()
    call = slack.views_update(view_id=opened["view"]["id"], view=modal())
    assert await refused(call) == "not_found"


async def test_two_views_can_be_pushed_and_no_third(http_app, http_trigger, slack, acme):
    async def push(ack, body):
        await ack()
        number = len(pushed)
        view = modal(actions(button("push")), title=plain_text(str(number)))
        answer = await slack.api_call(
            "views.push", json={"trigger_id": body["trigger_id"], "view": view}
        )
        pushed.append(answer["view"])

    pushed = []
    http_app.action("push")(push)
    root = await slack.views_open(
        trigger_id=await http_trigger(), view=modal(actions(button("push")))
    )
    anna = acme.person("Anna")
    assert (await anna.uses("push")).ok
    assert (await anna.uses("push")).ok
    assert [view.title for view in await anna.views()] == ["Title", "0", "1"]
    first, second = pushed
    assert {first["root_view_id"], second["root_view_id"]} == {root["view"]["id"]}
    assert second["previous_view_id"] == first["id"]
    await anna.uses("push")
    assert "views.push: push_limit_reached" in await acme.violations()


async def test_a_push_needs_a_trigger_from_a_modal(http_trigger, slack):
    await slack.views_open(trigger_id=await http_trigger(), view=modal())
    call = slack.views_push(trigger_id=await http_trigger(), view=modal())
    assert await refused(call) == "invalid_trigger_id"


def a_form():
    return modal(
        field(text_input(initial_value="because"), "reason"),
        field(menu("read", "write", initial_option=option("read")), "scope"),
        field(
            menu("a", "b", kind="checkboxes", initial_options=[option("a"), option("b")]), "many"
        ),
        field(text_input(), "note", optional=True),
        callback_id="form",
        private_metadata="R-1",
    )


async def test_a_submission_tells_what_was_given_and_what_stood_there(app, trigger, slack, acme):
    app.view("form")(acknowledge)
    await slack.views_open(trigger_id=await trigger(), view=a_form())
    anna = acme.person("Anna")
    done = await anna.submits({"scope": {"pick": "write"}, "many": {"pick": ["b"]}})
    assert (done.ok, done.response_action, done.errors) == (True, None, {})
    assert await anna.views() == []
    body = app.heard[-1]
    assert (body["type"], body["user"]["id"]) == ("view_submission", "U0ANNA")
    view = body["view"]
    assert (view["callback_id"], view["private_metadata"]) == ("form", "R-1")
    assert (view["app_installed_team_id"], view["hash"] != "") == ("T0DEMO", True)
    assert view["state"]["values"] == {
        "reason": {"type": {"type": "plain_text_input", "value": "because"}},
        "scope": {"pick": {"type": "static_select", "selected_option": option("write")}},
        "many": {"pick": {"type": "checkboxes", "selected_options": [option("b")]}},
        "note": {"type": {"type": "plain_text_input", "value": None}},
    }


async def test_a_moment_is_told_in_seconds_whatever_zone_it_was_chosen_in(
    app, trigger, slack, acme
):
    app.view("form")(acknowledge)
    picker = {"type": "datetimepicker", "action_id": "at"}
    view = modal(field(picker, "start", optional=True), callback_id="form")
    for given, told in ((1_700_000_000, 1_700_000_000), (None, None)):
        await slack.views_open(trigger_id=await trigger(), view=view)
        assert (await acme.person("Anna").submits({"start": {"at": given}})).ok
        assert app.heard[-1]["view"]["state"]["values"]["start"] == {
            "at": {"type": "datetimepicker", "selected_date_time": told}
        }
    await slack.views_open(trigger_id=await trigger(), view=view)
    with pytest.raises(NotThere, match="seconds since 1970"):
        await acme.person("Anna").submits({"start": {"at": "tomorrow"}})


async def test_a_required_field_left_empty_is_refused_by_slack_itself(app, trigger, slack, acme):
    app.view("form")(acknowledge)
    await slack.views_open(trigger_id=await trigger(), view=a_form())
    heard = len(app.heard)
    done = await acme.person("Anna").submits({"reason": {"type": ""}, "many": {"pick": []}})
    assert (done.ok, done.response_action) == (True, "errors")
    assert done.errors.keys() == {"reason", "many"}
    assert len(app.heard) == heard


async def test_a_text_has_the_length_that_its_field_asks_for(http_trigger, slack, acme):
    view = modal(field(text_input(min_length=3, max_length=5)))
    await slack.views_open(trigger_id=await http_trigger(), view=view)
    for text in ("ab", "abcdef"):
        done = await acme.person("Anna").submits({"field": {"type": text}})
        assert done.errors.keys() == {"field"}


@pytest.mark.parametrize(
    "values",
    [
        {"nowhere": {"pick": "read"}},
        {"scope": {"other": "read"}},
        {"scope": {"pick": "admin"}},
        {"scope": {"pick": ["read"]}},
        {"many": {"pick": "a"}},
    ],
)
async def test_a_person_cannot_give_what_the_form_does_not_offer(values, http_trigger, slack, acme):
    await slack.views_open(trigger_id=await http_trigger(), view=a_form())
    with pytest.raises(NotThere):
        await acme.person("Anna").submits(values)


async def test_errors_keep_the_form_open_with_what_was_given(app, trigger, slack, acme):
    async def refuse(ack, view):
        seen.append(view["state"]["values"]["reason"]["type"]["value"])
        await ack(response_action="errors", errors={"reason": "say more"})

    seen = []
    app.view("form")(refuse)
    await slack.views_open(trigger_id=await trigger(), view=a_form())
    anna = acme.person("Anna")
    done = await anna.submits({"reason": {"type": "so"}})
    assert (done.response_action, done.errors) == ("errors", {"reason": "say more"})
    assert len(await anna.views()) == 1
    await anna.submits()
    assert seen == ["so", "so"]


async def test_errors_must_name_inputs(http_app, http_trigger, slack, acme):
    async def refuse(ack):
        await ack(response_action="errors", errors={"nowhere": "no"})

    http_app.view("form")(refuse)
    await slack.views_open(trigger_id=await http_trigger(), view=a_form())
    done = await acme.person("Anna").submits()
    assert (done.ok, done.error) == (False, "invalid_ack")
    [violation] = await acme.violations()
    assert "errors must name block_ids of input blocks" in violation


@pytest.mark.parametrize(
    ("answer", "titles"),
    [
        ({"response_action": "update", "view": modal(title=plain_text("New"))}, ["New"]),
        (
            {"response_action": "push", "view": modal(title=plain_text("New"))},
            ["Title", "New"],
        ),
        ({"response_action": "clear"}, []),
        ({}, []),
    ],
)
async def test_the_answer_to_a_submission_changes_the_stack(
    answer, titles, app, trigger, slack, acme
):
    async def respond(ack):
        await ack(**answer)

    app.view("form")(respond)
    await slack.views_open(trigger_id=await trigger(), view=a_form())
    anna = acme.person("Anna")
    done = await anna.submits()
    assert (done.ok, done.response_action) == (True, answer.get("response_action"))
    assert [view.title for view in await anna.views()] == titles


async def test_an_answer_with_a_broken_view_leaves_the_form_and_is_a_violation(
    app, trigger, slack, acme
):
    async def respond(ack):
        await ack(response_action="update", view=modal(title=plain_text("x" * 25)))

    app.view("form")(respond)
    await slack.views_open(trigger_id=await trigger(), view=a_form())
    anna = acme.person("Anna")
    assert (await anna.submits()).error == "invalid_arguments"
    assert (await anna.view()).title == "Title"
    assert len(await acme.violations()) == 1


async def test_a_submission_that_fails_leaves_the_form(app, trigger, slack, acme):
    await slack.views_open(trigger_id=await trigger(), view=a_form())

    async def fail():
        raise RuntimeError("on purpose")

    app.view("form")(fail)
    anna = acme.person("Anna")
    done = await anna.submits()
    assert not done.ok
    assert done.error in {"dispatch_failed", "operation_timeout"}
    assert len(await anna.views()) == 1


async def test_a_control_that_dispatches_tells_what_stands_in_the_form(app, trigger, slack, acme):
    app.action("pick")(acknowledge)
    bundle = field(menu("deploy", "billing"), "bundle", dispatch_action=True)
    await slack.views_open(
        trigger_id=await trigger(), view=modal(bundle, field(text_input(), "reason"))
    )
    anna = acme.person("Anna")
    assert (await anna.uses("pick", "billing", values={"reason": {"type": "so"}})).ok
    body = app.heard[-1]
    assert body["container"] == {"type": "view", "view_id": (await anna.view()).id}
    assert body["actions"][0]["selected_option"] == option("billing")
    values = body["view"]["state"]["values"]
    assert values["bundle"]["pick"]["selected_option"] == option("billing")
    assert values["reason"]["type"]["value"] == "so"


async def test_an_update_keeps_what_was_entered_where_the_field_stays(
    http_app, http_trigger, slack, acme
):
    http_app.view("form")(acknowledge)
    opened = await slack.views_open(trigger_id=await http_trigger(), view=a_form())
    anna = acme.person("Anna")
    with_button = a_form() | {"blocks": [*a_form()["blocks"], actions(button())]}
    http_app.action("press")(acknowledge)
    await slack.views_update(view_id=opened["view"]["id"], view=with_button)
    await anna.uses("press", values={"reason": {"type": "so"}, "scope": {"pick": "write"}})
    narrower = a_form()
    narrower["blocks"][1] = field(menu("read", initial_option=option("read")), "scope")
    await slack.views_update(view_id=opened["view"]["id"], view=narrower)
    await anna.submits()
    values = http_app.heard[-1]["view"]["state"]["values"]
    assert values["reason"]["type"]["value"] == "so"
    assert values["scope"]["pick"]["selected_option"] == option("read")


async def test_a_control_without_dispatch_action_sends_nothing(http_trigger, slack, acme):
    await slack.views_open(trigger_id=await http_trigger(), view=modal(field(menu("a"))))
    with pytest.raises(NotThere, match="does not dispatch"):
        await acme.person("Anna").uses("pick", "a")


async def test_closing_is_told_to_an_app_that_asked_for_it(app, trigger, slack, acme):
    app.view_closed("form")(acknowledge)
    view = a_form() | {"notify_on_close": True}
    await slack.views_open(trigger_id=await trigger(), view=view)
    await acme.person("Anna").closes()
    body = app.heard[-1]
    assert (body["type"], body["is_cleared"]) == ("view_closed", False)
    assert await acme.person("Anna").views() == []


async def test_closing_is_not_told_otherwise(http_app, http_trigger, slack, acme):
    await slack.views_open(trigger_id=await http_trigger(), view=modal())
    heard = len(http_app.heard)
    await acme.person("Anna").closes()
    assert len(http_app.heard) == heard


async def test_a_submission_from_another_workspace_names_the_apps_team_in_the_view(
    http_app, http_trigger, slack, acme
):
    http_app.view("form")(acknowledge)
    xenia = acme.person("Xenia")
    await xenia.types("/jit", channel="partners")
    trigger_id = http_app.heard[-1]["trigger_id"]
    assert http_app.heard[-1]["team_id"] == "T0OTHER"
    await slack.views_open(trigger_id=trigger_id, view=a_form())
    await xenia.submits()
    body = http_app.heard[-1]
    assert (body["team"]["id"], body["user"]["team_id"]) == ("T0OTHER", "T0OTHER")
    assert body["view"]["app_installed_team_id"] == "T0DEMO"


async def test_a_view_without_inputs_needs_no_submit_and_then_has_none(http_trigger, slack, acme):
    view = {"type": "modal", "title": plain_text("Note"), "blocks": [section("only *read*")]}
    await slack.views_open(trigger_id=await http_trigger(), view=view)
    anna = acme.person("Anna")
    assert (await anna.view()).plain() == "# Note\nonly *read*"
    with pytest.raises(NotThere, match="no submit"):
        await anna.submits()
