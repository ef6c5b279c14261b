"""Deciding: yes, no, never mind, and too late; by who may, on what they saw."""

import asyncio

from tests.journeys.town import (
    DEPLOY,
    DIRECT,
    JWT,
    SECURITY,
    answered,
    asked,
    becomes,
    id_of,
    told,
    value_of,
)


async def test_a_yes_grants_and_everybody_is_told(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read 20m", "to look at bill 4711", seen_by=ben)
    await ben.clicks("approve", card)
    await answered(ben, "Your approval is recorded")
    await anna.sees("Ben approved", channel=DIRECT)
    await anna.sees(JWT, channel=DIRECT)
    card = await becomes(ben, card, "*Works* until")
    assert list(card.buttons()) == ["revoke"]
    await told(ben, card, "Ben approved (1 of 1", "Stage `lead`", "has got the token")


async def test_a_no_needs_a_reason_and_everybody_reads_it(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await ben.clicks("deny", card)
    assert "Read billing" in (await ben.view()).plain()
    refused = await ben.submits({"reason": {"reason": "   "}})
    assert list(refused.errors) == ["reason"]
    answer = await ben.submits({"reason": {"reason": "ask me tomorrow"}})
    assert answer.response_action == "clear"
    card = await becomes(ben, card, "Denied")
    assert "ask me tomorrow" in card.plain()
    assert card.buttons() == {}
    await told(ben, card, "Denied by @Ben", "ask me tomorrow")
    await anna.sees("ask me tomorrow", channel=DIRECT)


async def test_whoever_asked_can_take_it_back_with_the_button(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    note = await anna.sees("Recorded", channel=DIRECT)
    await anna.clicks("cancel", note)
    card = await becomes(ben, card, "Taken back")
    assert card.buttons() == {}
    await told(ben, card, "took the request back")
    assert "cancel" not in (await becomes(anna, note, "You took it back")).buttons()


async def test_whoever_asked_can_take_it_back_with_the_command(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    id_ = id_of(card)
    await ben.types(f"/jit cancel {id_}")
    await answered(ben, "Only the person who asked", channel="general")
    await anna.types(f"/jit cancel {id_.lower()}")
    await becomes(ben, card, "Taken back")
    await told(ben, card, "Ben tried to take this back", "Anna took the request back")


async def test_when_nobody_decides_the_request_lapses_and_a_late_click_is_told_so(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "hasty", "to see how quick they are", seen_by=ben)
    old = value_of(card, "approve")
    lapsed = await becomes(ben, card, "Nobody decided in time")
    assert lapsed.buttons() == {}
    await anna.sees("Nobody decided", channel=DIRECT)
    await told(ben, card, "Nobody decided in time")
    await ben.clicks("approve", lapsed, stale=old)
    await answered(ben, "expired already")
    assert not [note for note in await anna.dm() if "Your token" in note.plain()]


async def test_two_people_must_say_yes_and_nobody_counts_twice(town):
    anna, ben, dan = town.people("Anna", "Ben", "Dan")
    card = await asked(anna, "pair", "to ship the fix", seen_by=ben, channel=DEPLOY)
    await ben.clicks("approve", card)
    card = await becomes(ben, card, "1 of 2")
    await ben.clicks("approve", card)
    await answered(ben, "others must approve too", channel=DEPLOY)
    assert "1 of 2" in (await ben.now(card)).plain()
    await dan.clicks("approve", card)
    await becomes(ben, card, "*Works* until")
    thread = await told(ben, card, "(1 of 2", "(2 of 2", "is complete")
    assert thread.count("👍") == 2


async def test_stages_come_one_after_another_and_each_asks_its_own_people(town):
    anna, cleo, eva = town.people("Anna", "Cleo", "Eva")
    card = await asked(anna, "staged", "for the yearly audit", seen_by=cleo, channel=SECURITY)
    await eva.clicks("approve", card)
    await answered(eva, "not an approver of this request now", channel=SECURITY)
    await cleo.clicks("approve", card)
    card = await becomes(eva, card, "1 approval from `security`")
    await eva.clicks("approve", card)
    await becomes(eva, card, "*Works* until")
    await told(eva, card, "Eva tried to approve", "Stage `lead`", "Stage `guard`")


async def test_refused_clicks_are_told_in_the_thread_once_a_minute_for_each_person(town):
    anna, ben, eva = town.people("Anna", "Ben", "Eva")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    for _ in range(3):
        await anna.clicks("approve", card)
        await eva.clicks("approve", card)
    await answered(anna, "cannot approve your own request")
    await answered(eva, "not an approver")
    thread = await told(ben, card, "Anna tried to approve", "Eva tried to approve")
    assert thread.count("🚫") == 2


async def test_a_click_on_an_old_card_is_answered_with_how_it_stands(town):
    anna, ben, cleo = town.people("Anna", "Ben", "Cleo")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    old = value_of(card, "approve")
    await ben.clicks("approve", card)
    await becomes(ben, card, "*Works* until")
    await cleo.clicks("approve", card, stale=old)
    await answered(cleo, "approved already")
    await ben.clicks("approve", card, stale=old)
    await answered(ben, "Your approval is recorded")


async def test_a_click_that_names_another_request_approves_that_one_only_as_it_was_shown(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    one = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    two = await asked(anna, "read 59m", "to look at bill 4712", seen_by=ben)
    mixed = value_of(two, "approve")[:14] + value_of(one, "approve")[14:]
    await ben.clicks("approve", one, stale=mixed)
    await answered(ben, "shows something else than was asked")
    assert {"approve", "deny"} <= set((await ben.now(one)).buttons())
    assert {"approve", "deny"} <= set((await ben.now(two)).buttons())


async def test_a_button_with_a_made_up_value_belongs_to_nothing(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    for value in ("", "R-000000000000.0123456789abcdef", "x" * 2000, "G-1.1"):
        assert (await ben.clicks("approve", card, stale=value)).ok
    await answered(ben, "belongs to nothing that I know")
    await answered(ben, "There is no request")
    assert (await ben.clicks("no-such-button", card, stale=value_of(card, "deny"))).ok
    await answered(ben, "of another version")


async def test_a_form_of_one_person_that_another_sends_does_what_the_other_may(web_town):
    anna, ben, eva = web_town.people("Anna", "Ben", "Eva")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await ben.clicks("deny", card)
    why = {"reason": {"reason": "because"}}
    answer = await web_town.submits(await ben.view(), why, by=eva)
    assert "not an approver" in str(answer["view"]["blocks"])
    assert "Waiting" in (await ben.now(card)).plain()
    await told(ben, card, "Eva tried to deny")


async def test_everybody_who_clicks_at_once_is_answered(town):
    anna, ben, cleo, dan = town.people("Anna", "Ben", "Cleo", "Dan")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await asyncio.gather(*(each.clicks("approve", card) for each in (anna, ben, cleo, dan)))
    for each in (anna, ben, cleo, dan):
        await answered(each, ".")
    await becomes(ben, card, "*Works* until")
    assert (await told(ben, card, "works until")).count("👍") == 1
