"""Being away: who stands in, with the clicks of both, and what each of them reads."""

from dataclasses import replace

import pytest

from tests.journeys.town import (
    DIRECT,
    JWT,
    answered,
    answers,
    asked,
    becomes,
    told,
)

GENERAL = "general"


async def lends(who, to: str, *, until: str = "2h") -> None:
    assert (await who.types(f"/jit away until {until} --to @{to}")).ok
    await answered(who, "can approve, ask and deny in your place meanwhile", channel=GENERAL)


async def test_who_stands_in_approves_for_whoever_is_away_and_both_are_named(town):
    anna, ben, eva = town.people("Anna", "Ben", "Eva")
    await lends(ben, "Eva")
    await eva.sees("Ben is away from", channel=DIRECT)
    card = await asked(anna, "read", "to close the books", seen_by=eva)
    assert "🌴 @Ben is away until" in card.plain()
    assert "@Eva stands in" in card.plain()
    line = await told(eva, card, "👉")
    assert "@Eva" in line
    assert "👉 @Ben" not in line
    await eva.clicks("details", card)
    details = (await eva.view()).plain()
    assert "*You stand in* for @Ben, one of `leads`" in details
    assert "*Who can act*  @Cleo @Dan @Eva" in details
    await eva.closes()
    await eva.clicks("approve", card)
    await answered(eva, "Your approval is recorded, and it was the last one needed.")
    card = await becomes(eva, card, "*Works* until")
    assert "1 of 1 from `leads`: @Eva for @Ben" in card.plain()
    await told(eva, card, "👍 @Eva for @Ben approved")
    await anna.sees("@Eva for @Ben approved", channel=DIRECT)
    await anna.sees(JWT, channel=DIRECT)


async def test_a_question_and_a_no_name_both(web_town):
    anna, ben, eva = web_town.people("Anna", "Ben", "Eva")
    await lends(ben, "Eva")
    card = await asked(anna, "read", "to close the books", seen_by=eva)
    await eva.clicks("question", card)
    await eva.submits({"reason": {"reason": "which books?"}})
    await told(eva, card, "@Eva for @Ben asks @Anna")
    await anna.sees("@Eva for @Ben", channel=DIRECT)
    await eva.clicks("deny", card)
    await eva.submits({"reason": {"reason": "ask Cleo"}})
    card = await becomes(eva, card, "*Denied* by @Eva for @Ben")
    await told(eva, card, "*Denied by @Eva for @Ben*")


async def test_a_bundle_that_bars_it_says_so_on_the_card_and_at_the_click(web_town):
    anna, ben, cleo, eva = web_town.people("Anna", "Ben", "Cleo", "Eva")
    await lends(ben, "Eva")
    card = await asked(anna, "personal", "to close the books", seen_by=eva)
    assert "@Ben is away until" in card.plain()
    assert "nobody can stand in here" in card.plain()
    await eva.clicks("approve", card)
    await answered(eva, "Nobody can stand in for others here")
    await cleo.clicks("approve", card)
    await becomes(cleo, card, "*Works* until")


