"""An emergency: access at once, loudly, and somebody else signs it off afterwards."""

import pytest

from tests.journeys.town import (
    ACCESS,
    DIRECT,
    JWT,
    answered,
    asked,
    becomes,
    id_of,
    token_in,
    told,
)

GENERAL = "general"
WHY = {"reason": {"reason": "production is down and nobody answers"}, "ticket": {"ticket": "INC-9"}}
SHORT = {"reason": WHY["reason"]}
FINE = {"reason": {"reason": "it was down indeed"}}


async def breaks(person, bundle="alarm", values=WHY):
    """Let `person` break the glass; return the card."""
    assert (await person.types(f"/jit break-glass {bundle}")).ok
    answer = await person.submits(values)
    assert answer.response_action == "clear", answer
    return await person.sees("production is down", channel=ACCESS)


async def test_break_glass_from_the_question_to_the_sign_off(town):
    dan, eva, anna = town.people("Dan", "Eva", "Anna")
    assert (await dan.types("/jit break-glass alarm 10m rolling back the deployment")).ok
    form = (await dan.view()).plain()
    for said in (
        "nobody is asked",
        "15m at most",
        "#general",
        "leads",
        "security",
        "within 1d",
        "cannot break glass again",
    ):
        assert said in form
    answer = await dan.submits({"reason": {"reason": "too short"}})
    assert answer.response_action == "errors"
    assert (await dan.submits(WHY)).response_action == "clear"
    token = token_in((await dan.sees(JWT, channel=DIRECT)).plain())
    assert (await town.claims(token))["scope"] == "ci:deploy logs:read"
    card = await anna.sees("production is down", channel=ACCESS)
    assert "BREAK-GLASS" in card.plain()
    assert set(card.buttons()) == {"sign_off", "concern", "revoke"}
    thread = await told(anna, card, "BREAK-GLASS", "nobody was asked", "The access works")
    assert "@Ben" in thread  # who would have been asked
    alarm = await anna.sees("BREAK-GLASS", channel=GENERAL)
    assert set(alarm.buttons()) == {"sign_off", "concern"}
    assert "@security" in alarm.plain()
    await dan.sees("must sign it off", channel=DIRECT)

    assert (await eva.clicks("concern", alarm)).ok
    await eva.submits({"reason": {"reason": "why did nobody answer?"}})
    await told(anna, card, "raised a concern", "why did nobody answer?")
    await dan.sees("raised a concern", channel=DIRECT)
    assert await town.works(token)
    await eva.closes()

    assert (await eva.clicks("sign_off", await eva.now(alarm))).ok
    await eva.submits(FINE)
    card = await becomes(anna, card, "*Signed off* by @Eva")
    assert set(card.buttons()) == {"revoke"}
    assert (await becomes(anna, alarm, "*Signed off* by @Eva")).buttons() == {}
    await told(anna, card, "signed this break-glass off", "it was down indeed")
    await dan.sees("signed off your break-glass", channel=DIRECT)
    assert await town.works(token)
    await dan.clicks("end_now", await dan.sees(JWT, channel=DIRECT))
    await becomes(anna, card, "*Ended early*")
    assert not await town.works(token)


