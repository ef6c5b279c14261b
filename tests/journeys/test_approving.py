"""What else an approver and a requester can do: less, questions, details, the same again."""

from datetime import timedelta

from bot.story import token_in
from tests.journeys.town import (
    DEPLOY,
    DIRECT,
    JWT,
    answered,
    asked,
    becomes,
    granted,
    told,
    value_of,
)


async def entered(person, **blocks):
    """Return raw values of the view on top; the others stay as they are."""
    view = (await person.view()).view
    return {
        block["block_id"]: {block["element"]["action_id"]: blocks[block["block_id"]]}
        for block in view["blocks"]
        if block.get("block_id") in blocks
    }


async def test_an_approver_agrees_to_less_and_everybody_reads_what_changed(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read 30m", "to look at bill 4711", seen_by=ben)
    await ben.clicks("narrow", card)
    less = {"scopes-0": ["invoices:read", "customers:read"], "duration": "5m"}
    assert (await ben.submits(await entered(ben, **less))).response_action == "update"
    said = "without refunds:read, for 5m instead of 30m"
    await told(ben, card, "Ben approves less than was asked")
    note = await anna.sees("agrees to less", channel=DIRECT)
    assert said in note.plain().replace("`", "").replace("*", "")
    await becomes(ben, card, "1 other scope")
    claims = await town.claims(token_in((await anna.sees(JWT, channel=DIRECT)).plain()))
    assert claims["scope"] == "invoices:read customers:read"
    assert claims["exp"] - claims["iat"] <= timedelta(minutes=5).total_seconds()


async def test_an_old_card_approves_nothing_else_after_a_narrowing(web_town):
    anna, ben, dan = web_town.people("Anna", "Ben", "Dan")
    card = await asked(anna, "pair 30m", "to ship the fix", seen_by=ben, channel=DEPLOY)
    old = value_of(card, "approve")
    await ben.clicks("narrow", card)
    assert (await ben.submits(await entered(ben, duration="5m"))).response_action == "update"
    card = await becomes(dan, card, "for *5m*")
    await dan.clicks("approve", card, stale=old)
    await answered(dan, "shows something else than was asked", channel=DEPLOY)
    await dan.clicks("approve", card)
    await becomes(dan, card, "*Works* until")


async def test_without_any_scope_there_is_nothing_to_approve(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await ben.clicks("narrow", card)
    refused = await ben.submits(await entered(ben, **{"scopes-0": []}))
    assert list(refused.errors) == ["scopes-0"]


async def test_a_question_reaches_the_requester_and_the_answer_the_thread(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await anna.clicks("question", card)
    await answered(anna, "your own request")
    await ben.clicks("question", card)
    answer = await ben.submits({"reason": {"reason": "who is the customer?"}})
    assert answer.response_action == "clear"
    note = await anna.sees("who is the customer?", channel=DIRECT)
    await anna.clicks("answer", note)
    assert "who is the customer?" in (await anna.view()).plain()
    assert (await anna.submits({"reason": {"reason": "Example Ltd"}})).response_action == "clear"
    await told(ben, card, "Ben asks @Anna", "Anna answers @Ben", "Example Ltd")
    note = await becomes(anna, note, "You answered")
    assert note.buttons() == {}
    assert "approve" in (await ben.now(card)).buttons()


async def test_details_are_for_those_with_a_say(town):
    anna, ben, finn = town.people("Anna", "Ben", "Finn")
    await granted(anna, "read", "to look at bill 4710", by=ben)
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await ben.clicks("details", card)
    behind = (await ben.view()).plain()
    for part in ("by-a-lead", "`leads`", "@Ben @Cleo @Dan", "Read invoices", "*Works* until"):
        assert part in behind
    await finn.clicks("details", card)
    await answered(finn, "There is no request")
    await anna.clicks("details", card)
    await answered(anna, "for whoever decides")


async def test_the_same_again_is_one_click_and_one_form(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read 20m", "to look at bill 4711", seen_by=ben)
    await ben.clicks("deny", card)
    await ben.submits({"reason": {"reason": "not today"}})
    note = await anna.sees("not today", channel=DIRECT)
    await anna.clicks("ask_again", note)
    form = (await anna.view()).plain()
    assert "to look at bill 4711" in form
    assert (await anna.submits()).response_action == "clear"

    async def again():
        cards = await ben.messages("access-requests")
        return [each for each in cards if "Waiting" in each.plain() and each.ts != card.ts]

    [new] = await ben.eventually(again, what="a second card")
    assert "for *20m*" in new.plain()