async def test_whoever_asks_does_not_stand_in_for_what_they_ask_for(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    await lends(ben, "Anna")
    card = await asked(anna, "read", "to close the books", seen_by=anna)
    assert "@Anna cannot stand in here, as it is their own request" in card.plain()
    await anna.clicks("approve", card)
    await answered(anna, "You cannot approve your own request")


async def test_what_was_taken_back_is_refused_at_the_click(town):
    anna, ben, eva = town.people("Anna", "Ben", "Eva")
    await lends(ben, "Eva")
    card = await asked(anna, "read", "to close the books", seen_by=eva)
    await ben.types("/jit away off @Eva")
    await answered(ben, "Nobody acts for you by it any more", channel=GENERAL)
    await eva.sees("You do not stand in for @Ben any more", channel=DIRECT)
    await eva.clicks("approve", card)
    await answered(eva, "You are not an approver of this request now")
    await told(eva, card, "🚫 @Eva tried to approve this and may not")


async def test_what_is_over_is_refused_at_the_click(web_town):
    anna, ben, eva = web_town.people("Anna", "Ben", "Eva")
    card = await asked(anna, "read", "to close the books", seen_by=eva)
    await lends(ben, "Eva", until="1s")

    async def is_refused() -> bool:
        await eva.clicks("deny", card)  # it opens a form as long as she may
        if await eva.views():
            await eva.closes()
            return False
        return bool(await answers(eva))

    await eva.eventually(is_refused, what="a refusal")
    await answered(eva, "You are not an approver of this request now")


async def test_a_lent_place_counts_for_its_group_and_once(web_town):
    anna, ben, dan, finn = web_town.people("Anna", "Ben", "Dan", "Finn")
    await lends(dan, "Finn")
    card = await asked(anna, "careful", "to ship the fix", seen_by=ben)
    await finn.clicks("approve", card)
    await answered(finn, "Your approval is recorded; others must approve too")
    card = await becomes(ben, card, "1 more approval from `leads` or `oncall`")
    assert "@Finn for @Dan" in card.plain()
    await dan.clicks("approve", card)
    await answered(dan, "Everybody counts once, whoever clicks")
    await ben.clicks("approve", card)
    await told(ben, card, "☑️ Stage `peers` is complete")


async def test_the_list_shows_both_sides_and_each_has_a_button(town):
    ben, eva = town.people("Ben", "Eva")
    await ben.types("/jit away")
    await answered(ben, "You are not away.", channel=GENERAL)
    await lends(ben, "Eva")
    await eva.types("/jit away")
    await answered(eva, "You stand in for @Ben from", channel=GENERAL)
    await ben.types("/jit away")
    listed = await ben.sees("@Eva stands in", channel=GENERAL)
    await ben.clicks("end_away", listed)
    await answered(ben, "↩️ Taken back", channel=GENERAL)
    await ben.clicks("end_away", listed)
    await answered(ben, "There is nothing of yours to take back", channel=GENERAL)


async def test_the_form_does_what_the_command_does_and_keeps_what_was_typed(web_town):
    (ben,) = web_town.people("Ben")
    await ben.types("/jit away until friday --to @somebody")
    assert "I cannot tell who @somebody is" in (await ben.view()).plain()
    answer = await ben.submits({"until": {"until": "soon"}, "stand_in": {"stand_in": "U0EVA"}})
    assert "'soon' is no time that I can read" in answer.errors["until"]
    await ben.submits({"until": {"until": "2h"}, "stand_in": {"stand_in": "U0EVA"}})
    assert "🌴 You are away from" in (await ben.view()).plain()
    await ben.closes()
    await ben.types("/jit away")
    listed = await ben.sees("@Eva stands in", channel=GENERAL)
    await ben.clicks("plan_away", listed)
    assert "Until when?" in (await ben.view()).plain()


async def test_a_form_that_names_nobody_records_nothing(web_town):
    (ben,) = web_town.people("Ben")
    await ben.types("/jit away until friday --to @somebody")
    view = await ben.view()
    forged = {"until": {"until": "2h"}, "stand_in": {"stand_in": "not an id"}}
    answer = await web_town.submits(view, forged, by=ben)
    assert answer["errors"] == {"stand_in": "nobody knows who that is"}
    await ben.closes()
    await ben.types("/jit away")
    await answered(ben, "You are not away.", channel=GENERAL)


@pytest.mark.parametrize(
    ("typed", "told_"),
    [
        ("until friday --to @Ben", "You cannot stand in for yourself"),
        ("until friday --to @Gus", "Guests cannot use this app"),
        ("until friday --to @Olga", "Their account is deactivated"),
        ("until friday --to @Xenia", "They are from another workspace"),
        ("until friday --to", "Say who stands in for you"),
        ("until someday --to @Eva", "'someday' is no time that I can read"),
        ("from monday until 31d --to @Eva", "30d is the most at a time"),
        ("from 2099-01-01 until 2099-01-02", "It can begin within 90d at most"),
        ("until 2020-01-01", "That time is over already"),
        ("friday", "Did you mean `/jit away until FRIDAY --to @WHO`?"),
        ("off", "There is nothing of yours to take back"),
        ("off @Eva", "There is nothing of yours to take back"),
        ("off @somebody", "I cannot tell who that is"),
        ("until 2h", "Nobody stands in for you"),
    ],
)
async def test_every_form_and_every_mistake_is_answered(web_town, typed, told_):
    (ben,) = web_town.people("Ben")
    await ben.types(f"/jit away {typed}")
    said = await answers(ben, channel=GENERAL, at_least=1)
    assert told_.lower() in said[0].lower()


async def test_times_are_those_of_where_the_person_is(web_town):
    (ben,) = web_town.people("Ben")
    people = web_town.sandbox.workspace.people
    people[ben.id] = replace(people[ben.id], zone="Pacific/Kiritimati")  # 14 hours before UTC
    await ben.types("/jit away until tomorrow")
    assert "10:00 UTC" in await answered(ben, "You are away", channel=GENERAL)


async def test_before_asking_one_sees_who_stands_in(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    await lends(ben, "Eva")
    await anna.types("/jit why read")
    await answered(anna, "🌴 @Ben is away until", channel=GENERAL)


async def test_a_chain_of_which_everybody_is_away_is_denied_with_the_reason(web_town):
    ben, dan, cleo = web_town.people("Ben", "Dan", "Cleo")
    for who in (dan, cleo):
        await who.types("/jit away until 2h")
        await answered(who, "Nobody stands in for you", channel=GENERAL)
    card = await asked(ben, "read", "to close the books", seen_by=ben)
    await becomes(ben, card, "2 people are away, and too few stand in for them")