async def test_others_are_refused_and_told_how_to_ask(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    await anna.types("/jit break-glass alarm")
    said = await answered(anna, "can be broken by leads only", channel=GENERAL)
    assert "/jit request alarm" in said
    await ben.types("/jit break-glass read")
    assert "/jit request read" in await answered(ben, "cannot be had by", channel=GENERAL)
    await ben.types("/jit break-glass")
    await answered(ben, "/jit break-glass BUNDLE", channel=GENERAL)


async def test_a_second_one_is_barred_until_somebody_else_has_reviewed(web_town):
    dan, eva = web_town.people("Dan", "Eva")
    card = await breaks(dan)
    await dan.types("/jit break-glass alarm")
    said = await answered(dan, "not signed off", channel=GENERAL)
    assert id_of(card) in said
    assert (await dan.clicks("sign_off", card)).ok
    await answered(dan, "You cannot review your own break-glass")
    await told(eva, card, "tried to sign this break-glass off and may not")
    assert (await eva.clicks("sign_off", card)).ok
    await eva.submits(FINE)
    await becomes(eva, card, "*Signed off*")
    assert (await dan.types("/jit break-glass alarm")).ok
    assert "nobody is asked" in (await dan.view()).plain()


async def test_those_who_are_no_reviewers_cannot_sign_off(web_town):
    dan, anna = web_town.people("Dan", "Anna")
    card = await breaks(dan)
    await anna.clicks("sign_off", card)
    await answered(anna, "You are not one of those who review this")
    await told(dan, card, "Anna tried to sign this break-glass off")


async def test_a_concern_can_end_the_access(web_town):
    dan, eva = web_town.people("Dan", "Eva")
    card = await breaks(dan)
    token = token_in((await dan.sees(JWT, channel=DIRECT)).plain())
    assert (await eva.clicks("concern", card)).ok
    await eva.submits({"reason": {"reason": "this is not yours"}, "ends": {"ends": ["ends"]}})
    card = await becomes(eva, card, "*Ended early* by @Eva")
    assert set(card.buttons()) == {"sign_off", "concern"}
    assert not await web_town.works(token)
    await dan.sees("raised a concern", channel=DIRECT)


async def test_an_overdue_review_is_told_loudly_and_a_broken_channel_holds_nothing_up(web_town):
    dan, eva, anna = web_town.people("Dan", "Eva", "Anna")
    card = await breaks(dan, "urgent", SHORT)
    await dan.sees("shown to you alone", channel=DIRECT)
    alarm = await anna.sees("BREAK-GLASS", channel=GENERAL)
    assert "Cannot be told" in alarm.plain()
    assert "#hidden" in alarm.plain()
    await told(anna, card, "Cannot be told")
    await told(anna, card, "reviewers were reminded", "OVERDUE")
    loud = await anna.sees("not reviewed in time", channel=GENERAL)
    assert "@security" in loud.plain()
    await anna.sees("still waits for its review", channel=GENERAL)
    await dan.sees("is *overdue*", channel=DIRECT)
    await becomes(anna, card, "*Review OVERDUE*")
    await dan.types("/jit break-glass urgent")
    await answered(dan, "the review is overdue", channel=GENERAL)
    assert (await eva.clicks("sign_off", loud)).ok
    await eva.submits(FINE)
    await becomes(anna, card, "*Signed off*")
    assert (await becomes(anna, loud, "*Signed off*")).buttons() == {}


async def test_what_is_forbidden_even_then_is_denied_on_record(web_town):
    dan, anna = web_town.people("Dan", "Anna")
    card = await breaks(dan, "sealed", SHORT)
    assert "BREAK-GLASS" in card.plain()
    assert card.buttons() == {}
    await told(anna, card, "Denied by policy", "Call the vendor instead")
    await dan.sees("Policy denied", channel=DIRECT)
    assert not [note for note in await dan.dm() if JWT in note.plain()]
    await dan.types("/jit break-glass alarm")
    assert "nobody is asked" in (await dan.view()).plain()


@pytest.mark.parametrize("who", ["Dan", "Anna"])
async def test_a_request_that_waits_offers_it(web_town, who):
    asking, ben = web_town.people(who, "Ben")
    await asked(asking, "alarm 5m --ticket INC-3", "somebody please look", seen_by=ben)
    note = await asking.sees("Take it back", channel=DIRECT)
    assert set(note.buttons()) == {"cancel", "break_glass"}
    await asking.clicks("break_glass", note)
    if who == "Anna":
        await answered(asking, "can be broken by leads only", channel=DIRECT)
        return
    assert "somebody please look" in (await asking.view()).plain()
    assert (await asking.submits(WHY)).response_action == "clear"
    await asking.sees(JWT, channel=DIRECT)


async def test_why_names_the_way(web_town):
    (anna,) = web_town.people("Anna")
    await anna.types("/jit why alarm")
    said = await answered(anna, "In an emergency", channel=GENERAL)
    assert "/jit break-glass alarm" in said
