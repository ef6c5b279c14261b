"""People who may not use the bot, or no longer; and what Slack does not say."""

import pytest

from tests.journeys.town import ACCESS, JWT, answered, answers, asked, id_of, told, value_of

WHY = {
    "Gus": "Guests cannot use this app",
    "Olga": "This account is deactivated",
    "Xenia": "from another one",
}


@pytest.mark.parametrize("who", WHY)
async def test_a_stranger_who_types_is_refused_with_an_answer(who, web_town):
    (stranger,) = web_town.people(who)
    place = "partners" if who == "Xenia" else "general"
    for typed in ("", "help", "bundles", "list", "request", "request logs to have a look around"):
        assert (await stranger.types(f"/jit {typed}", channel=place)).ok
    said = await answers(stranger, channel=place, at_least=6)
    assert all(WHY[who] in each for each in said)
    assert await stranger.views() == []


@pytest.mark.parametrize("who", WHY)
async def test_a_stranger_who_clicks_is_refused_with_an_answer(who, town):
    anna, ben, stranger = town.people("Anna", "Ben", who)
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    shared = await a_message_that(stranger, town)
    value, about_token = value_of(card, "approve"), f"G{id_of(card)[1:]}.1"
    for action in ("approve", "deny", "revoke", "reveal", "cancel"):
        await stranger.clicks(action, shared, stale=value)
    for action in ("extend", "got_it"):
        await stranger.clicks(action, shared, stale=about_token)
    said = await answers(stranger, channel=shared.channel, at_least=7)
    assert all(WHY[who] in each for each in said)
    await told(ben, card, f"@{who} tried to approve this")
    assert "Waiting" in (await ben.now(card)).plain()


async def a_message_that(person, town):
    """Return a message of the bot in a channel that `person` is in."""
    channel = "C0PARTNERS" if person.name == "Xenia" else "C0ACCESS"
    town.sandbox.workspace.post(channel, text="hello")
    return (await person.messages(channel))[-1]


@pytest.mark.parametrize("who", WHY)
async def test_a_stranger_who_sends_a_form_is_refused_with_an_answer(who, web_town):
    ben, anna, stranger = web_town.people("Ben", "Anna", who)
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await anna.types("/jit request logs")
    answer = await web_town.submits(await anna.view(), {}, by=stranger)
    assert WHY[who] in str(answer["errors"])
    await ben.clicks("deny", card)
    why = {"reason": {"reason": "because"}}
    answer = await web_town.submits(await ben.view(), why, by=stranger)
    assert WHY[who] in str(answer["view"])
    assert "Waiting" in (await ben.now(card)).plain()


async def test_an_app_that_clicks_is_refused(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    app = web_town.adds("U0JITBOT", "jit")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await app.clicks("approve", card)
    await told(ben, card, "apps cannot use this app")
    assert "Waiting" in (await ben.now(card)).plain()


async def test_nothing_is_granted_to_somebody_who_has_left_since(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await town.acme.becomes("Anna", "deactivated")
    await ben.clicks("approve", card)
    await answered(ben, "this account is deactivated")
    assert "Waiting" in (await ben.now(card)).plain()
    await told(ben, card, "Ben tried to approve this")
    assert not [note for note in await anna.dm() if JWT in note.plain()]


async def test_somebody_who_left_while_no_event_came_is_still_found_out(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    web_town.adds("U0ANNA", "Anna", kind="guest")
    await ben.clicks("approve", card)
    await answered(ben, "guests cannot use this app")
    assert "Waiting" in (await ben.now(card)).plain()


async def test_an_approver_who_leaves_the_user_group_has_no_say_any_more(town):
    anna, cleo, eva = town.people("Anna", "Cleo", "Eva")
    card = await asked(anna, "staged", "for the audit", seen_by=cleo, channel="security-approvals")
    await cleo.clicks("approve", card)
    await town.acme.regroups("S0SECURITY", "Dan")

    async def refused():
        await eva.clicks("approve", card)
        return "not an approver" in str(await answers(eva, channel="security-approvals"))

    await eva.eventually(refused, what="a refusal")


async def test_a_user_group_that_cannot_be_read_refuses(town):
    anna, ben = town.people("Anna", "Ben")
    await town.acme.fails("usergroups.users.list", error="fatal_error", times=10)
    await anna.types("/jit request read to look at bill 4711")
    await answered(anna, "Slack did not say who is in the user group", channel="general")
    await town.acme.heals()
    await asked(anna, "read", "to look at bill 4712", seen_by=ben)
    assert len(await ben.messages(ACCESS)) <= 2
    assert "4711" not in str(await ben.messages(ACCESS))


async def test_a_person_who_cannot_be_looked_up_is_refused(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await web_town.acme.fails("users.info", status=500, times=10)
    await ben.clicks("approve", card)
    await answered(ben, "Slack did not answer users.info")
    await answered(ben, "Nothing was recorded")
    assert "Waiting" in (await ben.now(card)).plain()
    assert "tried" not in await told(ben, card, "asked for")
