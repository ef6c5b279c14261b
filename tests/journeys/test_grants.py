"""While access lasts: the reminder, more time, an early end, and the end."""

import pytest

from tests.journeys.town import (
    ACCESS,
    DIRECT,
    answered,
    asked,
    becomes,
    died,
    granted,
    id_of,
    token_in,
    told,
    value_of,
)

OVER_S = 15.0  # longer than any grant here lasts


async def test_access_ends_by_itself_after_a_reminder(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read 5s", "to look at bill 4711", by=ben)
    assert await town.works(token)
    warning = await anna.sees("Your time with *Read billing* ends", channel=DIRECT)
    assert set(warning.buttons()) == {"extend", "end_now"}
    await becomes(ben, card, "*Ends soon*")
    await becomes(ben, card, "*Ended*", timeout_s=OVER_S)
    assert not await town.works(token)
    assert not (await becomes(anna, warning, "is over")).buttons()
    assert not (await ben.now(card)).buttons()
    await told(ben, card, "was reminded", "has ended")
    assert not [note for note in await anna.dm() if token in note.plain()]


async def test_policy_can_give_more_time_at_once_with_a_new_token(town):
    (anna,) = town.people("Anna")
    card = await asked(anna, "vault 6s", "to look into the vault", seen_by=anna)
    old = await shown_token(anna, await anna.sees("shown to you alone", channel=DIRECT))
    warning = await anna.sees("Your time with *Open the vault* ends", channel=DIRECT)
    for _ in range(2):  # the second press comes before the button has gone
        await anna.clicks("extend", warning, stale=value_of(warning, "extend"))
        await answered(anna, "Extended: a new token is on its way", channel=DIRECT)
    await becomes(anna, warning, "goes on until")
    await anna.sees("replaces this one", channel=DIRECT)
    new = await shown_token(anna, await anna.sees("shown to you alone", channel=DIRECT))
    await told(anna, card, "*Extended* until", "see `R-")
    extension = await anna.sees("prolongs", channel=ACCESS)
    await told(anna, extension, "asked for *6s more*", "Approved by policy")
    assert len([each for each in await anna.messages(ACCESS) if is_card(each)]) == 2
    await died(town, old)
    assert await town.works(new)


async def shown_token(person, note):
    await person.clicks("reveal", note)
    token = token_in((await person.view()).plain())
    await person.closes()
    return token


def is_card(message):
    return message.thread_ts is None and not message.ephemeral


async def test_people_can_give_more_time(town):
    anna, ben = town.people("Anna", "Ben")
    card, old = await granted(anna, "read 7s", "to look at bill 4711", by=ben)
    warning = await anna.sees("Your time with *Read billing* ends", channel=DIRECT)
    assert (await anna.clicks("extend", warning)).ok
    await answered(anna, "waits for approval", channel=DIRECT)
    extension = await ben.sees("prolongs", channel=ACCESS)
    assert (await ben.clicks("approve", extension)).ok
    await told(ben, card, "*Extended* until")
    new = await anna.sees("eyJ", channel=DIRECT)
    assert old not in new.plain()
    await becomes(ben, extension, "*Approved* by @Ben")
    assert list((await ben.now(card)).buttons()) == ["revoke"]


async def test_policy_can_refuse_more_time_and_the_old_token_works_to_its_end(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read 7s", "to look at bill 4711", by=ben)
    warning = await anna.sees("Your time with *Read billing* ends", channel=DIRECT)
    await town.acme.regroups("S0ENGINEERS", "Ben", "Cleo", "Dan")
    await becomes_known(town, anna)
    assert (await anna.clicks("extend", warning)).ok
    await answered(anna, "Not extended: no rule lets you have read", channel=DIRECT)
    assert await town.works(token)
    extension = await ben.sees("prolongs", channel=ACCESS)
    await told(ben, extension, "Denied by policy")
    assert "Extended" not in await told(ben, card, "was reminded")


@pytest.mark.parametrize("who", ["Anna", "Ben", "Eva"])
async def test_requester_approver_and_owner_may_end_it(who, web_town):
    anna, ben, ending = web_town.people("Anna", "Ben", who)
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await ending.clicks("revoke", await becomes(ending, card, "*Works* until"))
    await answered(ending, "its tokens no longer work")
    assert not await web_town.works(token)
    assert (await becomes(ben, card, "*Ended early* by")).buttons() == {}
    await told(ben, card, f"@{who} ended the access")
    await anna.sees("The token is dead", channel=DIRECT)
    await anna.sees("Token 1 for *Read billing* is dead", channel=DIRECT)


async def test_the_command_ends_it_and_tells_why(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await anna.types(f"/jit revoke {id_of(card)} found what I needed")
    await answered(anna, "Ended early", channel="general")
    assert not await town.works(token)
    await told(ben, card, "Anna ended the access", "found what I needed")


async def test_a_stranger_cannot_end_it_and_the_attempt_is_told(town):
    anna, ben, finn = town.people("Anna", "Ben", "Finn")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await finn.clicks("revoke", await becomes(finn, card, "*Works* until"))
    await answered(finn, "can end this")
    assert await town.works(token)
    await told(ben, card, "Finn tried to end this access")
    await finn.types(f"/jit status {id_of(card)}")
    await answered(finn, "There is no request", channel="general")


async def becomes_known(town, person):
    """Return when the bot has heard that `person` is in none of its user groups."""

    async def refused():
        await person.types("/jit request read 1m is it known yet")
        return [c for c in await person.messages(ACCESS) if "no rule lets you" in c.plain()]

    await person.eventually(refused, what="a denial")
