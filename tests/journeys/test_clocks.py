"""Access that begins when the person starts it: in time, too late, given up."""

import pytest

from tests.journeys.policies import FILES
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
    value_of,
)


async def approved(anna, ben, what="spare"):
    """Let Anna ask and Ben approve; return the card, and the message in which Anna can start it."""
    card = await asked(anna, what, "to look at bill 4711", seen_by=ben)
    assert "begins when it is started, within 1h of approval" in card.plain()
    assert (await ben.clicks("approve", card)).ok
    return card, await anna.sees("It has not started", channel=DIRECT)


async def test_the_time_begins_when_the_person_starts_it(town):
    anna, ben = town.people("Anna", "Ben")
    card, note = await approved(anna, ben, "spare 5s")
    assert set(note.buttons()) == {"start", "end_now"}
    await becomes(ben, card, "*Approved*, not started; claim by")
    await told(ben, card, "Anna can start it until", "its time runs from then")
    assert not [each for each in await anna.dm() if JWT in each.plain()]
    await anna.types(f"/jit status {id_of(card)}")
    await answered(anna, "*Approved*, not started; claim by", channel="general")
    for _ in range(2):  # the second press comes before the button has gone
        assert (await anna.clicks("start", note, stale=value_of(note, "start"))).ok
        await answered(anna, "Started: it works until", channel=DIRECT)
    token = token_in((await anna.sees(JWT, channel=DIRECT)).plain())
    assert await town.works(token)
    assert not (await becomes(anna, note, "It has begun")).buttons()
    assert (await told(ben, card, "Anna started it: the access works")).count("started it") == 1
    await becomes(ben, card, "*Ended*", timeout_s=15)
    assert not await town.works(token)


async def test_a_token_that_is_shown_in_a_window_is_shown_as_it_starts(web_town):
    (anna,) = web_town.people("Anna")
    card = await asked(anna, "safe", "to look into the safe", seen_by=anna)
    note = await anna.sees("It has not started", channel=DIRECT)
    assert (await anna.clicks("start", note)).ok
    token = token_in((await anna.view()).plain())
    await anna.closes()
    assert await web_town.works(token)
    await told(anna, card, "Approved by policy", "Anna started it", "Anna looked at the token")
    await anna.sees("shown to you alone", channel=DIRECT)


async def test_what_is_not_started_in_time_lapses_and_can_be_asked_for_again(town):
    (anna,) = town.people("Anna")
    card = await asked(anna, "fleeting", "to be quick about it", seen_by=anna)
    note = await anna.sees("It has not started", channel=DIRECT)
    value = value_of(note, "start")
    over = await anna.sees("You did not start", channel=DIRECT)
    assert set(over.buttons()) == {"ask_again"}
    await becomes(anna, card, "*Approved, but not started in time*")
    await told(anna, card, "did not start it in time; the approval has lapsed")
    assert not (await becomes(anna, note, "It did not begin")).buttons()
    await anna.clicks("start", note, stale=value)
    await answered(anna, "expired already", channel=DIRECT)
    await anna.clicks("ask_again", over)
    assert "Be quick" in (await anna.view()).plain()


async def test_nobody_else_can_start_it(web_town):
    anna, ben, dan = web_town.people("Anna", "Ben", "Dan")
    card, note = await approved(anna, ben)
    assert (await dan.clicks("start", card, stale=value_of(note, "start"))).ok
    await answered(dan, "Only the person who asked")
    await told(ben, card, "Dan tried to start this access")
    assert set((await anna.now(note)).buttons()) == {"start", "end_now"}


@pytest.mark.parametrize("how", ["button", "card", "command"])
async def test_it_can_be_given_up_before_it_begins(how, web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card, note = await approved(anna, ben)
    if how == "command":
        await anna.types("/jit list")
        await answered(anna, "Approved, and not started", channel="general")
        await anna.types(f"/jit cancel {id_of(card)}")
        await answered(anna, "Ended before it began", channel="general")
    elif how == "button":
        await anna.clicks("end_now", note)
        await answered(anna, "Given up: it will not begin", channel=DIRECT)
    else:
        await ben.clicks("revoke", await becomes(ben, card, "not started"))
        await answered(ben, "Given up: it will not begin")
    who = "Ben" if how == "card" else "Anna"
    assert not (await becomes(ben, card, f"*Ended before it began* by @{who}")).buttons()
    await told(ben, card, f"The access was ended by @{who}* before it began")
    await anna.sees("@Ben ended" if how == "card" else "You gave up", channel=DIRECT)
    await anna.clicks("start", note, stale=value_of(note, "start"))
    await answered(anna, "revoked already", channel=DIRECT)


async def test_policy_that_has_changed_since_the_approval_is_asked_at_the_start(web_town, folder):
    anna, ben = web_town.people("Anna", "Ben")
    card, note = await approved(anna, ben)
    rules = web_town.settings.policies / "rules.yaml"
    try:
        rules.write_text(FILES["rules.yaml"].replace("urgent, sealed, spare]", "urgent, sealed]"))
        web_town.reload.set()
        await anna.eventually(lambda: _is_refused(anna), what="the new policy")
        await anna.clicks("start", note)
        await answered(anna, "cannot be granted any more: no rule lets you have", channel=DIRECT)
        await told(ben, card, "Anna tried to start this access and may not")
        assert await ben.sees("not started; claim by", channel=ACCESS)
    finally:
        rules.write_text(FILES["rules.yaml"])


async def _is_refused(person):
    await person.types("/jit why spare")
    said = [each.plain() for each in await person.messages("general") if each.ephemeral]
    return any("you would not get it" in each for each in said)
