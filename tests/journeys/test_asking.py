"""Asking: in the form, in one line, and what happens to what cannot be asked."""

import json

from tests.journeys.town import ACCESS, DIRECT, answered, asked, id_of, told


async def filled(person, bundle, **more):
    """Open the form and choose a bundle; return answers as the stand-in wants them."""
    assert (await person.types("/jit request")).ok
    assert (await person.uses("choose_bundle", bundle)).ok
    return await raw(person, **more)


async def raw(person, **answers):
    """Return answers under the names of the inputs of the form on top."""
    view = (await person.view()).view
    inputs = {b["block_id"]: b["element"]["action_id"] for b in view["blocks"] if "element" in b}
    named = {"scopes-0" if name == "scopes" else name: value for name, value in answers.items()}
    return {block: {inputs[block]: value} for block, value in named.items()}


async def test_somebody_who_leaves_scopes_out_in_the_form_asks_only_for_the_rest(town):
    anna, ben = town.people("Anna", "Ben")
    values = await filled(anna, "read", scopes=["invoices:read"], reason="to look at a bill")
    assert (await anna.submits(values)).response_action == "clear"
    card = await ben.sees("to look at a bill", channel=ACCESS)
    assert "Read invoices" in card.plain()
    assert "Read refunds" not in card.plain()
    assert "2 other scopes" in card.plain()
    assert await anna.views() == []


