"""Access that begins when the person starts it, or at a time of its own; or never."""

import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from zoneinfo import ZoneInfo

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
    note = await anna.sees("Policy approved *Be quick*", channel=DIRECT)
    over = await anna.sees("You did not start", channel=DIRECT)
    assert set(over.buttons()) == {"ask_again"}
    await becomes(anna, card, "*Approved, but not started in time*")
    await told(anna, card, "did not start it in time; the approval has lapsed")
    assert not (await becomes(anna, note, "It did not begin")).buttons()
    await anna.clicks("start", note, stale=value_of(over, "ask_again"))  # both carry the same
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


def without(bundle):
    """Return the rules, none of which lets anybody have `bundle`."""
    return FILES["rules.yaml"].replace(f", {bundle}", "")


async def test_policy_that_has_changed_since_the_approval_is_asked_at_the_start(web_town, folder):
    anna, ben = web_town.people("Anna", "Ben")
    card, note = await approved(anna, ben)
    async with tightened(web_town, anna, "spare"):
        await anna.clicks("start", note)
        await answered(anna, "cannot be granted any more: no rule lets you have", channel=DIRECT)
        await told(ben, card, "Anna tried to start this access and may not")
        assert await ben.sees("not started; claim by", channel=ACCESS)


@asynccontextmanager
async def tightened(town, person, bundle):
    """Let no rule give `bundle` to anybody while the context lasts."""
    rules = town.settings.policies / "rules.yaml"

    async def is_refused():
        await person.types(f"/jit why {bundle}")
        said = [each.plain() for each in await person.messages("general") if each.ephemeral]
        return any("you would not get it" in each for each in said)

    try:
        rules.write_text(without(bundle))
        town.reload.set()
        await person.eventually(is_refused, what="the new policy")
        yield
    finally:
        rules.write_text(FILES["rules.yaml"])


def in_the_form(after_s):
    """Return what Anna enters: a reason, and a start so many seconds from now."""
    seconds = int(time.time()) + after_s
    return {"reason": {"reason": "to move it later"}, "start": {"start": seconds}}


async def asks_for_later(anna, ben, *, after_s):
    """Let Anna ask in the form; return the card."""
    assert (await anna.types("/jit request planned")).ok
    assert "From when?" in (await anna.view()).plain()
    sent = await anna.submits(in_the_form(after_s))
    assert sent.ok, sent
    assert not sent.errors, sent
    return await ben.sees("to move it later", channel=ACCESS)


async def test_access_that_is_asked_for_later_starts_by_itself(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asks_for_later(anna, ben, after_s=4)
    assert "for *30m*, from *" in card.plain()
    assert (await ben.clicks("approve", card)).ok
    await becomes(ben, card, "*Approved*, not started; starts")
    note = await anna.sees("by itself, if policy still agrees then", channel=DIRECT)
    assert set(note.buttons()) == {"end_now"}
    assert not [each for each in await anna.dm() if JWT in each.plain()]
    await anna.types(f"/jit status {id_of(card)}")
    await answered(anna, "*Approved*, not started; starts", channel="general")
    token = token_in((await anna.sees(JWT, channel=DIRECT)).plain())
    assert await town.works(token)
    assert not (await becomes(anna, note, "It has begun")).buttons()
    await becomes(ben, card, "*Works* until")
    await told(ben, card, "It starts", "The access works until")


async def test_a_start_that_policy_denies_by_then_never_comes(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asks_for_later(anna, ben, after_s=4)
    assert (await ben.clicks("approve", card)).ok
    async with tightened(web_town, anna, "planned"):
        note = await anna.sees("This was ended before it began", channel=DIRECT)
        assert "no rule lets you have planned" in note.plain()
        assert set(note.buttons()) == {"ask_again"}
        await becomes(ben, card, "*Ended before it began* by policy")
        await told(ben, card, "was ended* before it began", "no rule lets you have planned")
        assert not [each for each in await anna.dm() if JWT in each.plain()]


async def test_what_was_planned_is_cancelled_before_it_begins(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asks_for_later(anna, ben, after_s=600)
    assert (await ben.clicks("approve", card)).ok
    note = await anna.sees("by itself, if policy still agrees then", channel=DIRECT)
    await anna.clicks("end_now", note)
    await answered(anna, "Given up: it will not begin", channel=DIRECT)
    await anna.sees("You gave up", channel=DIRECT)
    assert not (await becomes(ben, card, "*Ended before it began* by @Anna")).buttons()


async def test_a_start_is_typed_in_the_zone_of_who_types(web_town):
    workspace = web_town.sandbox.workspace
    people, zone = workspace.people, ZoneInfo("Asia/Kolkata")
    people["U0ANNA"] = replace(people["U0ANNA"], zone="Asia/Kolkata")
    anna, ben = web_town.people("Anna", "Ben")
    tomorrow = datetime.now(zone).date() + timedelta(days=1)
    start = datetime.combine(tomorrow, clock(9), zone).astimezone(UTC)
    await anna.types("/jit why planned 20m from tomorrow 09:00")
    await answered(anna, f"from *{start:%Y-%m-%d %H:%M} UTC*: people would", channel="general")
    await anna.types("/jit request planned 20m from tomorrow 09:00 to move it early")
    card = await ben.sees("to move it early", channel=ACCESS)
    assert f"for *20m*, from *{start:%Y-%m-%d %H:%M} UTC*" in card.plain()


async def test_a_start_that_cannot_be_is_refused_with_what_to_do(web_town):
    (anna,) = web_town.people("Anna")
    for typed, said in (
        ("request read 10m from tomorrow 09:00 to look", "Read cannot be asked for later"),
        ("request planned from tomorrow to move", "Write: from tomorrow 09:00"),
        ("request planned from 2020-01-01 09:00 to move", "that was asked for has passed"),
        ("request planned from 2090-01-01 09:00 to move", "7d ahead at most"),
        ("break-glass alarm from tomorrow 09:00", "Break-glass is never for later"),
    ):
        await anna.types(f"/jit {typed}")
        await answered(anna, said, channel="general")
    await anna.types("/jit request planned")
    sent = await anna.submits(in_the_form(8 * 86_400))
    assert "7d ahead at most" in sent.errors["start"]