async def test_one_line_is_enough_to_ask(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read 20m", "to look at bill 4711", seen_by=ben)
    assert "20m" in card.plain()
    assert card.buttons() == {
        "approve": "Approve",
        "narrow": "Approve with changes",
        "deny": "Deny",
        "question": "Ask a question",
        "details": "Details",
    }
    await answered(anna, id_of(card), channel="general")
    await anna.sees("Recorded", channel=DIRECT)
    await told(ben, card, "Anna asked for")


async def test_what_is_missing_opens_the_form_with_the_rest_filled_in(town):
    anna, ben = town.people("Anna", "Ben")
    assert (await anna.types("/jit request refund 20m to refund an order of May")).ok
    assert "to refund an order of May" in (await anna.view()).plain()
    values = await raw(anna, ticket="BILL-12")
    assert (await anna.submits(values)).response_action == "clear"
    card = await ben.sees("an order of May", channel=ACCESS)
    assert "20m" in card.plain()
    assert "BILL-12" in card.plain()


async def test_a_wrong_ticket_is_told_in_the_form_and_nothing_typed_is_lost(town):
    anna, ben = town.people("Anna", "Ben")
    why = "to refund an order of May"
    answer = await anna.submits(await filled(anna, "refund", reason=why, ticket="nonsense"))
    assert "BILL-7" in answer.errors["ticket"]
    assert why in json.dumps((await anna.view()).view["state"])
    assert (await anna.submits(await raw(anna, ticket="BILL-12"))).response_action == "clear"
    assert "BILL-12" in (await ben.sees(why, channel=ACCESS)).plain()


async def test_choosing_another_bundle_keeps_what_the_person_wrote(web_town):
    (anna,) = web_town.people("Anna")
    assert (await anna.types("/jit request")).ok
    written = await raw(anna, reason="to look at a bill")
    assert (await anna.uses("choose_bundle", "read", values=written)).ok
    assert "to look at a bill" in json.dumps((await anna.view()).view["state"])


async def test_a_reason_that_says_too_little_is_told_in_the_form(web_town):
    (anna,) = web_town.people("Anna")
    # Slack's client counts the spaces; we do not.
    short = await filled(anna, "refund", reason="because" + " " * 20 + ".", ticket="BILL-12")
    answer = await anna.submits(short)
    assert "20" in answer.errors["reason"]


async def test_a_scope_that_the_bundle_has_not_is_told_in_the_form(web_town):
    (anna,) = web_town.people("Anna")
    values = await filled(anna, "read", scopes=["everything"], reason="to look at a bill")
    form = await anna.view()
    boxes = next(b["element"] for b in form.view["blocks"] if b["block_id"] == "scopes-0")
    boxes["options"][0]["value"] = "everything"
    answer = await web_town.submits(form, values, by=anna)
    assert "everything" in answer["errors"]["scopes-0"]


async def test_without_any_scope_there_is_nothing_to_ask_for(web_town):
    (anna,) = web_town.people("Anna")
    answer = await anna.submits(await filled(anna, "read", scopes=[], reason="to look at a bill"))
    assert list(answer.errors) == ["scopes-0"]


async def test_one_line_with_an_unknown_bundle_names_the_nearest(town):
    (anna,) = town.people("Anna")
    await anna.types("/jit request reed 20m to look at a bill")
    await answered(anna, "Did you mean read?", channel="general")
    await anna.types("/jit request zzzz 20m to look at a bill")
    await answered(anna, "There are read, refund", channel="general")


async def test_one_line_with_a_wrong_duration_says_which_are_right(town):
    (anna,) = town.people("Anna")
    await anna.types("/jit request read 2hours to look at a bill")
    await answered(anna, "write 30m, 2h, 1h30m or 7d", channel="general")
    await anna.types("/jit request read 2h to look at a bill")
    await answered(anna, "1h at most", channel="general")
    assert await anna.messages(ACCESS) == []


async def test_policy_approves_at_once_and_it_is_told(town):
    (anna,) = town.people("Anna")
    card = await asked(anna, "logs 20m", "to see why it is slow", seen_by=anna)
    await anna.sees("Your token", channel=DIRECT)
    await told(anna, card, "Approved by policy", "at-once", "works until", "got the token")
    assert list((await anna.now(card)).buttons()) == ["revoke"]


async def test_policy_denies_and_that_is_recorded_and_told(town):
    (anna,) = town.people("Anna")
    card = await asked(anna, "never", "because I am curious", seen_by=anna)
    assert "Denied" in card.plain()
    assert card.buttons() == {}
    await told(anna, card, "asked for", "Denied by policy", "Ask for less.")
    await anna.sees("Policy denied", channel=DIRECT)


async def test_what_no_rule_is_for_is_denied_and_each_rule_says_why(web_town):
    (finn,) = web_town.people("Finn")
    card = await asked(finn, "read", "because I am curious", seen_by=finn)
    assert "by-a-lead: it is for engineers" in card.plain()


async def test_a_private_channel_without_the_bot_is_named_when_somebody_asks(town):
    (anna,) = town.people("Anna")
    await anna.types("/jit request hidden to see what is hidden")
    await answered(anna, "#hidden", channel="general")
    await answered(anna, "/invite", channel="general")
    await anna.types("/jit list")
    await answered(anna, "Nothing of yours", channel="general")


async def test_a_channel_shared_with_another_company_gets_no_card(web_town):
    (anna,) = web_town.people("Anna")
    await anna.types("/jit request partners to see what they see")
    await answered(anna, "shared with another company", channel="general")
    assert await anna.messages("partners") == []


async def test_help_bundles_status_and_list_answer_only_who_asked(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    for typed, shown in [
        ("/jit help", "/jit revoke ID"),
        ("/jit bundles", "Read billing"),
        (f"/jit status {id_of(card)}", "bill 4711"),
        ("/jit list", id_of(card)),
        ("/jit frobnicate", "do not know"),
    ]:
        assert (await anna.types(typed)).ok
        await answered(anna, shown, channel="general")
    assert await ben.messages("general") == []


async def test_why_tells_before_asking_who_would_decide(town):
    (anna,) = town.people("Anna")
    assert (await anna.types("/jit why read 20m", channel="general")).ok
    told = await anna.sees("people would decide", channel="general")
    assert "20m" in told.plain()
    assert (await anna.types("/jit why nonsense", channel="general")).ok
    await anna.sees("No bundle is called", channel="general")
